"""`out=` into whatever shares memory: numpy and its subclasses, memory maps, DLPack, __array_interface__."""

import ml_dtypes
import numpy as np
import pytest

from fanin import Constant, Eye, FaninError, Normal, Orthogonal, Registry, Sparse, Stream, Uniform

KEY = {"seed": 5, "name": "w"}
SHAPE = (7, 33)


@pytest.fixture
def expected():
    return Normal()(SHAPE, **KEY)


class DLPack:
    """Another library's array: nothing but the protocol."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **request):
        return self._array.__dlpack__(**request)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class DLPackOnGPU(DLPack):
    def __dlpack_device__(self):
        return 2, 0  # kDLCUDA

    def __dlpack__(self, **request):
        raise BufferError("this memory is on a GPU")


class ArrayInterface:
    """The older protocol."""

    def __init__(self, array):
        self._array = array  # keeps the memory alive
        self.__array_interface__ = array.__array_interface__


class CudaArray:
    __cuda_array_interface__ = {"shape": SHAPE, "typestr": "<f4", "data": (1 << 40, False), "version": 3}


@pytest.mark.parametrize("wrap", [DLPack, ArrayInterface])
@pytest.mark.parametrize("order", ["C", "F"])
def test_protocols(wrap, order, expected):
    """The object's own memory is filled, whatever its order; the object is returned."""
    array = np.zeros(SHAPE, np.float32, order=order)
    out = wrap(array)
    assert Normal()(SHAPE, out=out, **KEY) is out
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("dtype", ["float16", "float64", "complex64", "complex128"])
def test_dtypes_through_dlpack(dtype):
    """The dtype comes from the object."""
    array = np.zeros(5, dtype)
    Normal()(5, out=DLPack(array), **KEY)
    np.testing.assert_array_equal(array, Normal()(5, dtype, **KEY))


def test_memory_maps(tmp_path, expected):
    """A file mapped into memory is drawn into; what another process then reads is the draw."""
    path = tmp_path / "weights.bin"
    mapped = np.memmap(path, np.float32, "w+", offset=12, shape=SHAPE)
    assert Normal()(SHAPE, out=mapped, **KEY) is mapped
    mapped.flush()
    np.testing.assert_array_equal(np.fromfile(path, np.float32, offset=12).reshape(SHAPE), expected)

    with pytest.raises(FaninError, match="writable"):
        Normal()(SHAPE, out=np.memmap(path, np.float32, "r", offset=12, shape=SHAPE), **KEY)


def test_subclasses_of_ndarray(expected):
    """A masked array's data are filled and its mask is kept; a record field is filled in place."""
    masked = np.ma.masked_array(np.zeros(SHAPE, np.float32), mask=np.eye(*SHAPE))
    assert Normal()(SHAPE, out=masked, **KEY) is masked
    np.testing.assert_array_equal(masked.data, expected)
    assert masked.mask.sum() == 7

    records = np.zeros(SHAPE, [("a", np.int16), ("w", np.float32)])
    Normal()(SHAPE, out=records["w"], **KEY)
    np.testing.assert_array_equal(records["w"], expected)
    assert not records["a"].any()


def read_only(array):
    array.flags.writeable = False
    return array


class Invalid:
    """An object with a broken __array_interface__."""

    def __init__(self, **interface):
        self.__array_interface__ = interface


