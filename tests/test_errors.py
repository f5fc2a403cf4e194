"""Errors: for each argument of each public call, the exception's classes and a line that names argument and value."""

import math
import pickle

import numpy as np
import pytest

import fanin
from fanin import (
    Constant,
    ConvolutionOrthogonal,
    DeltaOrthogonal,
    Dirac,
    Eye,
    FaninError,
    Normal,
    Orthogonal,
    Registry,
    Sparse,
    Stream,
    TensorSpec,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)

INF, NAN = math.inf, math.nan
he = VarianceScaling(2.0)

# (argument, wrong value, expected builtin, what the message says besides the argument)
NOT_NUMBERS = ["1", None, True, np.True_, 1j, [1.0], np.zeros(2), object()]
NOT_FINITE = [INF, -INF, NAN, np.float32(INF), 10**400]
NOT_INTS = ["1", None, True, 1.0, 1j, [1], np.float64(1)]

PARAMETERS = [
    *((Uniform, name, value, TypeError) for name in ("low", "high") for value in NOT_NUMBERS),
    *((Uniform, name, value, ValueError) for name in ("low", "high") for value in NOT_FINITE),
    (Uniform, "low", 1.5, ValueError), (Uniform, "high", -0.5, ValueError),
    *((Normal, name, value, TypeError) for name in ("mean", "std") for value in NOT_NUMBERS),
    *((Normal, name, value, ValueError) for name in ("mean", "std") for value in NOT_FINITE),
    (Normal, "std", -0.1, ValueError), (Normal, "std", -5e-324, ValueError),
    *((TruncatedNormal, name, value, TypeError) for name in ("mean", "std", "lower", "upper") for value in NOT_NUMBERS),
    *((TruncatedNormal, name, value, ValueError) for name in ("mean", "std") for value in NOT_FINITE),
    (TruncatedNormal, "std", -1, ValueError), (TruncatedNormal, "lower", NAN, ValueError),
    (TruncatedNormal, "upper", NAN, ValueError), (TruncatedNormal, "lower", INF, ValueError),
    (TruncatedNormal, "upper", -INF, ValueError), (TruncatedNormal, "lower", 3, ValueError),
    (TruncatedNormal, "upper", -3, ValueError), (TruncatedNormal, "bounds", "sigma", ValueError),
    (TruncatedNormal, "bounds", "STD", ValueError), (TruncatedNormal, "bounds", None, TypeError),
    (TruncatedNormal, "bounds", 1, TypeError),
    *((VarianceScaling, "scale", value, TypeError) for value in NOT_NUMBERS),
    *((VarianceScaling, "scale", value, ValueError) for value in (*NOT_FINITE, -1)),
    *((VarianceScaling, name, value, TypeError) for name in ("mode", "distribution")
      for value in (None, 1, b"x", ["fan_in"])),
    *((VarianceScaling, name, value, ValueError) for name in ("mode", "distribution")
      for value in ("", "nope", "FAN_IN")),
    *((VarianceScaling, "layout", value, TypeError) for value in (None, 1, b"oi", ["o", "i"])),
    *((VarianceScaling, "layout", value, ValueError) for value in ("", "hwio", "OI", "o*i*", "oi ")),
    *((VarianceScaling, "groups", value, TypeError) for value in NOT_INTS),
    *((VarianceScaling, "groups", value, ValueError) for value in (0, -1)),
    *((VarianceScaling, "transposed", value, TypeError) for value in (0, 1, None, "yes")),
    *((VarianceScaling, name, value, TypeError) for name in ("fan_in", "fan_out")
      for value in NOT_NUMBERS if value is not None),
    *((VarianceScaling, name, value, ValueError) for name in ("fan_in", "fan_out") for value in (*NOT_FINITE, 0, -1)),
    *((cls, "gain", value, ValueError if isinstance(value, str) else TypeError)  # an activation?
      for cls in (Orthogonal, DeltaOrthogonal, ConvolutionOrthogonal) for value in NOT_NUMBERS),
    *((cls, "gain", value, ValueError) for cls in (Orthogonal, DeltaOrthogonal, ConvolutionOrthogonal, Eye)
      for value in NOT_FINITE[:4]),
    *((Orthogonal, "axis", value, TypeError) for value in NOT_INTS),
    *((cls, "layout", value, ValueError) for cls in (DeltaOrthogonal, ConvolutionOrthogonal)
      for value in ("oi", "boi*", "o*", "i*", "xy*", "")),
    (DeltaOrthogonal, "layout", 3, TypeError),
    *((Dirac, "groups", value, TypeError) for value in NOT_INTS), (Dirac, "groups", 0, ValueError),
    *((Dirac, "layout", value, ValueError) for value in ("o*", "i*", "", "oi*o", "b*boi", "abc")),
    (Dirac, "layout", None, TypeError),
    *((Sparse, "sparsity", value, TypeError) for value in NOT_NUMBERS),
    *((Sparse, "sparsity", value, ValueError) for value in (*NOT_FINITE, -0.1, 1.1)),
    *((Sparse, "std", value, TypeError) for value in NOT_NUMBERS), (Sparse, "std", -1, ValueError),
    *((Sparse, "axis", value, TypeError) for value in NOT_INTS),
    *((Eye, "gain", value, TypeError) for value in NOT_NUMBERS if not isinstance(value, complex)),
    (Eye, "gain", complex(1, INF), ValueError),
    *((Constant, "value", value, TypeError) for value in ("1", None, object(), {}, {1}, [[1], [1, 2]],
                                                          np.array(["a"]), b"1",
                                                          np.zeros((3, 3), object), np.datetime64(1, "s"))),
    (Constant, "value", 2**64, ValueError), (Constant, "value", -(2**63) - 1, ValueError),
]


