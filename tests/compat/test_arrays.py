"""What the functions fill: any dtype, any stride, any size, with the schemes' own bits, in place."""

import importlib

import numpy as np
import pytest

import fanin
from compat.interfaces import NEW, NOTHING, SAME, functions

FLOATING = ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
WHOLE = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
IN_PLACE = [row for row in functions(SAME, NOTHING) if row[1] != "trunc_"]
RANDOM = [row for row in IN_PLACE if "generator" in row[2][0]]
CONSTANT = [row for row in IN_PLACE if "generator" not in row[2][0]]
MAKING = functions(NEW)


def ids(rows):
    return [f"{system}.{name}" for system, name, _ in rows]


def filled(system, name, row, target):
    """The array, filled; random functions with the seed 3."""
    random = {"generator": 3} if "generator" in row[0] else {}
    result = getattr(importlib.import_module(f"fanin.compat.{system}"), name)(target, *row[3], **random)
    assert result is (None if row[1] is NOTHING else target)
    return target


def empty(shape, dtype):
    return np.zeros(shape, fanin.TensorSpec(1, dtype).dtype)


@pytest.mark.parametrize(("system", "name", "row"), RANDOM, ids=ids(RANDOM))
def test_floating_dtypes(system, name, row):
    """Real and complex types keep their dtype and get finite values, not all alike; complex ones in both parts."""
    for dtype in FLOATING if "sparse" not in name else ["bfloat16", "float32"]:  # whose loops take long to compile
        w = filled(system, name, row, empty(row[2], dtype))
        assert w.dtype == empty(1, dtype).dtype and np.isfinite(w).all()
        if name != "normal_" or system != "storch":  # whose default std is 0
            assert len(np.unique(w)) > w.size // 4
            assert w.dtype.kind != "c" or (w.imag != 0).any()


@pytest.mark.parametrize(("system", "name", "row"), CONSTANT, ids=ids(CONSTANT))
def test_constants_of_every_dtype(system, name, row):
    """Constants, identities and Dirac kernels also fill integers and bool, with the same numbers."""
    expected = filled(system, name, row, empty(row[2], "float64"))
    for dtype in FLOATING + WHOLE:
        w = filled(system, name, row, empty(row[2], dtype))
        assert w.dtype == empty(1, dtype).dtype
        np.testing.assert_array_equal(w, expected.astype(w.dtype))  # 0.5 is True, and 0 as an integer


@pytest.mark.parametrize(("system", "name", "row"), RANDOM, ids=ids(RANDOM))
def test_random_functions_refuse_integers(system, name, row):
    """An array that can't hold random numbers is left as it was, and no stream moves."""
    function = getattr(importlib.import_module(f"fanin.compat.{system}"), name)
    for dtype in ("int32", "bool"):
        w, stream = np.ones(row[2], dtype), fanin.Stream(0)
        with pytest.raises(fanin.FaninTypeError, match=r"must be a floating-point or complex type"):
            function(w, *row[3], generator=stream)
        assert (w == 1).all() and stream.position == 0


@pytest.mark.parametrize(("system", "name", "row"), IN_PLACE, ids=ids(IN_PLACE))
def test_strides(system, name, row):
    """A strided view gets the values of a contiguous array; what lies between its elements is left alone."""
    expected = filled(system, name, row, empty(row[2], "float32"))
    memory = np.full([2 * dim + 1 for dim in row[2]][::-1], 9.0, np.float32)
    view = memory.T[tuple(slice(1, None, 2) for _ in row[2])][..., ::-1]
    filled(system, name, row, view)
    np.testing.assert_array_equal(view, expected)
    view[...] = 9.0
    assert (memory == 9.0).all()


@pytest.mark.parametrize(("system", "name", "row"), IN_PLACE, ids=ids(IN_PLACE))
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op:UserWarning")
def test_zero_size(system, name, row):
    """Arrays without elements work for every rank that the function takes, fans of zero included."""
    for axis in range(len(row[2])):
        filled(system, name, row, np.zeros((*row[2][:axis], 0, *row[2][axis + 1:]), np.float32))
    filled(system, name, row, np.zeros([0] * len(row[2]), np.float32))


