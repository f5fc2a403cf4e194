"""What each system refuses, and how: its exception, which is fanin's too, and a line with its argument's name."""

import importlib
import math

import numpy as np
import pytest
import scipy.stats

import fanin
from fanin import FaninError
from fanin.compat import flint, jax, jittor, keras, storch, torch, torch03

VECTOR, MATRIX, KERNEL = (3,), (6, 4), (6, 4, 3)
RANK = "must have {} dimensions"
TWO, MORE = RANK.format("2"), RANK.format("at least 2")

# (function, shape, further arguments, exceptions, what the line says)
REFUSED = [
    # torch: ValueError for ranks, modes and nonlinearities, RuntimeError for what its samplers refuse
    *((getattr(torch, name), VECTOR, {}, ValueError, f"`tensor` {MORE}")
      for name in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_")),
    *((function, shape, {}, ValueError, f"`tensor` {TWO}")
      for function in (torch.eye_, torch03.eye) for shape in (VECTOR, KERNEL)),
    *((function, shape, {"sparsity": 0.5}, ValueError, f"`tensor` {TWO}")
      for function in (torch.sparse_, torch03.sparse) for shape in (VECTOR, KERNEL)),
    *((function, shape, {}, ValueError, "`tensor` must have 3 to 5 dimensions")
      for function in (torch.dirac_, torch03.dirac) for shape in (MATRIX, (2,) * 6)),
    (torch.dirac_, KERNEL, {"groups": 4}, ValueError, "`groups` must divide"),
    (torch.dirac_, KERNEL, {"groups": 0}, ValueError, "`groups` must be >= 1"),
    *((function, MATRIX, {"mode": "fan_avg"}, ValueError, "`mode` must be 'fan_in' or 'fan_out' (got 'fan_avg')")
      for function in (torch.kaiming_uniform_, torch.kaiming_normal_, torch03.kaiming_uniform, torch03.kaiming_normal)),
    *((function, MATRIX, {"mode": 3}, TypeError, "`mode` must be a string (got 3, an int)")
      for function in (torch.kaiming_uniform_, torch03.kaiming_uniform, flint.kaiming_normal_)),
    *((function, MATRIX, {"nonlinearity": "gelu"}, ValueError, "`nonlinearity` must be one of linear")
      for function in (torch.kaiming_uniform_, torch.kaiming_normal_, flint.kaiming_uniform_, flint.kaiming_normal_)),
    *((function, MATRIX, {"a": value}, ValueError, "`a`, the negative slope, must be a finite int or float")
      for function in (torch.kaiming_uniform_, torch03.kaiming_normal, flint.kaiming_uniform_)
      for value in (True, "0", math.inf)),
    *((function, MATRIX, {"a": 1, "b": 0}, RuntimeError, "`a` must be <= `b` (got a=1.0, b=0.0)")
      for function in (torch.uniform_, torch.trunc_normal_, torch03.uniform, storch.uniform_)),
    *((function, MATRIX, {"std": -0.5}, RuntimeError, "`std` must be finite and >= 0 (got -0.5)")
      for function in (torch.normal_, torch.trunc_normal_, torch03.normal, storch.normal_)),
    *((function, MATRIX, {"b": math.inf}, RuntimeError, "`b` must be finite (got inf)")
      for function in (torch.uniform_, torch03.uniform, storch.uniform_)),
    *((function, MATRIX, {"gain": -1}, RuntimeError, "`gain` must be finite and >= 0 (got -1.0)")
      for function in (torch.xavier_uniform_, torch.xavier_normal_, torch03.xavier_normal, storch.xavierUniform_)),
    *((function, MATRIX, {"gain": 1e200}, RuntimeError, "`gain` must be finite and >= 0 (got inf)")
      for function in (torch.xavier_uniform_, storch.xavierNormal_)),
    *((function, MATRIX, {"sparsity": 1.5}, RuntimeError, "`sparsity` must be between 0 and 1 (got 1.5)")
      for function in (torch.sparse_, torch03.sparse, storch.sparse_)),
    *((function, MATRIX, {"mean": "0"}, TypeError, "`mean` must be a real number (got '0', a str)")
      for function in (torch.normal_, torch03.normal, storch.normal_, flint.normal_, jittor.gauss_)),
    *((function, MATRIX, {word: "1"}, TypeError, f"`{word}` must be a number (got '1', a str)")
      for function, word in ((torch.constant_, "val"), (torch03.constant, "val"), (flint.constant_, "val"),
                             (storch.constant_, "fillValue"))),
    (torch.constant_, MATRIX, {"val": np.zeros(4)}, TypeError, "`val` must be a number"),
    # storch: libtorch's errors are RuntimeErrors
    *((function, VECTOR, {}, RuntimeError, f"`t` {MORE}")
      for function in (storch.xavierUniform_, storch.xavierNormal_, storch.kaimingUniform_, storch.kaimingNormal_,
                       storch.orthogonal_)),
    (storch.eye_, VECTOR, {}, RuntimeError, f"`t` {TWO}"),
    (storch.sparse_, KERNEL, {"sparsity": 0.5}, RuntimeError, f"`t` {TWO}"),
    (storch.dirac_, MATRIX, {}, RuntimeError, "`t` must have 3 to 5 dimensions"),
    (storch.kaimingNormal_, MATRIX, {"mode": "fan_in"}, TypeError, "`mode` must be Mode.FanIn or Mode.FanOut"),
    (storch.kaimingNormal_, MATRIX, {"nonlinearity": "relu"}, TypeError, "`nonlinearity` must be a NonLinearity"),
    (storch.kaimingNormal_, MATRIX, {"a": "0"}, TypeError, "`a` must be a real number"),
    # flint: ValueErrors
    *((getattr(flint, name), VECTOR, {}, ValueError, f"`tensor` {MORE}")
      for name in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "lecun_uniform_",
                   "lecun_normal_")),
    (flint.kaiming_normal_, MATRIX, {"mode": "in"}, ValueError, "`mode` must be 'fan_in' or 'fan_out' (got 'in')"),
    (flint.kaiming_normal_, MATRIX, {"nonlinearity": "conv_transpose2d"}, ValueError, "`nonlinearity` must be one of"),
    (flint.uniform_, MATRIX, {"a": 2}, ValueError, "`a` must be <= `b` (got a=2.0, b=1.0)"),
    (flint.normal_, MATRIX, {"std": -1}, ValueError, "`std` must be finite and >= 0 (got -1.0)"),
    # jittor: asserts, and a dict of nonlinearities
    *((getattr(jittor, name), VECTOR, {}, AssertionError, f"`var` {MORE}")
      for name in ("invariant_uniform_", "relu_invariant_gauss_", "xavier_uniform_", "xavier_gauss_",
                   "kaiming_uniform_", "kaiming_normal_")),
    *((jittor.eye_, shape, {}, AssertionError, f"`var` {TWO}") for shape in (VECTOR, KERNEL)),
    *((getattr(jittor, name), MATRIX, {"mode": mode}, AssertionError, "`mode` must be 'fan_in' or 'fan_out', in lower")
      for name in ("invariant_uniform_", "relu_invariant_gauss_") for mode in ("FAN_IN", "fan_avg", None)),
    *((getattr(jittor, name), MATRIX, {"mode": "in"}, AssertionError, "`mode` must be 'fan_in' or 'fan_out' (got 'in')")
      for name in ("kaiming_uniform_", "kaiming_normal_")),
    *((getattr(jittor, name), MATRIX, {"a": value}, AssertionError, "`a` must be an int or float")
      for name in ("kaiming_uniform_", "kaiming_normal_") for value in (None, "0", np.zeros(1))),
    *((getattr(jittor, name), MATRIX, {"nonlinearity": value}, KeyError, "`nonlinearity` must be one of linear")
      for name in ("kaiming_uniform_", "kaiming_normal_") for value in ("selu", "gelu")),
    (jittor.trunc_normal_, MATRIX, {"a": 3}, ValueError, "`a` must be <= `b` (got a=3.0, b=2.0)"),
    (jittor.uniform_, MATRIX, {"low": math.nan}, ValueError, "`low` must be a number (got nan)"),
    (jittor.gauss_, MATRIX, {"std": math.inf}, ValueError, "`std` must be finite (got inf)"),
    (jittor.xavier_gauss_, MATRIX, {"gain": math.nan}, ValueError, "`gain` must be a number (got nan)"),
]