REFUSED = {
    "an interface without a shape": (lambda: Invalid(typestr="<f4", version=3), "__array_interface__"),
    "an interface of another type": (lambda: Invalid(typestr="nonsense", shape=SHAPE, data=(8, False), version=3),
                                     "__array_interface__"),
    "an interface without memory": (lambda: Invalid(typestr="<f4", shape=SHAPE, data=(0, False), version=3),
                                    "__array_interface__"),
    "sliding windows": (lambda: np.lib.stride_tricks.sliding_window_view(np.zeros(39, np.float32), 33, writeable=True),
                        "sliding"),
    "overlapping rows": (lambda: np.lib.stride_tricks.as_strided(np.zeros(300, np.float32), SHAPE, (32 * 4, 4)),
                         "of its own"),
    "overlapping columns": (lambda: np.lib.stride_tricks.as_strided(np.zeros(300, np.float32), SHAPE, (4, 6 * 4)),
                            "of its own"),
    "elements half over each other": (lambda: np.lib.stride_tricks.as_strided(
        np.zeros(300, np.float32), SHAPE, (33 * 4, 2)), "of its own"),
    "read-only": (lambda: read_only(np.zeros(SHAPE, np.float32)), "writable"),
    "read-only, by DLPack": (lambda: DLPack(read_only(np.zeros(SHAPE, np.float32))), "writable"),
    "read-only, by __array_interface__": (lambda: ArrayInterface(read_only(np.zeros(SHAPE, np.float32))), "writable"),
    "broadcast": (lambda: np.lib.stride_tricks.as_strided(np.zeros(33, np.float32), SHAPE, (0, 4)), "broadcast"),
    "another shape": (lambda: np.zeros((33, 7), np.float32), r"\(7, 33\)"),
    "another rank": (lambda: np.zeros(231, np.float32), r"\(7, 33\)"),
    "integers": (lambda: np.zeros(SHAPE, np.int32), "int32"),
    "objects": (lambda: np.zeros(SHAPE, object), "object"),
    "big-endian": (lambda: np.zeros(SHAPE, ">f4"), "byte order"),
    "long double": (lambda: np.zeros(SHAPE, np.longdouble), "`out`"),
    "structured": (lambda: np.zeros(SHAPE, [("w", "f4")]), "`out`"),
    "on a GPU, by DLPack": (lambda: DLPackOnGPU(np.zeros(SHAPE, np.float32)), "GPU"),
    "on a GPU": (CudaArray, "GPU"),
    "a list": (lambda: [[0.0] * 33] * 7, "list"),
    "bytes": (lambda: bytearray(4 * 231), "bytearray"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    """What can't be written raises in one line that says why; nothing is written, no stream moves."""
    make, why = REFUSED[kind]
    out, stream = make(), Stream(0)
    with pytest.raises(FaninError, match=why) as caught:
        Normal()(SHAPE, out=out, seed=stream)
    assert "`out`" in str(caught.value) or "`dtype`" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert stream.position == 0
    if isinstance(out, np.ndarray) and out.dtype.kind in "fi":
        assert not out.any()


class Raising:
    """An array of a library that fails: what is asked of it raises."""

    def __init__(self, error, at):
        self.error, self.at = error, at

    def _answer(self, asked, otherwise):
        if asked == self.at:
            raise self.error
        return otherwise

    def __dlpack__(self, **keywords):
        return self._answer("dlpack", None)

    def __dlpack_device__(self):
        return self._answer("device", (1, 0))

    @property
    def __array_interface__(self):
        if self.at == "interface":
            raise self.error
        raise AttributeError


@pytest.mark.parametrize("at", ["dlpack", "device", "interface", "nowhere"])
@pytest.mark.parametrize("error", [RuntimeError("one\ntwo"), KeyError("k"), ValueError("v"), AttributeError("a")],
                         ids=repr)
def test_whatever_an_array_raises(error, at):
    """An array that raises what it likes is a TypeError or ValueError of one line that names the argument."""
    array = Raising(error, at)

    for call, argument in ((lambda: Normal()(3, out=array), "`out`"), (lambda: Constant(array), "`value`")):
        with pytest.raises((TypeError, ValueError), match=argument) as raised:
            call()
        assert isinstance(raised.value, FaninError) and "\n" not in str(raised.value)


def test_a_numpy_scalar_is_no_array():
    """A scalar has no memory to fill: it is refused, not filled in a copy."""
    with pytest.raises(FaninError, match="float32"):
        Normal()((), out=np.float32(0), **KEY)


@pytest.mark.parametrize("scheme", [Constant(1.5), Constant(np.arange(4.0)), Orthogonal(), Normal()],
                         ids=["number", "array", "orthogonal", "normal"])
def test_every_kind_of_plan_writes_strided_memory(scheme):
    """Constants, arrays and matrices go through the same views as element-wise draws."""
    memory = np.full((2, 12, 8), np.float32(9))
    view = memory[1, ::-2, 1::2]
    scheme((6, 4), out=view, **KEY)
    np.testing.assert_allclose(view, scheme((6, 4), **KEY), rtol=0, atol=1e-5 if isinstance(scheme, Orthogonal) else 0)
    view[...] = 9
    assert (memory == 9).all()


@pytest.mark.parametrize(("shape", "strides"), [
    ((3, 2), (2, 3)), ((4, 5), (5, 4)), ((5, 5), (3, 4)), ((2, 2, 2), (1, 2, 4)), ((5,), (-3,)), ((3, 4), (-4, 1)),
    ((1, 6), (0, 1))])
def test_memory_that_interleaves(shape, strides):
    """Elements that lie between each other, and share nothing, are drawn into; the rest of the memory is left alone."""
    memory = np.full(64, 9, np.float32)
    view = np.lib.stride_tricks.as_strided(memory[32:], shape, [4 * stride for stride in strides])
    overlapping = len({sum(i * s for i, s in zip(index, strides, strict=True)) for index in np.ndindex(shape)})

    if overlapping < view.size:
        with pytest.raises(FaninError, match="of its own"):
            Normal()(shape, out=view, **KEY)
        assert (memory == 9).all()
        return
    Normal()(shape, out=view, **KEY)
    np.testing.assert_array_equal(view, Normal()(shape, **KEY))
    assert (memory == 9).sum() == 64 - view.size


# -- float8 -------------------------------------------------------------------------------------------------------

FLOAT8 = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]


@pytest.mark.parametrize("name", FLOAT8)
def test_constants_in_float8(name):
    """Zeros, ones, constants and arrays of them are ml_dtypes' nearest values; out= of that dtype is filled."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    for value in (1.0, 0.3, 100.0, np.array([0.25, 3.0, 7.0])):
        drawn, nearest = Constant(value)((2, 3), name), np.broadcast_to(np.asarray(value), (2, 3)).astype(dtype)
        assert drawn.dtype == dtype and drawn.tobytes() == nearest.tobytes()
    out = np.ones((4, 6), dtype)[:, ::2]
    assert Constant(2.0)((4, 3), out=out) is out and (out.astype(float) == 2).all()
    if name != "float8_e8m0fnu":  # which has neither zero nor signs
        assert not Registry.get("zeros")((2, 3), dtype).astype(float).any()
        assert (Eye()((2, 3), name).astype(float) == np.eye(2, 3)).all() and (Constant(-1.5)(2, name) == -1.5).all()


@pytest.mark.parametrize(("name", "value"), [
    ("float8_e4m3fn", 1e3), ("float8_e4m3fn", np.inf), ("float8_e5m2", 1e9), ("float8_e4m3fnuz", -1e3),
    ("float8_e5m2fnuz", np.inf), ("float8_e8m0fnu", 0.0), ("float8_e8m0fnu", -1.0), ("float8_e4m3fn", 1j),
])
def test_what_float8_can_not_hold(name, value):
    """A value that a float8 type would turn into nan or infinity is refused by name."""
    with pytest.raises(FaninError, match=f"`value`.*{name}"):
        Constant(value)(3, name)


def test_a_type_without_zero_is_refused_by_what_draws_zeros():
    """float8_e8m0fnu has no zero: its bit pattern 0 is 2**-127, which an identity must not be made of."""
    out = np.ones((2, 2), ml_dtypes.float8_e8m0fnu)

    for scheme, shape in ((Eye(), (2, 2)), (Registry.get("dirac"), (2, 2, 3))):
        with pytest.raises(FaninError, match="`dtype`.*hold 0.*float8_e8m0fnu"):
            scheme(shape, "float8_e8m0fnu")
    with pytest.raises(FaninError, match="`dtype`.*hold 0"):
        Eye()((2, 2), out=out)
    assert (out.astype(float) == 1).all()


@pytest.mark.parametrize("name", FLOAT8)
def test_random_numbers_in_float8_are_refused(name):
    """Nothing random is drawn in float8 for now: the message says what to do, `out` and stream are left alone."""
    out, stream = np.ones((4, 4), getattr(ml_dtypes, name)), Stream(0)
    for scheme in (Normal(), Uniform(), Orthogonal(), Registry.get("he_normal"), Sparse(0.5)):
        with pytest.raises(FaninError, match=f"`dtype`.*{name}.*bfloat16"):
            scheme((4, 4), out=out, seed=stream)
    assert (out.astype(float) == 1).all() and stream.position == 0
