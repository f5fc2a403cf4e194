"""Gains: 1/√E f(z)² of activations by name, of functions, torch's table; schemes keep the number."""

import json
import math

import numpy as np
import pytest

import fanin
from fanin import ConvolutionOrthogonal, DeltaOrthogonal, FaninError, Initializer, Orthogonal, Registry, Rules
from fanin._gains import ACTIVATIONS
from fanin.math import gain
from fanin.rules import Parameter

SELU = 1.6732632423543772, 1.0507009873554805


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hardsigmoid(z):
    return np.clip(z / 6 + 0.5, 0, 1)


def gelu_tanh(z):
    return z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2


FUNCTIONS = {
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,  # of a float alone
    "gelu_tanh": gelu_tanh, "hardsigmoid": hardsigmoid, "hardswish": lambda z: z * hardsigmoid(z),
    "hardtanh": lambda z: np.clip(z, -1, 1), "linear": lambda z: z, "logsigmoid": lambda z: np.log(sigmoid(z)),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))), "quick_gelu": lambda z: z * sigmoid(1.702 * z),
    "relu": lambda z: np.maximum(z, 0), "relu6": lambda z: np.clip(z, 0, 6),
    "relu_squared": lambda z: np.maximum(z, 0)**2,
    "selu": lambda z: SELU[1] * np.where(z > 0, z, SELU[0] * np.expm1(z)), "sigmoid": sigmoid,
    "silu": lambda z: z * sigmoid(z), "sin": np.sin, "softplus": lambda z: np.log1p(np.exp(z)),
    "softsign": lambda z: z / (1 + abs(z)), "tanh": np.tanh, "tanhshrink": lambda z: z - np.tanh(z),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_table_is_what_quadrature_finds(name):
    """Each name's constant is its function's gain, to the 9 digits that a function's has."""
    assert gain(FUNCTIONS[name]) == pytest.approx(gain(name), rel=5e-9)
    assert gain(name) == ACTIVATIONS[name]


@pytest.mark.parametrize("name", ["gelu", "silu", "tanh", "relu_squared", "softsign"])
def test_a_gain_keeps_the_second_moment(name):
    """E (g·f(z))² is 1 over 400,000 normal z, within 5 standard errors; torch's 5/3 for tanh is found to be off."""
    z = np.random.default_rng(0).normal(size=400_000)
    if name == "gelu":
        values = np.vectorize(FUNCTIONS[name])(z)**2
    else:
        values = FUNCTIONS[name](z)**2

    def is_one(factor):
        squares = factor**2 * values
        return abs(squares.mean() - 1) < 5 * squares.std() / math.sqrt(z.size)

    assert is_one(gain(name))
    assert not is_one(1.045 * gain(name))


def test_spellings_and_slopes():
    """Case, - and _ don't matter; a slope is leaky_relu's alone, 0.01 unless given."""
    assert gain("SiLU") == gain("swish") == gain("silu") and gain("ReLU2") == gain("relu_squared")
    assert gain("gelu-tanh") == gain("gelu_pytorch_tanh") == gain("gelu_new") != gain("gelu")
    assert gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04) == gain("LeakyReLU", 0.2)
    assert gain("leaky_relu") == math.sqrt(2 / 1.0001)
    assert gain("leaky_relu", 0.0) == gain("relu") == gain("relu", 0)


@pytest.mark.parametrize("place", [0.3, 0.0711, 1.11])
def test_functions_that_jump_or_bend_anywhere(place):
    """A jump is found within 5e-3 and a bend within 1e-5, wherever it lies."""
    above = math.erfc(place / math.sqrt(2)) / 2
    assert gain(lambda z: (z > place) * 1.0) == pytest.approx(above**-0.5, rel=5e-3)
    density = math.exp(-place**2 / 2) / math.sqrt(2 * math.pi)
    bent = (1 + place**2) * above - place * density  # E max(z - place, 0)²
    assert gain(lambda z: np.maximum(z - place, 0)) == pytest.approx(bent**-0.5, rel=1e-5)


def test_torchs_table():
    """profile="torch" has torch's numbers, its names alone; a slope's is the same."""
    assert gain("tanh", profile="torch") == 5 / 3 and gain("selu", profile="torch") == 0.75
    assert gain("sigmoid", profile="torch") == gain("conv_transpose2d", profile="torch") == 1
    assert gain("leaky_relu", 0.3, profile="torch") == gain("leaky_relu", 0.3)
    with pytest.raises(ValueError, match="table of torch"):
        gain("gelu", profile="torch")


@pytest.mark.parametrize("scheme", [Orthogonal, DeltaOrthogonal, ConvolutionOrthogonal])
def test_schemes_keep_the_number(scheme):
    """A scheme made with a name, a pair or a function is that of the number, and so is its config."""
    assert scheme(gain="gelu") == scheme(gain=gain("gelu")) == scheme(gain="GELU")
    assert scheme(gain=("leaky_relu", 0.2)) == scheme(gain=["leaky_relu", 0.2]) == scheme(gain=gain("leaky_relu", 0.2))
    made = scheme(gain=np.tanh)
    config = json.loads(json.dumps(made.get_config()))
    assert config["gain"] == gain(np.tanh) == pytest.approx(1.59253742, abs=1e-8)
    assert Initializer.from_config(config) == made
    assert Initializer.from_config(scheme().get_config() | {"gain": "silu"}) == scheme(gain="silu")


