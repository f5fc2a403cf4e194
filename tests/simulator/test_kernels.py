"""The CUDA backend's own kernels, run thread by thread: each kind of draw, every edge, bit for bit.

tests/test_golden.py, run with `--device cuda` under the simulator, holds every preset and dtype to the CPU's recorded
bits. Here are the shapes, shards and layouts around them, held to the reference backend, which is held to the CPU by
tests/backends/test_agreement.py.
"""

import contextlib

import numpy as np
import pytest
from numba import cuda

import fanin
from devices import on_host
from fanin import (
    ICNR,
    Blocks,
    Constant,
    ConvolutionOrthogonal,
    DeltaOrthogonal,
    Dirac,
    Eye,
    FaninError,
    Initializer,
    Normal,
    Orthogonal,
    Sinusoidal,
    Sparse,
    Stream,
    TruncatedNormal,
    Uniform,
)
from fanin._backends import cuda as backend
from fanin._backends.cuda import launch, variants
from fanin._backends.cuda.memory import SIMULATED
from fanin._drawing import compiling, matrix
from fanin._drawing.execute import materialize_range
from fanin._drawing.haar_device import Algebra
from fanin._dtypes import as_dtype
from fanin._plans import indexing
from fanin._seeding import Key
from fanin.math import fma, log
from fanin.stream import stream_id, words
from vectors import make_golden

KEY = {"seed": 2**40 + 7, "name": "simulator"}
# One of each kind of kernel: word and pair, 4 and 8 bytes, half, complex, masked, constant.
DRAWS = [(Normal(), "float32"), (Uniform(-1, 1), "float64"), (Normal(), "complex64"), (Normal(0.5, 2.0), "complex128"),
         (Uniform(), "float16"), (TruncatedNormal(), "bfloat16"), (Constant(1.5), "bfloat16"), (Constant(-7), "int8"),
         (Constant(True), "bool"), (Constant(1 - 2j), "complex128")]
MASKED = [(Sparse(0.4), "float32"), (Eye(2.5), "complex64"), (Eye(1), "uint8"), (Eye(), "float16")]
TABLES = [(Sinusoidal(), "float32"), (Sinusoidal(halves=True, endpoint=True), "float64"), (Sinusoidal(), "bfloat16")]


def of(draws):
    return pytest.mark.parametrize(("scheme", "dtype"), draws, ids=[f"{type(s).__name__}-{d}" for s, d in draws])


def bits(array):
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def assert_same_bits(drawn, expected):
    drawn = on_host(drawn, expected.dtype)
    assert (drawn.dtype, drawn.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(bits(drawn), bits(expected))


def holes(dtype):
    """A pattern that no draw makes."""
    return np.frombuffer(b"\x01" * 16 if dtype == "bool" else b"\xca" * 16, as_dtype(dtype))[0]


def test_this_is_the_simulator():
    """Nothing below was run by a GPU, and nothing by the CPU backend."""
    assert SIMULATED
    assert isinstance(Normal()(3, device="cuda"), type(cuda.device_array(3)))


@of(DRAWS)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2,), (3,), (4,), (5,), (3, 5), (2, 2, 2, 2)], ids=str)
def test_edge_shapes(scheme, dtype, shape):
    """Scalars, empty arrays, and sizes around a block's."""
    assert_same_bits(scheme(shape, dtype, "cuda", **KEY), scheme(shape, dtype, "reference", **KEY))


@of([*MASKED, *TABLES])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (5, 3), (2, 7)], ids=str)
def test_edge_shapes_of_masked_draws(scheme, dtype, shape):
    """Matrices with no rows, no columns, one element, and odd sizes."""
    assert_same_bits(scheme(shape, dtype, "cuda", **KEY), scheme(shape, dtype, "reference", **KEY))


def test_dirac():
    """A convolution's identity, whose mask knows kernel axes and groups."""
    for dtype in ("float32", "complex64", "int32"):
        scheme = Dirac(groups=2)
        assert_same_bits(scheme((6, 2, 3, 3), dtype, "cuda"), scheme((6, 2, 3, 3), dtype, "reference"))