# The same for functions that make an array: (function, shape, …).
REFUSED_SHAPES = [
    *((getattr(jittor, name), 5, {}, TypeError, "`shape` must be a sequence of ints to have fans (got 5)")
      for name in ("invariant_uniform", "relu_invariant_gauss", "xavier_uniform", "xavier_gauss")),
    *((getattr(jittor, name), (5,), {}, AssertionError, f"`shape` {MORE}")
      for name in ("invariant_uniform", "relu_invariant_gauss", "xavier_uniform", "xavier_gauss")),
    *((jittor.eye, shape, {}, AssertionError, f"`shape` {TWO}") for shape in ((5,), (2, 2, 2), ())),
    *((getattr(jittor, name), (2, 2), {"mode": "FAN_OUT"}, AssertionError, "`mode` must be 'fan_in' or 'fan_out'")
      for name in ("invariant_uniform", "relu_invariant_gauss")),
    *((function, (2, -1), {}, ValueError, "`shape` must not have negative dimensions (got (2, -1))")
      for function in (jittor.constant, jittor.uniform, jittor.gauss, jittor.xavier_uniform)),
    *((function, "22", {}, TypeError, "`shape` must be an int or a sequence of ints (got '22')")
      for function in (jittor.zero, jittor.one, jittor.uniform, jittor.eye)),
    *((function, 2, {"dtype": "float31"}, TypeError, "`dtype` must be one of")
      for function in (jittor.zero, jittor.constant, jittor.uniform)),
    (jittor.gauss, 2, {"dtype": "int32"}, TypeError, "`dtype` must be a floating-point or complex type for Normal"),
    (jittor.uniform, 2, {"dtype": "float16", "high": 1e6}, ValueError, "`low` and `high` must stay within the range"),
]