@pytest.mark.parametrize("name", ["kaiming_normal", "he_uniform", "xavier_normal", "glorot_uniform", "lecun_normal",
                                  "variance_scaling", "torch_default"])
def test_scaled_presets(name):
    """A nonlinearity is the whole gain, so its square the scale; a gain multiplies what the preset has."""
    own = Registry.get(name)
    for value in ("silu", np.tanh):
        assert Registry.get(name, nonlinearity=value) == own.replace(scale=gain(value)**2)
        assert Registry.get(name, gain=value).scale == own.scale * gain(value)**2
    assert Registry.get(name, nonlinearity="leaky_relu", a=0.2).scale == gain("leaky_relu", 0.2)**2
    assert Registry.get(name, nonlinearity="leaky_relu").scale == gain("leaky_relu")**2
    assert Registry.get({"name": name, "nonlinearity": "mish"}).scale == gain("mish")**2
    assert Registry.get(name, nonlinearity=("leaky_relu", 0.3)).scale == gain("leaky_relu", 0.3)**2


def test_profiles_have_their_own():
    """torch's family uses torch's table wherever the profile is written; Keras' and JAX' names the exact numbers."""
    exact = Registry.get("xavier_normal", gain="tanh").scale
    for torchs in (Registry.get("torch:xavier_normal", gain="tanh"), Registry.get("Torch: xavier_normal", gain="tanh"),
                   Registry.get("xavier_normal", profile="torch03", gain="tanh"),
                   Registry.get({"name": "xavier_normal", "profile": "torch", "gain": "tanh"})):
        assert torchs.scale == (5 / 3)**2 != exact
    assert Registry.get("keras:glorot_normal", gain="tanh").scale == exact == gain("tanh")**2
    assert Registry.get("torch:orthogonal", gain="selu").gain == 0.75
    assert Registry.get("orthogonal", nonlinearity="selu").gain == 1


def test_rules_take_activations():
    """A rule's table has an activation as its word."""
    rules = Rules({"*": {"name": "xavier_uniform", "nonlinearity": "silu"}})
    table = rules.assign([Parameter("w", (30, 20), "float32")])
    assert table[0].plan.std == pytest.approx(gain("silu") / 5)  # √25, the mean of the fans


WRONG = [
    (lambda: gain("gelo"), ValueError, ["'gelo'", "did you mean", "'gelu'"]),
    (lambda: gain("qqqqqq"), ValueError, ["known are", "softplus", "leaky_relu"]),
    (lambda: gain("gelu", 0.1), ValueError, ["`slope`", "leaky_relu"]),
    (lambda: gain("leaky_relu", math.inf), ValueError, ["`slope`"]),
    (lambda: gain(np.tanh, 0.1), ValueError, ["`slope`"]),
    (lambda: gain(1.5), TypeError, ["`activation`", "1.5"]),
    (lambda: Orthogonal("sillu"), ValueError, ["`gain`", "'silu'"]),
    (lambda: Orthogonal(["relu"]), TypeError, ["`gain`", "slope"]),
    (lambda: Registry.get("he_normal", nonlinearity="sillu"), ValueError, ["`nonlinearity`", "'silu'"]),
    (lambda: Registry.get("he_normal", nonlinearity="relu", a=0.5), ValueError, ["`slope`", "'relu'"]),
    (lambda: Registry.get("he_normal", gain="relu", nonlinearity="relu"), TypeError, ["twice"]),
    (lambda: gain(np.log), ValueError, ["finite everywhere", "-12"]),
    (lambda: gain(lambda z: np.exp(z**2)), ValueError, ["gain is zero"]),
    (lambda: gain(lambda z: 0 * z), ValueError, ["gain is infinite"]),
    (lambda: gain(lambda z: np.exp(z) / np.exp(z).sum()), ValueError, ["each number alone"]),
    (lambda: gain(lambda z: z * np.random.default_rng().integers(0, 2, z.shape)), ValueError, ["each number alone"]),
    (lambda: gain(lambda z: z[::2] * z[1::2]), ValueError, ["one real number of each", "gated"]),
    (lambda: gain(lambda z: z * 1j), ValueError, ["real"]),
    (lambda: gain(lambda: 1), TypeError, ["raised TypeError"]),
    (lambda: gain(lambda z: None), ValueError, ["real"]),
]


@pytest.mark.parametrize(("call", "builtin", "parts"), WRONG)
def test_errors(call, builtin, parts):
    """Each names the argument, the rule and the value, in one line."""
    with pytest.raises(builtin) as error:
        call()
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_a_users_error_is_shown():
    """What the function raised is in the message."""
    def broken(z):
        raise RuntimeError("no weights yet")

    with pytest.raises(fanin.FaninTypeError, match="RuntimeError: no weights yet"):
        gain(broken)