INDICES = [slice(1, None), slice(3, 3), slice(None, None, -1), (slice(None), slice(2, 6)), (slice(None), 3),
           (4, slice(1, None, 2)), (slice(None, None, 3), slice(None, None, -2)), (2, 5), (Ellipsis, slice(5, 6))]


@of([*DRAWS[:7], MASKED[0], MASKED[1], *TABLES])
@pytest.mark.parametrize("index", INDICES, ids=str)
def test_shards(scheme, dtype, index):
    """shard(shape, index) == whole[index]: offsets, steps, single elements, nothing."""
    whole = np.asarray(scheme((7, 9), dtype, "reference", **KEY))
    assert_same_bits(scheme.shard((7, 9), index, dtype, "cuda", **KEY), np.asarray(whole[index]))


@of([(Normal(), "float32"), (Normal(), "complex64"), (Uniform(), "float64"), (Sparse(0.5, axis=1), "float32"),
     TABLES[0]])
def test_far_shards(scheme, dtype):
    """Numbers beyond 2**33 and blocks beyond 2**32 of a tensor of 2**60 elements."""
    shape, index = (2**30, 5, 2**28 - 3), (slice(2**29 + 1, None, -(2**28)), 3, slice(2**27, 2**27 + 9, 2))
    assert_same_bits(scheme.shard(shape, index, dtype, "cuda", **KEY), scheme.shard(shape, index, dtype, "reference",
                                                                                   **KEY))


LAYOUTS = {
    "fortran": lambda memory: memory[:35].reshape(5, 7, order="F"),
    "transposed": lambda memory: memory[1:36].reshape(7, 5).T,
    "columns": lambda memory: memory[:60].reshape(5, 12)[:, 3:10],
    "aligned columns": lambda memory: memory[:60].reshape(5, 12)[:, 4:11],
    "every second": lambda memory: memory[:75].reshape(5, 15)[:, 1::2],
    "reversed": lambda memory: memory[:35].reshape(5, 7)[::-1, ::-1],
    "odd start": lambda memory: memory[3:38].reshape(5, 7),
    "inner of three": lambda memory: memory[:70].reshape(5, 2, 7)[:, 1],
}


@of([*DRAWS[:6], MASKED[0], *TABLES])
@pytest.mark.parametrize("lay", LAYOUTS)
def test_strided_arrays(scheme, dtype, lay):
    """Into any strides: the same bits, the same object returned, what lies between left alone."""
    memory = np.full(80, holes(dtype))
    held = cuda.to_device(memory.view(np.uint16) if dtype == "bfloat16" else memory)
    host = held._ary.view(memory.dtype)  # the simulator's memory is the CPU's
    out = FakeView(LAYOUTS[lay](host))
    assert scheme((5, 7), out=out, **KEY) is out
    assert_same_bits(LAYOUTS[lay](host), scheme((5, 7), dtype, "reference", **KEY))
    LAYOUTS[lay](host)[...] = holes(dtype)
    assert_same_bits(host, memory)


def FakeView(array):
    """The simulator's array over given memory."""
    return type(cuda.device_array(1))(array)


@pytest.mark.parametrize("value", [np.arange(7), np.arange(5.0)[:, None], np.arange(35).reshape(5, 7), [[3]]],
                         ids=lambda v: str(np.shape(v)))
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64", "complex128", "int8"])
def test_constant_arrays(value, dtype):
    """An array is broadcast on the device: whole, in part, and into strided memory."""
    scheme = Constant(value)
    whole = scheme((3, 5, 7), dtype, "reference")
    assert_same_bits(scheme((3, 5, 7), dtype, "cuda"), whole)
    index = (1, slice(None, None, -2), slice(1, 6))
    assert_same_bits(scheme.shard((3, 5, 7), index, dtype, "cuda"), whole[index])
    host = np.zeros((7, 5, 3), whole.dtype)
    scheme((3, 5, 7), out=FakeView(host.T))
    assert_same_bits(host.T, whole)


@fanin.sampler
def laplace(u, loc, scale):
    t = 2.0 * u if u < 0.5 else 2.0 * (1.0 - u)
    return fma(-scale if u > 0.5 else scale, log(t), loc)