@pytest.mark.parametrize(("system", "name", "row"), MAKING, ids=ids(MAKING))
def test_new_arrays(system, name, row):
    """Functions that make an array take its dtype, zero-size shapes too, and give what those in place give."""
    module = importlib.import_module(f"fanin.compat.{system}")
    random = {"generator": 3} if "generator" in row[0] else {}
    for dtype in FLOATING + ([] if random else WHOLE):
        made = getattr(module, name)(row[2], dtype, **random)
        in_place = empty(row[2], dtype)
        getattr(module, f"{name}_")(in_place, **random)
        assert made.dtype == in_place.dtype
        np.testing.assert_array_equal(made, in_place)
    assert getattr(module, name)((0, 3), **random).shape == (0, 3)
    assert getattr(module, name)((3, 0), **random).shape == (3, 0)


def test_the_bits_are_the_schemes():
    """A seed without a name means the same to a scheme: no second implementation hides behind the names."""
    torch, jittor = (importlib.import_module(f"fanin.compat.{name}") for name in ("torch", "jittor"))
    for dtype in FLOATING:
        w = torch.kaiming_normal_(empty((64, 32), dtype), generator=7)
        scheme = fanin.Registry.get("kaiming_normal", profile="torch")
        np.testing.assert_array_equal(w, scheme((64, 32), dtype, seed=7))
        w = jittor.uniform((64, 32), dtype, low=-3, high=2, generator=7)
        np.testing.assert_array_equal(w, -fanin.Uniform(-2, 3)((64, 32), dtype, seed=7))


def test_flint_keeps_the_array():
    """The memory behind a flint Tensor is filled: no new float64 array takes its place, and views see the values."""
    from fanin.compat import flint

    class Tensor:
        def __init__(self, data):
            self.data, self.shape, self.ndim = data, data.shape, data.ndim

    for name in ("uniform_", "normal_", "kaiming_uniform_", "lecun_normal_"):
        data = np.zeros((3, 4), np.float32)
        tensor, view = Tensor(data), data[1:]
        assert getattr(flint, name)(tensor, generator=0) is None
        assert tensor.data is data and data.dtype == np.float32 and (view != 0).all()
    flint.constant_(tensor, 2)
    assert (data == 2).all()


def test_integers_cut_a_constant_toward_zero():
    """As torch's and numpy's fills do; what an integer can't hold at all is refused."""
    for system, name in (("torch", "constant_"), ("torch03", "constant"), ("storch", "constant_"),
                         ("jittor", "constant_"), ("flint", "constant_")):
        constant_ = getattr(importlib.import_module(f"fanin.compat.{system}"), name)
        w = np.zeros(3, np.int32)
        for value, expected in ((3.7, 3), (-3.7, -3), (np.float32(2.5), 2), (True, 1), (np.array(4.5), 4)):
            constant_(w, value)
            assert (w == expected).all()
        for value in (np.nan, np.inf, 1j, 2**31):
            with pytest.raises(fanin.FaninValueError, match=r"must be a value that int32 holds exactly"):
                constant_(w, value)
        for value in ("1", None, object()):
            with pytest.raises(fanin.FaninTypeError):
                constant_(w, value)


def test_storch_trunc():
    """Fractions are cut toward zero, in place, in any real dtype and stride; integers stay as they are."""
    from fanin.compat import storch

    values = np.array([[-1.75, -0.5, 0.5], [1.75, 2.0, -3.0]])
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        w = empty((3, 2), dtype)[::-1].T
        w[...] = values
        assert storch.trunc_(w) is w
        np.testing.assert_array_equal(w, np.trunc(values).astype(w.dtype))
    w = np.array([-3, 3])
    assert storch.trunc_(w).tolist() == [-3, 3]
    with pytest.raises(fanin.FaninTypeError, match="`t` must be of a real dtype"):
        storch.trunc_(np.array([1.5j]))


