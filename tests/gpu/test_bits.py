"""The bits that a GPU writes are the CPU's: every preset and dtype, users' samplers, shards, strides, large arrays."""

import numpy as np
import pytest

import fanin
from devices import on_host
from fanin import Constant, Initializer, Normal, Orthogonal, Sparse, Stream, TruncatedNormal, Uniform
from fanin._dtypes import as_dtype
from fanin.math import fma, log
from fanin.stream import words
from vectors import make_golden

pytestmark = pytest.mark.gpu

CASES = make_golden.cases()
GOLDEN = make_golden.recorded()[1]
KEY = {"seed": 2**40 + 7, "name": "gpu"}
KINDS = [(Normal(), "float32"), (Uniform(), "float64"), (Normal(), "complex64"), (Normal(), "complex128"),
         (Uniform(-1, 1), "float16"), (TruncatedNormal(), "bfloat16"), (Sparse(0.5), "float32"),
         (Constant(np.arange(7)), "int16")]
OF_KINDS = pytest.mark.parametrize(("scheme", "dtype"), KINDS, ids=[f"{type(s).__name__}-{d}" for s, d in KINDS])


def bits(array):
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def assert_same_bits(drawn, expected):
    np.testing.assert_array_equal(bits(on_host(drawn, expected.dtype)), bits(expected))


@pytest.fixture
def rows(backend):
    """Enough for each thread to take several steps; few where Python is the processor."""
    return 11 if backend.SIMULATED else 1_000_003


@pytest.mark.parametrize("case", CASES)
def test_golden_hashes(case):
    """Every element-wise preset and dtype has its recorded hash."""
    scheme, shape, dtype = CASES[case]
    drawn = scheme(shape, dtype, "cuda", seed=make_golden.SEED, name=make_golden.NAME)
    assert make_golden.digest(on_host(drawn, as_dtype(dtype))) == GOLDEN[case]


@OF_KINDS
def test_large_arrays(scheme, dtype, rows):
    """Millions of elements, an odd number, whole and from odd offsets."""
    whole = scheme((rows, 7), dtype, **KEY)
    assert_same_bits(scheme((rows, 7), dtype, "cuda", **KEY), whole)
    for index in (slice(3, None), slice(None, None, 3), slice(None, None, -2), (slice(1, None), slice(2, 6))):
        assert_same_bits(scheme.shard((rows, 7), index, dtype, "cuda", **KEY), whole[index])


@OF_KINDS
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_numbas_arrays_of_any_strides(scheme, dtype, order, rows, backend):
    """A slice of a larger array, its axes in any order: the elements beside it are left alone."""
    from numba import cuda

    shape = (3, rows // 3, 7)
    memory = np.zeros([shape[axis] + 2 for axis in order], np.uint16 if dtype == "bfloat16" else dtype)
    there = cuda.to_device(memory)
    view = backend.view(there)
    strides = tuple(view.strides[order.index(axis)] for axis in range(3))
    out = view._replace(shape=shape, strides=strides, address=view.address + sum(view.strides),
                        dtype=as_dtype(dtype))
    key = fanin.stream.Key(KEY["seed"], fanin.stream.stream_id(KEY["name"]))
    fanin._drawing.execute.materialize(scheme.describe(shape, dtype), key, out.device, out,
                                       fanin._plans.indexing.whole(shape))
    held = there.copy_to_host()
    inner = held[1:-1, 1:-1, 1:-1].transpose([order.index(axis) for axis in range(3)])
    assert_same_bits(inner.view(as_dtype(dtype)) if inner.dtype == np.uint16 and dtype == "bfloat16" else inner,
                     scheme(shape, dtype, **KEY))
    held[1:-1, 1:-1, 1:-1] = 0
    assert not held.any()


@fanin.sampler
def laplace(u, loc, scale):
    t = 2.0 * u if u < 0.5 else 2.0 * (1.0 - u)
    return fma(-scale if u > 0.5 else scale, log(t), loc)


class Laplace(Initializer):
    def plan(self, spec):
        return spec.draw(laplace, 0.25, 0.7)


@pytest.mark.parametrize("dtype", make_golden.FLOATING)
def test_a_users_sampler(dtype, rows):
    """A function written once is compiled for the GPU."""
    assert_same_bits(Laplace()((rows, 3), dtype, "cuda", **KEY), Laplace()((rows, 3), dtype, **KEY))


def test_words(rows):
    """The raw words."""
    assert_same_bits(words(**KEY, start=2**35 + 1, count=rows, device="cuda"), words(**KEY, start=2**35 + 1,
                                                                                  count=rows))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (5,)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex128"])
def test_edge_shapes(shape, dtype):
    """Scalars and empty arrays."""
    assert_same_bits(Normal()(shape, dtype, "cuda", **KEY), Normal()(shape, dtype, **KEY))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex128"])
def test_orthogonal_matrices(dtype):
    """Within the promised bound of the CPU's, wherever the products were made."""
    drawn = on_host(Orthogonal(1.5)((60, 40), dtype, "cuda", **KEY), as_dtype(dtype)).astype(np.complex128)
    bound = {"float32": 1.5e-5, "bfloat16": 1e-2, "complex128": 1.5e-13}[dtype]
    np.testing.assert_allclose(drawn, Orthogonal(1.5)((60, 40), dtype, **KEY).astype(np.complex128), rtol=0, atol=bound)


def test_more_than_the_memory_holds():
    """A MemoryError that says what to do; no stream id is taken."""
    stream = Stream(5)
    with pytest.raises(MemoryError, match="shard"):
        Normal()((2**42,), device="cuda", seed=stream)
    assert stream.position == 0


def test_a_device_beyond_the_last():
    """The message names the devices that there are."""
    with pytest.raises(fanin.FaninRuntimeError, match=r"cuda:0 to cuda:\d+ \(got 'cuda:99'\)"):
        Normal()(3, device="cuda:99")