def one_line(error, builtin, *words):
    """The exception is fanin's and the builtin's, and prints as one line with these words in it."""
    assert isinstance(error, FaninError) and isinstance(error, builtin), repr(error)
    text = str(error)
    assert "\n" not in text and not text.startswith(("'", '"'))
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(("scheme", "name", "value", "builtin"), PARAMETERS)
def test_parameters(scheme, name, value, builtin):
    """A parameter is checked when the scheme is made, and when it is replaced."""
    given = {"sparsity": 0.5} if scheme is Sparse else {}
    with pytest.raises(FaninError) as raised:
        scheme(**{**given, name: value})
    one_line(raised.value, builtin, f"`{name}`")
    with pytest.raises(type(raised.value)):
        scheme(**given).replace(**{name: value})


MESSAGES = [
    (lambda: Normal(std=-0.1), "`std` must be finite and >= 0 (got -0.1)"),
    (lambda: Normal(std="wide"), "`std` must be a real number (got 'wide', a str)"),
    (lambda: Normal(mean=INF), "`mean` must be finite (got inf)"),
    (lambda: Uniform(2, 1), "`low` must be <= `high` (got low=2.0, high=1.0)"),
    (lambda: Sparse(1.5), "`sparsity` must be between 0 and 1 (got 1.5)"),
    (lambda: VarianceScaling(mode="fan"),
     "`mode` must be one of 'fan_in', 'fan_out', 'fan_avg', 'fan_geo_avg' (got 'fan')"),
    (lambda: VarianceScaling(groups=0), "`groups` must be >= 1 (got 0)"),
    (lambda: VarianceScaling(transposed=1), "`transposed` must be True or False (got 1)"),
    (lambda: he(3), "`shape` must have at least 2 dimensions to have fans (got (3,))"),
    (lambda: he((2, -3)), "`shape` must not have negative dimensions (got (2, -3))"),
    (lambda: he("ab"), "`shape` must be an int or a sequence of ints (got 'ab')"),
    (lambda: he((2, 3), seed=-1), "`seed` must be in [0, 2**64) (got -1)"),
    (lambda: he((2, 3), name=3), "`name` must be a string or None (got 3, an int)"),
    (lambda: he((2, 3), out=np.zeros((3, 2), np.float32)),
     "`out` must have the shape of what is drawn, (2, 3) (got (3, 2))"),
    (lambda: Normal()((1,) * 65), "`shape` must have a rank of at most 64, as numpy's arrays (got 65)"),
    (lambda: Normal()([1] * 65), "`shape` must have a rank of at most 64, as numpy's arrays (got 65)"),
    (lambda: Orthogonal(axis=64), "`axis` must be <= 63 (got 64)"),
    (lambda: Orthogonal(axis=2)((2, 3)), "`axis` must be between -2 and 1 for a shape of rank 2 (got 2)"),
    (lambda: Eye(0.5)((2, 2), "int8"), "`gain` must be a value that int8 holds exactly (got 0.5)"),
    (lambda: Registry.get("nope_nope"),
     "`name` must be a registered name (got 'nope_nope'): Registry.names() lists what is known"),
]


