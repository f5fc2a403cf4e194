"""Gains: the factor by which the activation after a layer scales the std of the layer's weights, and their table."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ._checks import finite, real
from ._errors import FaninError, FaninTypeError, FaninValueError, hint, shown

if TYPE_CHECKING:
    from ._types import Array

# A number, an activation's name, such a name with its slope, or the activation itself.
Gain: TypeAlias = "float | str | Sequence[Any] | Callable[[Any], Any]"

# 1/√E f(z)², z ~ N(0, 1), correctly rounded: constants, so that they are the same on every machine.
ACTIVATIONS = {
    "elu": 1.2451983007007066, "gelu": 1.5335304411955353, "gelu_tanh": 1.533580521666147,
    "hardsigmoid": 1.897840424729559, "hardswish": 1.7366572127665416, "hardtanh": 1.3920361404483097, "linear": 1.0,
    "logsigmoid": 1.0418668355353018, "mish": 1.486847581273208, "quick_gelu": 1.5394587622988314,
    "relu": 1.4142135623730951, "relu6": 1.4142135650950736, "relu_squared": 0.816496580927726, "selu": 1.0,
    "sigmoid": 1.8462285453386054, "silu": 1.676532470331091, "sin": 1.5208666231788148,
    "softplus": 1.0418668355353018, "softsign": 2.3375333631085398, "tanh": 1.5925374197228315,
    "tanhshrink": 2.3383675301021216,
}
ALIASES = {"identity": "linear", "swish": "silu", "hardsilu": "hardswish", "gelunew": "gelu_tanh",
           "gelupytorchtanh": "gelu_tanh", "relu2": "relu_squared", "squaredrelu": "relu_squared", "sine": "sin"}
CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
# torch's calculate_gain, beside leaky_relu.
TORCH: dict[str, float] = {**dict.fromkeys(("linear", *CONVOLUTIONS, *TRANSPOSED, "sigmoid"), 1), "tanh": 5.0 / 3,
                           "relu": math.sqrt(2.0), "selu": 3.0 / 4}
_TORCHS = ("torch", "torch03", "storch", "flint", "jittor")  # the profiles with that table

_EDGE, _PANELS, _NODES = 12, 192, 16  # of the quadrature: panels of an eighth, where kinks of activations lie


def leaky_gain(slope: float) -> float:
    """√(2/(1 + slope²)), the gain of a leaky rectifier."""
    return math.sqrt(2.0 / (1 + slope**2))


def as_gain(name: str, value: Any, slope: Any = None, profile: str | None = None) -> float:
    """What users give for a gain as its number: see `fanin.math.gain`; `name` is the argument's, for messages."""
    if isinstance(value, str):
        return _of_name(name, value, slope, profile)
    if isinstance(value, Sequence) and not isinstance(value, bytes) and slope is None:
        if len(value) != 2 or not isinstance(value[0], str):
            raise FaninTypeError(f"`{name}` must be a number, an activation's name, a name with its slope, or a "
                                 f"function (got {shown(value)}): a slope stands beside its name, "
                                 "as ('leaky_relu', 0.2)")
        return _of_name(name, value[0], value[1], profile)
    if slope is not None:
        raise FaninValueError(f"`slope` must be given with 'leaky_relu' alone (got {shown(slope)} with "
                              f"{shown(value)})")
    return _of_function(name, value) if callable(value) else finite(name, value)


def _of_name(name: str, activation: str, slope: Any, profile: str | None) -> float:
    of_torch = profile in _TORCHS
    key = _canonical(activation)
    if key == "leakyrelu":
        return leaky_gain(0.01 if slope is None else finite("slope", slope))
    table = TORCH if of_torch else ACTIVATIONS
    known = {_canonical(each): value for each, value in table.items()}
    if not of_torch:
        known |= {alias: ACTIVATIONS[meaning] for alias, meaning in ALIASES.items()}
    if key not in known:
        raise FaninValueError(f"`{name}` must be {'of the table of torch' if of_torch else 'a known activation'} (got "
                              f"{shown(activation)}){_hint(key, [*table, 'leaky_relu'])}")
    if slope is not None and finite("slope", slope) != 0:  # torch's signature has a = 0 for all
        raise FaninValueError(f"`slope` must be given with 'leaky_relu' alone (got {slope!r} with {activation!r})")
    return float(known[key])