def refused(call, error, text):
    with pytest.raises(fanin.FaninError) as raised:
        call()
    assert isinstance(raised.value, error)
    assert str(raised.value).startswith(text) and "\n" not in str(raised.value)


@pytest.mark.parametrize(("function", "shape", "arguments", "error", "text"), REFUSED)
def test_refused(function, shape, arguments, error, text):
    """The exception is the system's and fanin's; nothing is written, and no stream moves."""
    w, stream = np.full(shape, 9.0, np.float32), fanin.Stream(0)
    random = {"generator": stream} if "generator" in function.__code__.co_varnames else {}
    refused(lambda: function(w, **arguments, **random), error, text)
    assert (w == 9.0).all() and stream.position == 0


@pytest.mark.parametrize(("function", "shape", "arguments", "error", "text"), REFUSED_SHAPES)
def test_refused_shapes(function, shape, arguments, error, text):
    """Functions that make an array name its shape."""
    stream = fanin.Stream(0)
    random = {"generator": stream} if "generator" in function.__code__.co_varnames else {}
    refused(lambda: function(shape, **arguments, **random), error, text)
    assert stream.position == 0


TARGETS = [(torch.uniform_, "tensor"), (torch.ones_, "tensor"), (torch03.normal, "tensor"), (flint.uniform_, "tensor"),
           (storch.eye_, "t"), (jittor.gauss_, "var"), (jittor.zero_, "var"), (storch.kaimingNormal_, "t")]


@pytest.mark.parametrize(("function", "word"), TARGETS)
def test_refused_arrays(function, word):
    """What can't be filled in place is named as the system names it."""
    frozen = np.zeros((2, 2))
    frozen.flags.writeable = False
    refused(lambda: function(frozen), ValueError, f"`{word}` must be writable")
    for value in ([[0.0, 1.0]], 3, None, (2, 2), "w"):
        refused(lambda value=value: function(value), TypeError, f"`{word}` must be a numpy array")
    refused(lambda: function(np.zeros((2, 2), object)), TypeError, f"`{word}` must be of a floating-point")
    refused(lambda: function(np.zeros((2, 2), ">f4")), TypeError, f"`{word}` must be of a floating-point")