class Laplace(Initializer):
    def __init__(self, loc=0.0, scale=1.0):
        self.loc = loc
        self.scale = scale

    def plan(self, spec):
        return spec.draw(laplace, self.loc, self.scale)


@pytest.mark.parametrize("dtype", make_golden.FLOATING)
def test_a_users_sampler(dtype):
    """A function written once runs here too."""
    assert_same_bits(Laplace(0.3, 0.7)((5, 7), dtype, "cuda", **KEY), Laplace(0.3, 0.7)((5, 7), dtype, "reference",
                                                                                       **KEY))


def test_words():
    """The raw words, from an odd start beyond 2**34."""
    start = 2**34 + 3
    assert_same_bits(words(**KEY, start=start, count=11, device="cuda"),
                     words(**KEY, start=start, count=11, device="reference"))


def test_a_tensor_in_pieces():
    """`materialize_range` continues at any element."""
    plan, key = Normal().describe((5, 7)), Key(KEY["seed"], stream_id(KEY["name"]))
    whole = Normal()((5, 7), device="reference", **KEY).reshape(-1)
    for start, stop in ((0, 1), (1, 6), (6, 20), (20, 35)):
        array, view = backend.empty((stop - start,), plan.dtype, "cuda:0")
        materialize_range(plan, key, start, view, "cuda:0")
        assert_same_bits(array, whole[start:stop])


BLOCKS = {  # (scheme, dtype), for the shape (5, 7)
    "rows": (Blocks([Normal(), "zeros", Uniform()], sizes=[2, 1, -1]), "float32"),
    "columns": (Blocks([Normal(), Sparse(0.5), Constant(np.arange(2.0))], 1, [3, 2, -1]), "float32"),
    "half": (Blocks([Constant(np.arange(5.0)[:, None]), TruncatedNormal()], 1, [3, -1]), "bfloat16"),
    "complex": (Blocks([Normal(), Blocks([Constant(1j), Uniform()], 1, [4, 3])], 0, [1, 4]), "complex64"),
    "wide": (Blocks([Uniform(), Normal()], 1, [-1, 4]), "complex128"),
    "twins": (Blocks([ICNR(2, "normal", "io"), "ones"], 1, [4, -1]), "float32"),
    "twins of rows": (Blocks([ICNR(2, Blocks(["normal", "uniform"], 1, [3, 4])), "ones"], 0, [4, 1]), "float64"),
    "whole numbers": (Blocks([Constant(3), Eye(), Constant([[1], [2], [3], [4], [5]])], 1, [1, 3, 3]), "int8"),
}
of_blocks = pytest.mark.parametrize("kind", BLOCKS)


@of_blocks
def test_blocks_whole_and_in_part(kind):
    """Each block by its own kernel, into its part of one array."""
    scheme, dtype = BLOCKS[kind]
    whole = scheme((5, 7), dtype, "reference", **KEY)
    assert_same_bits(scheme((5, 7), dtype, "cuda", **KEY), whole)
    for index in (slice(1, 4), (slice(None, None, -2), slice(5, 1, -1)), (3, slice(2, 6)), (slice(None), 4)):
        assert_same_bits(scheme.shard((5, 7), index, dtype, "cuda", **KEY), np.asarray(whole[index]))


@of_blocks
@pytest.mark.parametrize("lay", ["fortran", "columns", "reversed"])
def test_blocks_in_strided_arrays(kind, lay):
    """Parts of strided memory, and nothing beside them."""
    scheme, dtype = BLOCKS[kind]
    memory = np.full(80, holes(dtype))
    held = cuda.to_device(memory.view(np.uint16) if dtype == "bfloat16" else memory)
    host = held._ary.view(memory.dtype)
    out = FakeView(LAYOUTS[lay](host))
    assert scheme((5, 7), out=out, **KEY) is out
    assert_same_bits(LAYOUTS[lay](host), scheme((5, 7), dtype, "reference", **KEY))
    LAYOUTS[lay](host)[...] = holes(dtype)
    assert_same_bits(host, memory)


