"""jittor's schemes, behind the functions of `fanin.compat.jittor`."""

import numpy as np

from ..._checks import finite
from ..._checks import shape as check_shape
from ..._dtypes import WHOLE
from ..._errors import FaninKeyError, FaninTypeError
from ..._initializers.normal import FARTHEST
from .._shared.elementwise import negate
from .._shared.errors import JittorAssertionError
from .._shared.gains import TORCH03 as KAIMING_NONLINEARITIES
from .._shared.gains import gain as gain_of
from .._shared.system import System
from ._located import is_array, located

system = System("jittor", "var", {"lower": "a", "upper": "b", "scale": "gain"}, misshapen=JittorAssertionError)


def constant(value, dtype):
    """A number, or an array that broadcasts, as a scheme that `dtype` can hold."""
    if not is_array(value) and not isinstance(value, (list, tuple)):
        return system.constant(value, dtype)
    array = np.asarray(value)
    if array.dtype.kind == "f" and str(dtype) in WHOLE:
        array = array != 0 if str(dtype) == "bool" else np.trunc(array)
    return system.preset("constant", value=array)


def uniform_of_arrays(shape, dtype, generator, low, high, out=None):
    """U(low, high] where one of the bounds is an array."""
    return located(system, "random", shape, dtype, generator, ("low", low), ("high", high),
                   lambda u, low, high: high - u * (high - low),
                   lambda low, high: np.maximum(np.maximum(abs(low), abs(high)), abs(high - low)), out)


def uniform(draw, low, high):
    """`draw` a scheme for U(low, high]; for low > high jittor's formula gives [high, low)."""
    low, high = finite("low", low), finite("high", high)
    if low > high:
        return draw(system.preset("uniform", low=high, high=low))
    return negate(draw(system.preset("uniform", low=-high, high=-low)))


def gauss_of_arrays(shape, dtype, generator, mean, std, out=None):
    """N(mean, std²) where one of the two is an array."""
    return located(system, "gauss", shape, dtype, generator, ("mean", mean), ("std", std),
                   lambda z, mean, std: z * std + mean,
                   lambda mean, std: abs(mean) + FARTHEST[np.float64] * abs(std), out)


def gauss(mean, std):
    return system.preset("gauss", mean=mean, std=abs(finite("std", std)))


def with_fans(shape):
    """The shape as a tuple, once it is known to have fans."""
    dims = check_shape(shape)
    if not hasattr(shape, "__len__"):
        raise FaninTypeError(f"`shape` must be a sequence of ints to have fans (got {shape!r})")
    system.require_rank(dims, name="shape")
    return dims


def by_mode(name, mode):
    if mode != "fan_in" and mode != "fan_out":
        raise JittorAssertionError(f"`mode` must be 'fan_in' or 'fan_out', in lower case (got {mode!r})")
    return system.preset(name, mode=mode)


def by_gain(name, gain):
    return system.preset(name, scale=system.scale(gain, finite))


def kaiming(name, var, mode, nonlinearity, slope, word):
    if not isinstance(slope, (int, float)):
        raise JittorAssertionError(f"`{word}` must be an int or float (got {slope!r}, a {type(slope).__name__})")
    system.require_rank(system.shape_of(var))
    mode = system.mode(mode)
    gain = gain_of(nonlinearity, float(slope), KAIMING_NONLINEARITIES, word, FaninKeyError)
    return system.preset(name, scale=gain * gain, mode=mode)