@pytest.mark.parametrize("name", ["torch", "torch03", "storch"])
def test_torchs_kinds_of_errors(name):
    """A dtype without a sampler is a NotImplementedError, as in torch, and still fanin's TypeError."""
    function = getattr(importlib.import_module(f"fanin.compat.{name}"), "uniform_" if name != "torch03" else "uniform")
    with pytest.raises(NotImplementedError) as raised:
        function(np.zeros(3, np.int32))
    assert isinstance(raised.value, fanin.FaninTypeError)


def test_required_arguments():
    """constant needs a value in torch 0.3, whatever its document's example shows, and sparse a sparsity."""
    for call in (lambda: torch03.constant(np.zeros(3)), lambda: torch.constant_(np.zeros(3)),
                 lambda: torch.sparse_(np.zeros((3, 3))), lambda: flint.constant_(np.zeros(3)),
                 lambda: jittor.invariant_uniform_((2, 2))):
        with pytest.raises(TypeError):
            call()


def test_kaiming_leaves_empty_tensors_alone():
    """As torch: a warning, on the caller's line, before anything else is looked at."""
    stream = fanin.Stream(0)
    for kaiming in (torch.kaiming_uniform_, torch.kaiming_normal_):
        w = np.zeros(0)
        with pytest.warns(UserWarning, match="^Initializing zero-element tensors is a no-op$") as warned:
            assert kaiming(w, mode="nope", generator=stream) is w
        assert warned[0].filename == __file__
    assert stream.position == 0


def test_storchs_normal_fills_zeros():
    """Kept: its std is 0 by default."""
    assert (storch.normal_(np.ones((3, 3))) == 0).all()
    assert (storch.normal_(np.ones((3, 3)), mean=2.0) == 2).all()


def test_jittors_invariant_uniform_returns_none():
    """Kept: the only function in place that returns nothing."""
    w = np.zeros((3, 4))
    assert jittor.invariant_uniform_(w) is None and (w != 0).all()


@pytest.mark.parametrize("trunc_normal_", [torch.trunc_normal_, jittor.trunc_normal_])
def test_truncation_far_from_the_mean(trunc_normal_):
    """Mended: no warning, no pile-up at a bound, where the mean is far outside; std 0 gives a mean that is inside."""
    w = trunc_normal_(np.empty(10**5), mean=0.0, std=1.0, a=5.0, b=6.0, generator=0)
    assert w.min() > 5.0 and w.max() < 6.0
    assert len(np.unique(w)) == w.size
    law = scipy.stats.truncnorm(5, 6)
    assert abs(w.mean() - law.mean()) < 5 * law.std() / w.size**0.5
    assert (trunc_normal_(np.empty(3), mean=1.0, std=0.0) == 1.0).all()


BIG = 10**5000


@pytest.mark.parametrize("call", [
    lambda: torch.normal_(array(), 0.0, BIG), lambda: torch.kaiming_normal_(array(), BIG), lambda: torch.normal_(BIG),
    lambda: torch.constant_(array(), BIG), lambda: torch.normal_(array(), generator=BIG),
    lambda: torch.calculate_gain("leaky_relu", BIG), lambda: torch.Generator().manual_seed(BIG), lambda: jax.key(BIG),
    lambda: jax.split(jax.key(0), BIG), lambda: jax.fold_in(jax.key(0), BIG), lambda: jax.fold_in(jax.key(0), math.nan),
    lambda: jax.he_normal(BIG)(jax.key(0), (2, 2)), lambda: keras.RandomNormal(seed=BIG), lambda: keras.get(BIG),
    lambda: keras.RandomNormal(mean=BIG), lambda: keras.deserialize(BIG), lambda: jittor.gauss((2, 2), "float32", BIG),
])
def test_monstrous_numbers_are_one_readable_line(call):
    """An int of 5,000 digits, wherever it stands, is fanin's error, of one line that names the argument."""
    with pytest.raises(FaninError, match="`") as error:
        call()
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


def array():
    return np.zeros((4, 4), np.float32)