@of_blocks
def test_blocks_in_pieces(kind):
    """`materialize_range` begins and ends within blocks."""
    scheme, dtype = BLOCKS[kind]
    plan, key = scheme.describe((5, 7), dtype), Key(KEY["seed"], stream_id(KEY["name"]))
    whole = scheme((5, 7), dtype, "reference", **KEY).reshape(-1)
    for start, stop in ((0, 1), (1, 17), (4, 29), (20, 35)):
        array, view = backend.empty((stop - start,), plan.dtype, "cuda:0")
        materialize_range(plan, key, start, view, "cuda:0")
        assert_same_bits(array, whole[start:stop])


def test_blocks_are_waited_for_once(monkeypatch):
    """One wait after all kernels, not one after each: the blocks are queued one behind the other."""
    waits = []
    monkeypatch.setattr(backend, "synchronize", lambda out: waits.append(out.shape))
    Blocks([Normal(), "ones", Uniform()])((6, 7), device="cuda", **KEY)
    assert waits == [(6, 7)]


def test_orthogonal_blocks():
    """Matrices beside other blocks: made on the CPU where no library multiplies on the device."""
    scheme = Blocks([Orthogonal(), Normal(), Orthogonal(axis=1)], 1, [2, 1, 3])
    assert_same_bits(scheme((5, 12), "float32", "cuda", **KEY), scheme((5, 12), "float32", **KEY))


def test_a_users_sampler_is_compiled_before_a_block_is_written(monkeypatch):
    """Should the compiler refuse it, `out` is as it was."""
    order = []
    compiled, launched = launch._compile, launch._launch
    monkeypatch.setattr(launch, "_kernels", {})
    monkeypatch.setattr(compiling, "_compiled", set())
    monkeypatch.setattr(launch, "_compile", lambda *given: order.append("compile") or compiled(*given))
    monkeypatch.setattr(launch, "_launch", lambda *given: order.append("launch") or launched(*given))
    Blocks([Normal(), Laplace()])((4, 7), device="cuda", **KEY)
    assert order == ["compile", "compile", "launch", "launch"]


@pytest.mark.parametrize(("threads", "grids"), [(1, 1), (3, 2), (7, 1)])
def test_the_grid_does_not_count(threads, grids, monkeypatch):
    """Any number of threads and blocks gives the same bits."""
    monkeypatch.setattr(launch, "THREADS", threads)
    monkeypatch.setattr(launch, "GRIDS", grids)
    assert_same_bits(Normal()((5, 7), device="cuda", **KEY), Normal()((5, 7), device="reference", **KEY))
    assert_same_bits(Normal().shard((9, 7), slice(None, None, 2), device="cuda", **KEY),
                     Normal().shard((9, 7), slice(None, None, 2), device="reference", **KEY))


@pytest.mark.parametrize(("scheme", "shape"), [(Orthogonal(1.5), (6, 4)), (Orthogonal(axis=-1), (3, 2, 5)),
                                               (DeltaOrthogonal(), (4, 3, 3, 3)),
                                               (ConvolutionOrthogonal(), (4, 3, 2, 3))], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex128"])
def test_orthogonal_matrices(scheme, shape, dtype):
    """Without a library that multiplies there: made on the CPU and copied, whole and in part."""
    whole = scheme(shape, dtype, **KEY)
    assert_same_bits(scheme(shape, dtype, "cuda", **KEY), whole)
    part = on_host(scheme.shard(shape, slice(1, 3), dtype, "cuda", **KEY), whole.dtype)
    np.testing.assert_allclose(part.astype(np.complex128), whole[1:3].astype(np.complex128), rtol=0, atol=0.01)


@pytest.mark.parametrize(("scheme", "shape", "index"), [
    (Orthogonal(1.5), (6, 4), ...), (Orthogonal(axis=-1), (3, 2, 5), (slice(None), 1)),
    (Orthogonal(), (4, 7), (slice(None, None, -2), slice(1, 6))), (DeltaOrthogonal(), (4, 3, 3, 3), slice(1, 3))],
    ids=str)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_orthogonal_matrices_where_a_library_multiplies(scheme, shape, index, dtype):
    """Reflectors drawn by the kernels, products by an array library; numpy stands where a GPU has torch or CuPy."""
    plan, key = scheme.describe(shape, dtype), Key(KEY["seed"], stream_id(KEY["name"]))
    axes = indexing.parse(index, shape)
    expected = scheme.shard(shape, index, dtype, **KEY)
    drawn = np.full(expected.shape, holes(dtype))
    view = backend.view(FakeView(drawn))
    algebra = Algebra(np, drawn, np.zeros, lambda made: made.ctypes.data, contextlib.nullcontext)
    matrix.write_device_matrix(plan, key, backend, view, axes, algebra)
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)


