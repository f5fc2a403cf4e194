"""_kernels/rounding.py against numpy's and ml_dtypes' own conversions, on every half pattern and every tie."""

import ml_dtypes
import numpy as np
import pytest
from numba import njit

from fanin._kernels.device import register_cpu
from fanin._kernels.rounding import to_bfloat16, to_float16

register_cpu()

POISON = 0xCACA
TYPES = pytest.mark.parametrize(("rounding", "half"), [(to_float16, np.float16), (to_bfloat16, ml_dtypes.bfloat16)])
COMPILED = pytest.mark.parametrize("compiled", ["as the loops call it", "in integers"])


def loop_of(rounding):
    @njit(error_model="numpy")
    def loop(x, out):
        for i in range(len(x)):
            out[i] = rounding(x[i])

    return loop


# By name the functions are the processor's own instructions where it has them; a copy is compiled as it is written.
LOOPS = {(rounding, how): loop_of(rounding if how == "as the loops call it" else njit(rounding))
         for rounding in (to_float16, to_bfloat16) for how in ("as the loops call it", "in integers")}


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


def flushed(x):
    """Subnormal numbers replaced by a zero of their sign, as bfloat16's instruction takes them."""
    return np.where(np.abs(x) < np.finfo(np.float32).smallest_normal, np.copysign(np.float32(0), x), x)


def compare(rounding, how, x, half):
    out = np.full(len(x), POISON, np.uint16)
    LOOPS[rounding, how](x, out)
    wanted = expected(x, half)
    if rounding is to_bfloat16 and how == "as the loops call it" and not (out == wanted).all():
        wanted = expected(flushed(x), half)
    np.testing.assert_array_equal(out, wanted)


@TYPES
@COMPILED
def test_compiled(rounding, half, compiled):
    """To nearest, ties to even, signed zeros kept, subnormals kept or flushed: 390,000 patterns at every value."""
    x = telling_values(half)
    assert len(x) > 3e5
    compare(rounding, compiled, x, half)


@TYPES
@COMPILED
def test_compiled_on_random_patterns(rounding, half, compiled):
    """A million float32 patterns of every exponent that the type holds."""
    patterns = np.random.default_rng(0).integers(0, 2**32, 2**20, np.uint32)
    x = patterns.view(np.float32)
    with np.errstate(all="ignore"):
        x = x[np.isfinite(x) & np.isfinite(x.astype(half).astype(np.float32))]
    compare(rounding, compiled, x, half)


@TYPES
def test_in_python(rounding, half):
    """The reference backend's side: the same function, uncompiled."""
    x = np.random.default_rng(1).permutation(telling_values(half))[:5000]
    with np.errstate(over="ignore"):
        out = np.array([rounding(value) for value in x])
    assert out.dtype == np.uint16
    np.testing.assert_array_equal(out, expected(x, half))