@pytest.mark.parametrize(("call", "text"), MESSAGES, ids=[text for _, text in MESSAGES])
def test_messages(call, text):
    """Argument, rule, value, next step, in one line."""
    with pytest.raises(FaninError) as raised:
        call()
    assert str(raised.value).startswith(text)


CALLS = [
    *(("shape", value, TypeError) for value in ("12", b"12", None, 1.5, True, np.True_, (1.0, 2), (True, 2), ("1", 2),
                                                (None, 2), ((2, 3), 2), {"a": 1}, object(), np.zeros(2), slice(2))),
    *(("shape", value, ValueError) for value in (-1, (2, -1), (2**60, 2**60), 2**62, (2**64, 2))),
    *(("dtype", value, TypeError) for value in ("float31", "", "f4,(", "complex256", "float128", object, str, "S3",
                                                ">f4",
                                                "float32, float64", 3, {}, [], "M8[s]", np.dtype([("a", "f4")]))),
    *(("device", value, TypeError) for value in (3, int, ["cpu"], b"cpu")),
    *(("device", value, ValueError) for value in ("", "tpu", "CPU", "cpu:x", "cpu:", "reference:0")),
    *(("device", value, RuntimeError) for value in ("cuda", "cuda:0", "gpu")),
    *(("seed", value, TypeError) for value in ("0", 0.0, True, [0], np.float64(0), np.random.default_rng(0), 1j)),
    *(("seed", value, ValueError) for value in (-1, 2**64, np.int64(-1))),
    *(("name", value, TypeError) for value in (0, b"w", ["w"], np.zeros(1), True)), ("name", "\ud800", ValueError),
    *(("out", value, TypeError) for value in ([[0.0]], "out", 3, np.zeros((4, 3), object), np.zeros((4, 3), ">f4"),
                                              np.zeros((4, 3), "S4"), np.float32(1), np.float32)),
]


@pytest.mark.parametrize(("name", "value", "builtin"), CALLS)
def test_arguments_of_a_draw(name, value, builtin):
    """Each argument of a call and of shard is checked before a stream moves or memory is taken."""
    stream = Stream(5)
    given = {"shape": (4, 3), "seed": stream} | {name: value}

    for scheme in (Normal(), Constant(1.0), he):
        with pytest.raises(FaninError) as raised:
            scheme(**given)
        one_line(raised.value, builtin, f"`{name}`")
        with pytest.raises(type(raised.value)):
            scheme.shard(given.pop("shape"), slice(None), **given)
        given = {"shape": (4, 3), "seed": stream} | {name: value}
    assert stream == Stream(5)


