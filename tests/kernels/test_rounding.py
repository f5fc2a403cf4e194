"""kernels/rounding.py against numpy's and ml_dtypes' own conversions, on every half pattern and every tie."""

import ml_dtypes
import numpy as np
import pytest
from numba import njit

from fanin.kernels._device import register_cpu
from fanin.kernels.rounding import to_bfloat16, to_float16

register_cpu()

POISON = 0xCACA
TYPES = pytest.mark.parametrize(("rounding", "half"), [(to_float16, np.float16), (to_bfloat16, ml_dtypes.bfloat16)])


def loop_of(rounding):
    @njit(error_model="numpy")
    def loop(x, out):
        for i in range(len(x)):
            out[i] = rounding(x[i])

    return loop


LOOPS = {rounding: loop_of(rounding) for rounding in (to_float16, to_bfloat16)}


def telling_values(half):
    """Every finite value of the type, the middle to its neighbour, and the float32 numbers on both sides of each."""
    with np.errstate(all="ignore"):
        exact = np.arange(2**16, dtype=np.uint16).view(half).astype(np.float32)
        exact = np.unique(exact[np.isfinite(exact)])
        ties = ((exact[1:].astype(np.float64) + exact[:-1]) / 2).astype(np.float32)
        x = np.concatenate([exact, ties, -exact[exact == 0]])
        x = np.concatenate([x, np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))])
        return x[np.isfinite(x.astype(half).astype(np.float32))]  # plans refuse what overflows


def expected(x, half):
    with np.errstate(all="ignore"):  # flushing to zero is what a conversion of tiny numbers does
        return x.astype(half).view(np.uint16)


@TYPES
def test_compiled(rounding, half):
    """To nearest, ties to even, signed zeros and subnormals kept: 390,000 patterns at and around every value."""
    x = telling_values(half)
    assert len(x) > 3e5
    out = np.full(len(x), POISON, np.uint16)
    LOOPS[rounding](x, out)
    np.testing.assert_array_equal(out, expected(x, half))


@TYPES
def test_compiled_on_random_patterns(rounding, half):
    """A million float32 patterns of every exponent that the type holds."""
    patterns = np.random.default_rng(0).integers(0, 2**32, 2**20, np.uint32)
    x = patterns.view(np.float32)
    with np.errstate(all="ignore"):
        x = x[np.isfinite(x) & np.isfinite(x.astype(half).astype(np.float32))]
    out = np.full(len(x), POISON, np.uint16)
    LOOPS[rounding](x, out)
    np.testing.assert_array_equal(out, expected(x, half))


@TYPES
def test_in_python(rounding, half):
    """The reference backend's side: the same function, uncompiled."""
    x = np.random.default_rng(1).permutation(telling_values(half))[:5000]
    with np.errstate(over="ignore"):
        out = np.array([rounding(value) for value in x])
    assert out.dtype == np.uint16
    np.testing.assert_array_equal(out, expected(x, half))