def test_jittor_ends():
    """jittor's uniform numbers can be `high`, never `low`, so that log(u) is finite; random_ the other way round."""
    from fanin.compat import jittor

    where, size = 82143, 10**5
    assert fanin.stream.words(seed=277, start=where, count=1)[0] < 2**8  # u is exactly 0 there

    w = jittor.uniform(size, generator=277)
    assert w[where] == 1.0 and w.min() > 0.0
    assert jittor.random_(np.empty(size, np.float32), generator=277)[where] == 0.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_jittor_bounds_and_moments_may_be_arrays(dtype):
    """low, high, mean and std broadcast: each column has its own law, from one seed, in place too."""
    from fanin.compat import jittor

    low, high = np.array([0.0, -1.0, 100.0]), np.array([[1.0], [2.0]])
    made = jittor.uniform((2, 3), dtype, low, high, generator=5)
    u = jittor.random_(np.empty((2, 3), "float64" if dtype == "float64" else "float32"), generator=5)
    np.testing.assert_array_equal(made, (high - u.astype(np.float64) * (high - low)).astype(made.dtype))
    mean, std = np.array([0.0, 10.0, -10.0]), 0.5
    drawn = jittor.gauss((2, 3), dtype, mean, std, generator=5)
    z = jittor.gauss((2, 3), u.dtype, generator=5)
    np.testing.assert_array_equal(drawn, (z.astype(np.float64) * std + mean).astype(drawn.dtype))
    for function, arguments, expected in ((jittor.uniform_, (low, high), made), (jittor.gauss_, (mean, std), drawn)):
        w = np.empty((3, 2), made.dtype).T
        assert function(w, *arguments, generator=5) is w
        np.testing.assert_array_equal(w, expected)


def test_jittor_arrays_refused():
    """Arrays that don't broadcast, aren't finite or leave the dtype's range: nothing is drawn or written."""
    from fanin.compat import jittor

    stream = fanin.Stream(0)
    for arguments, error, text in [
        (((2, 3), "float32", np.zeros(2)), ValueError, "`low` must broadcast to the shape (2, 3)"),
        (((2, 3), "float32", np.zeros((4, 2, 3))), ValueError, "`low` must broadcast to the shape (2, 3)"),
        (((2, 3), "float32", 0, np.array([np.nan])), ValueError, "`high` must be finite"),
        (((2, 3), "float16", 0, np.array([1e5])), ValueError, "`low` and `high` must keep the values within the range"),
        (((2, 3), "complex64", 0, np.array([1.0])), TypeError, "`low` and `high` must be numbers for a complex dtype"),
        (((2, 3), "float32", "a", np.array([1.0])), TypeError, "`low` must be a real number or an array"),
        (((2, 3), "int32", 0, np.array([1.0])), TypeError, "`dtype` must be a floating-point or complex type"),
    ]:
        with pytest.raises(error) as raised:
            jittor.uniform(*arguments, generator=stream)
        assert isinstance(raised.value, fanin.FaninError) and str(raised.value).startswith(text)
    w = np.ones((2, 3))
    w.flags.writeable = False
    with pytest.raises(fanin.FaninValueError, match="writable"):
        jittor.gauss_(w, np.zeros(3), generator=stream)
    assert stream.position == 0


def test_jittor_constants_may_be_arrays():
    """An array that broadcasts is repeated; integers cut it, bool asks whether it is not 0."""
    from fanin.compat import jittor

    np.testing.assert_array_equal(jittor.constant((2, 2), "int32", np.array([1.9, -1.9])), [[1, -1], [1, -1]])
    np.testing.assert_array_equal(jittor.constant((2, 2), "bool", [0.0, 0.5]), [[False, True], [False, True]])
    w = np.empty((2, 2))
    np.testing.assert_array_equal(jittor.fill(w, [[1], [2]]), [[1, 1], [2, 2]])