@pytest.mark.parametrize(("make", "builtin", "words"), [
    (lambda: np.zeros((3, 4), np.float32), ValueError, ["(4, 3)", "(3, 4)"]),
    (lambda: np.zeros(12, np.float32), ValueError, ["(12,)"]),
    (lambda: np.zeros((4, 3, 1), np.float32), ValueError, ["(4, 3, 1)"]),
    (lambda: np.frombuffer(bytes(48), np.float32).reshape(4, 3), ValueError, ["writable", "read-only"]),
    (lambda: np.broadcast_to(np.zeros(3, np.float32), (4, 3)), ValueError, ["writable"]),
    (lambda: np.lib.stride_tricks.as_strided(np.zeros(3, np.float32), (4, 3), (0, 4)), ValueError, ["broadcast"]),
    (lambda: np.zeros((4, 3), np.int32), TypeError, ["int32"]),
    (lambda: np.zeros((4, 3), bool), TypeError, ["bool"]),
])
def test_arrays_that_cannot_be_filled(make, builtin, words):
    """An `out` of another shape or dtype than can be drawn, read-only or overlapping itself is left alone."""
    out, stream = make(), Stream(5)
    before = out.tobytes()

    for scheme in (Normal(), he):
        with pytest.raises(FaninError) as raised:
            scheme((4, 3), seed=stream, out=out)
        one_line(raised.value, builtin, *words)
    assert out.tobytes() == before and stream == Stream(5)


def test_a_dtype_beside_out_must_be_outs():
    """`dtype` may repeat out's, and is refused where it contradicts it."""
    out = np.full((4, 3), 7, np.float64)

    with pytest.raises(TypeError) as raised:
        Normal()((4, 3), "float32", seed=0, out=out)
    one_line(raised.value, TypeError, "`dtype`", "float64", "'float32'")
    assert (out == 7).all()
    assert Normal()((4, 3), "float64", seed=0, out=out) is out and not (out == 7).any()


def test_values_that_the_dtype_cannot_hold():
    """A draw that would overflow, or a constant that isn't exact, is a ValueError before anything is written."""
    stream = Stream(5)
    for scheme, dtype, word in [
        (Normal(0, 1e4), "float16", "`std`"), (Normal(7e4, 0), "float16", "`mean`"),
        (Normal(1e38, 1e38), "float32", "`mean`"),
        (Normal(1e300, 1), "float32", "`mean`"), (Normal(0, 1e308), "float64", "`std`"),
        (Normal(0, 1e38), "complex64", "`std`"),
        (Uniform(-1e5, 0), "float16", "`low`"), (Uniform(-3e38, 3e38), "float32", "`high`"),
        (Uniform(-1e308, 1e308), "float64", "`high`"), (Uniform(1e10, 1e10), "float16", "`low`"),
        (Uniform(1 + 1e-9, 1 + 2e-9), "float32", "`low`"), (Uniform(-4e38, 4e38), "bfloat16", "`low`"),
        (TruncatedNormal(0, 1e5), "float16", "`std`"),
        (TruncatedNormal(0, 1, 1e5, INF, "absolute"), "float16", "bounds"),
        (TruncatedNormal(0, 0, 1, 2, "absolute"), "float32", "`mean`"),
        (TruncatedNormal(0, 1, 1 + 1e-9, 1 + 2e-9, "absolute"), "float32", "bounds"),
        (TruncatedNormal(0, 1, -1, 2), "complex64", "`lower`"),
        (VarianceScaling(1e12, fan_in=1), "float16", "float16"), (Orthogonal(1e5), "float16", "`gain`"),
        (Sparse(0.5, 1e5), "float16", "`std`"), (Constant(1e5), "float16", "`value`"),
        (Constant(0.5), "int8", "`value`"),
        (Constant(256), "uint8", "`value`"), (Constant(-1), "uint64", "`value`"), (Constant(2), "bool", "`value`"),
        (Constant(1j), "float32", "`value`"), (Constant(NAN), "int32", "`value`"),
        (Constant(2.0**63), "int64", "`value`"),
        (Constant(2.0**64), "uint64", "`value`"), (Constant(2**63), "int64", "`value`"),
        (Constant([1, 300]), "int8", "`value`"),
        (Constant([[1.0, 1e39]] * 9), "float32", "`value`"), (Eye(1j), "float64", "`gain`"),
        (Eye(300), "uint8", "`gain`"),
    ]:
        out = np.full((2, 2), 7).astype(np.dtype("float32") if dtype == "bfloat16" else dtype)
        given = {"dtype": dtype} if dtype == "bfloat16" else {"out": out}
        with pytest.raises(FaninError) as raised:
            scheme((2, 2), seed=stream, **given)
        one_line(raised.value, ValueError, word)
        assert (out == out[0, 0]).all(), scheme
    assert stream == Stream(5)