class Interface:
    """Another library's array on a GPU, which here is the CPU: nothing but the protocol."""

    def __init__(self, array, **changes):
        self._array = array
        strides = None if array.flags.c_contiguous else array.strides
        self.__cuda_array_interface__ = {"shape": array.shape, "typestr": array.dtype.str, "strides": strides,
                                         "data": (array.ctypes.data, False), "version": 3} | changes


@pytest.mark.parametrize("lay", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float64", "complex64"])
def test_arrays_by_the_interface(lay, dtype):
    """Shape, strides, type and address are read from __cuda_array_interface__."""
    memory = np.full(80, holes(dtype))
    out = Interface(LAYOUTS[lay](memory))
    assert Normal()((5, 7), out=out, **KEY) is out
    assert_same_bits(LAYOUTS[lay](memory), Normal()((5, 7), dtype, "reference", **KEY))


REFUSED = {
    "read-only": (lambda: {"out": Interface(np.zeros((5, 7), "f4"), data=(1 << 40, True))}, "writable"),
    "masked": (lambda: {"out": Interface(np.zeros((5, 7), "f4"), mask=object())}, "mask"),
    "of no known type": (lambda: {"out": Interface(np.zeros((5, 7), "f4"), typestr="|V4")}, "V4"),
    "another device": (lambda: {"device": "cuda:1"}, "cuda:0"),
    "numpy's array": (lambda: {"device": "cuda", "out": np.zeros((5, 7), "f4")}, "cpu"),
    "a GPU's array": (lambda: {"device": "cpu", "out": cuda.device_array((5, 7), "f4")}, "cuda:0"),
    "another shape": (lambda: {"out": cuda.device_array((7, 5), "f4")}, r"\(7, 5\)"),
    "another dtype": (lambda: {"dtype": "float32", "out": cuda.device_array((5, 7), "f8")}, "float64"),
    "half an element apart": (lambda: {"out": FakeView(np.lib.stride_tricks.as_strided(np.zeros(99, "f4"), (5, 7),
                                                                                       (42, 6)))}, "multiple"),
    "broadcast": (lambda: {"out": FakeView(np.broadcast_to(np.zeros(7, "f4"), (5, 7)))}, "broadcast"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    """What can't be written is refused in one line, before a stream moves."""
    make, why = REFUSED[kind]
    given, stream = make(), Stream(0)
    with pytest.raises(FaninError, match=why) as caught:
        Normal()((5, 7), seed=stream, **given)
    assert "\n" not in str(caught.value)
    assert "`out`" in str(caught.value) or "`device`" in str(caught.value)
    assert stream.position == 0


def test_more_than_any_memory():
    """An array that can't be allocated is a MemoryError that says what to do, and takes no stream id."""
    stream = Stream(5)
    with pytest.raises(MemoryError, match="shard"):
        Normal()((2**40, 2**18), device="cuda", seed=stream)
    assert stream.position == 0


def test_a_store_beside_the_array_is_caught():
    """The simulator's arrays are as long as what is written: a store beside them raises instead of writing."""
    plan, memory = Normal().describe(8), np.zeros(6, np.float32)
    kernel = cuda.jit(variants.variant(plan.sampler, plan.mask, plan.storage, plan.parts).run)[1, 2]
    with pytest.raises(IndexError):
        kernel(memory, 8, 0, 0, 0, (np.uint64(0),) * 4, plan.params, plan.mask_params)