def _hint(key: str, names: Iterable[str]) -> str:
    by_key = {_canonical(each): each for each in names}
    return hint(key, by_key, spell=lambda each: repr(by_key[each]), otherwise=(
        f"known are {', '.join(sorted(by_key.values()))}; without a profile, any function is taken, too"))


def _canonical(activation: str) -> str:
    return activation.lower().replace("_", "").replace("-", "").replace(" ", "")


def _of_function(name: str, function: Callable[[Any], Any]) -> float:
    """1/√E f(z)² by Gauss-Legendre quadrature on panels, to 9 digits: a library's last bits don't count."""
    nodes, weights = _quadrature()
    values = _values(name, function, nodes)
    if not np.isfinite(values).all():
        place = nodes[~np.isfinite(values)][0]
        raise FaninValueError(f"`{name}` must be a function that is finite everywhere (got {shown(function)}, which is "
                              f"not at {place:.3g})")
    again = _values(name, function, nodes[::-2])  # fewer, and in another order
    if not np.allclose(again, values[::-2], rtol=1e-4, atol=1e-5):
        raise FaninValueError(f"`{name}` must be a function of each number alone, without randomness (got "
                              f"{shown(function)}, whose values depend on the others' or on the call)")
    with np.errstate(over="ignore"):
        parts = weights * values**2
    total, inner = float(parts.sum()), float(parts[abs(nodes) < 0.75 * _EDGE].sum())
    if not total > 0 or not total - inner <= 1e-6 * total:
        problem = "zero, so its gain is infinite" if total == 0 else "infinite, so its gain is zero"
        raise FaninValueError(f"`{name}` must be a function with 0 < E f(z)² < inf for z ~ N(0, 1) (got "
                              f"{shown(function)}, where it is {problem})")
    return float(f"{1 / math.sqrt(total):.9g}")


@functools.cache
def _quadrature() -> tuple[Array, Array]:
    """Nodes from -12 to 12, and their weights times the standard normal density."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = _EDGE / _PANELS
    centres = -_EDGE + half * (2 * np.arange(_PANELS) + 1)
    z = (centres[:, None] + half * nodes).ravel()
    return z, np.tile(half * weights, _PANELS) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _values(name: str, function: Callable[[Any], Any], z: Array) -> Array:
    """The function of each number: called with an array, or a tensor where torch is there, or number by number."""
    ways: list[Callable[[], Any]] = [lambda: function(z.copy())]
    torch = sys.modules.get("torch")
    if torch is not None:
        ways.append(lambda: function(torch.from_numpy(z.copy())).detach().numpy())
    ways.append(lambda: [real(name, function(float(each))) for each in z])
    errors = []
    for way in ways:
        try:
            with np.errstate(all="ignore"):
                values = np.asarray(way())
        except FaninError:
            raise
        except Exception as error:  # the user's code, which takes other numbers perhaps
            errors.append(f"{type(error).__name__}: {error}")
            continue
        if values.shape != z.shape or values.dtype.kind not in "fiub":
            raise FaninValueError(f"`{name}` must be a function that makes one real number of each (got "
                                  f"{shown(function)}, which makes shape {values.shape} and dtype {values.dtype.name} "
                                  f"of {z.shape}): of a gated unit, give the activation inside")
        return values.astype(np.float64)
    raise FaninTypeError(f"`{name}` must be a function of an array, a tensor or a number (got {shown(function)}, which "
                         f"raised {errors[0]})")
