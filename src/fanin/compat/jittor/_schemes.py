"""jittor's schemes, behind the functions of `fanin.compat.jittor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import finite
from ..._checks import shape as check_shape
from ..._dtypes import WHOLE
from ..._errors import FaninKeyError, FaninTypeError, a_type, shown
from ..._initializers.normal import FARTHEST
from .._shared.elementwise import negate
from .._shared.errors import JittorAssertionError
from .._shared.gains import TORCH03
from .._shared.system import System
from ._located import is_array, located

if TYPE_CHECKING:
    from ..._initializers import Initializer
    from ..._types import Dims, Shape
    from .._shared.types import Generator, T

system = System("jittor", "var", {"lower": "a", "upper": "b", "scale": "gain"}, misshapen=JittorAssertionError,
                nonlinearities=TORCH03)


def constant(value: Any, dtype: object) -> Initializer:
    """A number, or an array that broadcasts, as a scheme that `dtype` can hold."""
    if not is_array(value) and not isinstance(value, (list, tuple)):
        return system.constant(value, dtype)
    array = np.asarray(value)
    if array.dtype.kind == "f" and str(dtype) in WHOLE:
        array = array != 0 if str(dtype) == "bool" else np.trunc(array)
    return system.preset("constant", value=array)


def uniform_of_arrays(shape: Any, dtype: Any, generator: Generator, low: Any, high: Any, out: Any = None) -> Any:
    """U(low, high] where one of the bounds is an array."""
    return located(system, "random", shape, dtype, generator, ("low", low), ("high", high),
                   lambda u, low, high: high - u * (high - low),
                   lambda low, high: np.maximum(np.maximum(abs(low), abs(high)), abs(high - low)), out)


def uniform(draw: Callable[[Initializer], T], low: Any, high: Any) -> T:
    """`draw` a scheme for U(low, high]; for low > high jittor's formula gives [high, low)."""
    low, high = finite("low", low), finite("high", high)
    if low > high:
        return draw(system.preset("uniform", low=high, high=low))
    return negate(draw(system.preset("uniform", low=-high, high=-low)))


def gauss_of_arrays(shape: Any, dtype: Any, generator: Generator, mean: Any, std: Any, out: Any = None) -> Any:
    """N(mean, std²) where one of the two is an array."""
    return located(system, "gauss", shape, dtype, generator, ("mean", mean), ("std", std),
                   lambda z, mean, std: z * std + mean,
                   lambda mean, std: abs(mean) + FARTHEST[np.float64] * abs(std), out)


def gauss(mean: Any, std: Any) -> Initializer:
    """N(mean, std²); a negative std gives the same law."""
    return system.preset("gauss", mean=mean, std=abs(finite("std", std)))


def with_fans(shape: Shape) -> Dims:
    """The shape as a tuple, once it is known to have fans."""
    dims = check_shape(shape)
    if not hasattr(shape, "__len__"):
        raise FaninTypeError(f"`shape` must be a sequence of ints to have fans (got {shown(shape)})")
    system.require_rank(dims, name="shape")
    return dims


def by_mode(name: str, mode: str) -> Initializer:
    """The scheme of one of the functions that take a mode, in lower case only."""
    if mode != "fan_in" and mode != "fan_out":
        raise JittorAssertionError(f"`mode` must be 'fan_in' or 'fan_out', in lower case (got {shown(mode)})")
    return system.preset(name, mode=mode)


def by_gain(name: str, gain: Any) -> Initializer:
    """The scheme of a xavier function, whose gain may be negative."""
    return system.preset(name, scale=system.scale(gain, finite))


def kaiming(name: str, var: Any, mode: str, nonlinearity: str, slope: float, word: str) -> Initializer:
    """The scheme of a kaiming function; its slope is called `word`."""
    if not isinstance(slope, (int, float)):
        raise JittorAssertionError(f"`{word}` must be an int or float (got {shown(slope)}, {a_type(slope)})")
    return system.kaiming(name, var, float(slope), mode, nonlinearity, word, FaninKeyError)
