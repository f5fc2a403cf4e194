"""flint's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._shared.gains import FLINT
from .._shared.system import System

if TYPE_CHECKING:
    from ..._initializers import Initializer
    from .._shared.types import Generator

_flint = System("flint", "tensor", {"low": "a", "high": "b", "value": "val", "scale": "gain"}, nonlinearities=FLINT)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the std that a nonlinearity asks for.

    1 for linear, conv1d to conv3d and sigmoid, 5/3 for tanh, √2 for relu, √(2/(1 + param²)) for leaky_relu, whose slope
    is 0.01 by default, 3/4 for selu.

    Raises:
        ValueError: another nonlinearity, torch's conv_transpose1d to conv_transpose3d too, or a slope that is not an
            int or float.

    >>> calculate_gain("selu")
    0.75
    """
    return _flint.gain(nonlinearity, param)


def zeros_(tensor: Any) -> None:
    """0 everywhere.

    >>> w = np.ones(3)
    >>> zeros_(w)
    >>> w
    array([0., 0., 0.])
    """
    _flint.place(_array(tensor), _flint.preset("zeros"))


def ones_(tensor: Any) -> None:
    """1 everywhere.

    >>> w = np.zeros(3)
    >>> ones_(w)
    >>> w
    array([1., 1., 1.])
    """
    _flint.place(_array(tensor), _flint.preset("ones"))


def constant_(tensor: Any, val: complex) -> None:
    """`val` everywhere; in integers without its fraction.

    >>> w = np.zeros(3)
    >>> constant_(w, 0.3)
    >>> w
    array([0.3, 0.3, 0.3])
    """
    array = _array(tensor)
    _flint.place(array, _flint.constant(val, getattr(array, "dtype", None), "val"))


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, *, generator: Generator = None) -> None:
    """U[a, b): see `fanin.Uniform`. The array keeps its dtype (mended).

    >>> w = np.zeros((300, 500), "float32")
    >>> uniform_(w, generator=0)
    >>> round(float(w.mean()), 2), w.dtype
    (0.5, dtype('float32'))
    """
    _fill(tensor, _flint.preset("uniform", low=a, high=b), generator)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, *, generator: Generator = None) -> None:
    """N(mean, std²): see `fanin.Normal`. The array keeps its dtype (mended).

    >>> w = np.zeros((300, 500), "float32")
    >>> normal_(w, std=0.02, generator=0)
    >>> round(float(w.std()), 3), w.dtype
    (0.02, dtype('float32'))
    """
    _fill(tensor, _flint.preset("normal", mean=mean, std=std), generator)


def xavier_uniform_(tensor: Any, gain: float = 1.0, *, generator: Generator = None) -> None:
    """U[-r, r), r = gain·√(6/(fan_in + fan_out)): see `fanin.VarianceScaling`. `gain` >= 0.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> w = np.zeros((3, 5))
    >>> xavier_uniform_(w, generator=0)
    >>> bool(abs(w).max() <= (6 / 8) ** 0.5)
    True
    """
    _fill(tensor, _flint.xavier("xavier_uniform", _array(tensor), gain), generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, *, generator: Generator = None) -> None:
    """N(0, gain²·2/(fan_in + fan_out)): see `fanin.VarianceScaling`. `gain` >= 0.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> w = np.zeros((300, 500))
    >>> xavier_normal_(w, generator=0)
    >>> round(float(w.std()), 2)
    0.05
    """
    _fill(tensor, _flint.xavier("xavier_normal", _array(tensor), gain), generator)


def kaiming_uniform_(tensor: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                     generator: Generator = None) -> None:
    """U[-r, r), r = gain·√(3/fan), with the gain of `nonlinearity`: see `fanin.VarianceScaling`.

    Args:
        a: leaky_relu's slope; √5 gives the default of flint's layers, U[-1/√fan_in, 1/√fan_in).
        mode: "fan_in" or "fan_out", in any case: which fan.
        nonlinearity: one that `calculate_gain` knows.

    Raises:
        ValueError: fewer than 2 dimensions, another mode or nonlinearity, a slope that is not an int or float.

    >>> w = np.zeros((3, 5))
    >>> kaiming_uniform_(w, nonlinearity="relu", generator=0)
    >>> bool(abs(w).max() <= (6 / 5) ** 0.5)
    True
    """
    _fill(tensor, _flint.kaiming("kaiming_uniform", _array(tensor), a, mode, nonlinearity), generator)


def kaiming_normal_(tensor: Any, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                    generator: Generator = None) -> None:
    """N(0, gain²/fan), with the gain of `nonlinearity`. Not truncated. Arguments and errors as `kaiming_uniform_`.

    >>> w = np.zeros((300, 500))
    >>> kaiming_normal_(w, mode="fan_out", nonlinearity="relu", generator=0)
    >>> round(float(w.std()), 3), round((2 / 300) ** 0.5, 3)
    (0.082, 0.082)
    """
    _fill(tensor, _flint.kaiming("kaiming_normal", _array(tensor), a, mode, nonlinearity), generator)


def lecun_uniform_(tensor: Any, *, generator: Generator = None) -> None:
    """U[-r, r), r = √(3/fan_in): see `fanin.VarianceScaling`.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> w = np.zeros((3, 5))
    >>> lecun_uniform_(w, generator=0)
    >>> bool(abs(w).max() <= (3 / 5) ** 0.5)
    True
    """
    _fill(_with_fans(tensor), _flint.preset("lecun_uniform"), generator)


def lecun_normal_(tensor: Any, *, generator: Generator = None) -> None:
    """N(0, 1/fan_in), not truncated as in Keras and JAX: see `fanin.VarianceScaling`.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> w = np.zeros((300, 400))
    >>> lecun_normal_(w, generator=0)
    >>> round(float(w.std()), 2)
    0.05
    """
    _fill(_with_fans(tensor), _flint.preset("lecun_normal"), generator)


def _fill(tensor: Any, scheme: Initializer, generator: Generator = None) -> None:
    _flint.fill(_array(tensor), scheme, generator)


def _with_fans(tensor: Any) -> Any:
    """The array behind `tensor`, once it is known to have fans."""
    array = _array(tensor)
    _flint.require_rank(_flint.shape_of(array))
    return array


def _array(tensor: Any) -> Any:
    """The array behind a flint Tensor, or what was given."""
    if isinstance(tensor, np.ndarray):  # whose own `data` is a buffer
        return tensor
    data = getattr(tensor, "data", None)
    return data if isinstance(data, np.ndarray) else tensor