@pytest.mark.parametrize(("scheme", "shape", "words"), [
    (Eye(), (3,), ["`shape`", "2 dimensions", "(3,)"]), (Eye(), (3, 3, 3), ["`shape`", "Dirac"]),
    (Orthogonal(), (3,), ["`shape`", "at least 2"]), (Orthogonal(axis=-3), (3, 3), ["`axis`", "-3"]),
    (ConvolutionOrthogonal(), (3, 3), ["`shape`", "kernel", "use Orthogonal"]),
    (ConvolutionOrthogonal(), (3, 4, 5), ["`shape`", "4 in and 3 out", "norm", "use DeltaOrthogonal"]),
    (DeltaOrthogonal(), (3, 3), ["`shape`", "kernel", "Orthogonal"]), (DeltaOrthogonal(), (3,), ["`shape`", "'oi*'"]),
    (Dirac(), (3, 3), ["`shape`", "kernel", "Eye"]), (Dirac(2), (3, 3, 3), ["`groups`", "2", "3"]),
    (Sparse(0.5), (), ["`shape`", "at least 1"]), (Sparse(0.5, axis=2), (3, 3), ["`axis`", "2"]),
    (Sparse(0.5), (2**32, 1), ["`shape`", "2**32"]), (he, (), ["`shape`", "()"]),
    (VarianceScaling(layout="oi"), (3, 3, 3), ["`shape`", "'oi'"]), (VarianceScaling(groups=2),
    (3, 3), ["`groups`", "2"]),
    (VarianceScaling(mode="fan_avg", fan_in=3), (3,), ["`shape`", "fan_out"]),
    (Constant([1, 2]), (3,), ["`value`", "broadcast", "(3,)", "(2,)"]), (Constant([[1, 2]]),
    (2,), ["`value`", "(1, 2)"]),
])
def test_shapes_that_a_scheme_does_not_allow(scheme, shape, words):
    """A shape outside the scheme's definition is a ValueError, for draws, shards and describe alike."""
    for call in (scheme, scheme.describe, lambda shape: scheme.shard(shape, ...)):
        with pytest.raises(FaninError) as raised:
            call(shape)
        one_line(raised.value, ValueError, *words)


@pytest.mark.parametrize(("call", "builtin", "name"), [
    (lambda: he.describe("ab"), TypeError, "shape"), (lambda: he.describe((2, -1)), ValueError, "shape"),
    (lambda: he.describe((2, 2), "float31"), TypeError, "dtype"),
    (lambda: he.describe((2, 2), None), TypeError, "dtype"),
    (lambda: he.describe((2, 2), "int8"), TypeError, "dtype"),
    (lambda: he.replace(sclae=1), TypeError, "replace"), (lambda: he.replace(scale=-1), ValueError, "scale"),
    (lambda: TensorSpec("ab"), TypeError, "shape"), (lambda: TensorSpec(2, "float31"), TypeError, "dtype"),
    (lambda: Stream("0"), TypeError, "seed"), (lambda: Stream(True), TypeError, "seed"),
    (lambda: Stream(1.0), TypeError, "seed"),
    (lambda: Stream(-1), ValueError, "seed"), (lambda: Stream(2**64), ValueError, "seed"),
    (lambda: Stream(None), TypeError, "seed"),
    (lambda: Stream(0, "1"), TypeError, "position"), (lambda: Stream(0, -1), ValueError, "position"),
    (lambda: Stream(0, 2**63), ValueError, "position"), (lambda: Stream(0, 0.0), TypeError, "position"),
    (lambda: fanin.seed("0"), TypeError, "seed"), (lambda: fanin.seed(None), TypeError, "seed"),
    (lambda: fanin.seed(-1), ValueError, "seed"), (lambda: fanin.seed(2**64), ValueError, "seed"),
    (lambda: fanin.seed(Stream(0)), TypeError, "seed"),
    (lambda: fanin.stream.words("0"), TypeError, "seed"), (lambda: fanin.stream.words(-1), ValueError, "seed"),
    (lambda: fanin.stream.words(0, 3), TypeError, "name"),
    (lambda: fanin.stream.words(0, "\ud800"), ValueError, "name"),
    (lambda: fanin.stream.words(0, None, -1), ValueError, "start"),
    (lambda: fanin.stream.words(0, None, 0.0), TypeError, "start"),
    (lambda: fanin.stream.words(0, None, 0, -1), ValueError, "count"),
    (lambda: fanin.stream.words(0, None, 0, "1"), TypeError, "count"),
    (lambda: fanin.stream.words(0, None, 2**63, 1), ValueError, "count"),
    (lambda: fanin.stream.words(0, device="tpu"), ValueError, "device"),
    (lambda: fanin.stream.words(0, device="cuda"), RuntimeError, "device"),
])
def test_other_calls(call, builtin, name):
    """describe, replace, TensorSpec, Stream, seed and words check each argument, too."""
    with pytest.raises(FaninError) as raised:
        call()
    one_line(raised.value, builtin, f"`{name}`")


def test_a_refused_seed_leaves_the_default_stream():
    """fanin.seed of a bad value, and a refused draw from the default stream, move nothing."""
    fanin.seed(5)
    wanted = Normal()(3, device="reference")
    fanin.seed(5)

    for refused in (lambda: fanin.seed(-1), lambda: Normal()((2, -1)), lambda: Normal()(2, "int8"), lambda: he(3),
                    lambda: fanin.stream.words(None, None, -1), lambda: Normal().shard(2, 5)):
        with pytest.raises(FaninError):
            refused()

    assert (Normal()(3, device="reference") == wanted).all()


def test_a_tensor_larger_than_memory_is_a_memory_error():
    """What no address space holds is refused, with the way to draw a part of it, and takes no stream id."""
    stream = Stream(5)

    with pytest.raises(MemoryError) as raised:
        Normal()((2**40, 2**18), seed=stream)

    one_line(raised.value, MemoryError, "`shape`", "`shard`")
    assert stream == Stream(5)


def test_keys_print_without_quotes():
    """str() of a KeyError is its message, not the message's repr."""
    for call in (lambda: Registry.get("he_norml"), lambda: Registry.get("x", profile="y"),
                 lambda: Registry.get({"scheme": "x"}), lambda: Registry.get("unitball")):
        with pytest.raises(KeyError) as raised:
            call()
        assert str(raised.value).startswith("`")


def test_long_and_many_lined_values_stay_one_line():
    """The repr of an array, which has line breaks, doesn't break the message."""
    for value in (np.zeros((3, 3)), np.zeros((50, 50)), "a\nb", ["x\ny"]):
        with pytest.raises(TypeError) as raised:
            Normal(std=value)
        one_line(raised.value, TypeError, "`std`")


def test_errors_pickle():
    """An error that crosses a process boundary arrives as it was."""
    for call in (lambda: Normal(std=-1), lambda: Registry.get("nope"), lambda: Normal().shard(2, 5),
                 lambda: setattr(Normal(), "std", 2)):
        with pytest.raises(FaninError) as raised:
            call()
        again = pickle.loads(pickle.dumps(raised.value))
        assert type(again) is type(raised.value) and str(again) == str(raised.value)
