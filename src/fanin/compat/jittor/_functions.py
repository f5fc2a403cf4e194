"""jittor's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._checks import shape as _check_shape
from .._shared.elementwise import negate as _negate
from .._shared.gains import TORCH as NONLINEARITIES
from .._shared.gains import gain as _gain
from . import _schemes
from ._located import is_array as _is_array
from ._schemes import system as _system

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..._types import Array, DType, Shape
    from .._shared.types import Generator, Numbers, T

# -- constants ------------------------------------------------------------------------------------------------------


def constant(shape: Shape, dtype: DType = "float32", value: complex | npt.ArrayLike = 0.0) -> Array:
    """`value`, a number or an array that broadcasts, everywhere; in integers without its fraction.

    >>> constant((2, 3), value=1.0)
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """
    return _system.new(shape, dtype, _schemes.constant(value, dtype), 0)


def constant_(var: T, value: complex | npt.ArrayLike = 0.0) -> T:
    """`value`, a number or an array that broadcasts, everywhere, in place. Also `fill` and `fill_`.

    >>> import numpy as np
    >>> constant_(np.empty(2))
    array([0., 0.])
    """
    return _system.place(var, _schemes.constant(value, getattr(var, "dtype", None)))


fill = constant_
fill_ = constant_


def zero(shape: Shape, dtype: DType = "float32") -> Array:
    """0 everywhere.

    >>> zero(2)
    array([0., 0.], dtype=float32)
    """
    return _system.new(shape, dtype, _system.preset("zero"), 0)


def zero_(var: T) -> T:
    """0 everywhere, in place.

    >>> import numpy as np
    >>> zero_(np.ones(2))
    array([0., 0.])
    """
    return _system.place(var, _system.preset("zero"))


def one(shape: Shape, dtype: DType = "float32") -> Array:
    """1 everywhere.

    >>> one(2)
    array([1., 1.], dtype=float32)
    """
    return _system.new(shape, dtype, _system.preset("one"), 0)


def one_(var: T) -> T:
    """1 everywhere, in place.

    >>> import numpy as np
    >>> one_(np.zeros(2))
    array([1., 1.])
    """
    return _system.place(var, _system.preset("one"))


def eye(shape: Shape, dtype: DType = "float32") -> Array:
    """1 where row equals column, else 0; an int n means (n, n).

    Raises:
        AssertionError: not 2 dimensions.

    >>> eye((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    dims = _check_shape(shape)
    if not hasattr(shape, "__len__"):
        dims *= 2
    _system.require_rank(dims, 2, 2, "write (rows, columns), or n for (n, n)", "shape")
    return _system.new(dims, dtype, _system.preset("eye"), 0)


def eye_(var: T) -> T:
    """1 where row equals column, else 0, in place.

    Raises:
        AssertionError: not 2 dimensions.

    >>> import numpy as np
    >>> eye_(np.empty((2, 2), "int32"))
    array([[1, 0],
           [0, 1]], dtype=int32)
    """
    _system.require_rank(_system.shape_of(var), 2, 2, "make a matrix of it")
    return _system.place(var, _system.preset("eye"))


# -- uniform and normal numbers -------------------------------------------------------------------------------------


def uniform(shape: Shape, dtype: DType = "float32", low: Numbers = 0, high: Numbers = 1, *,
            generator: Generator = None) -> Array:
    """U(low, high]: `high` can come out, `low` cannot, so that the default has a logarithm.

    Args:
        low, high: numbers in either order, or arrays that broadcast to the shape, for which a temporary is made, and
            rounding may reach an end.

    >>> w = uniform((300, 500), low=-1, high=1, generator=0)
    >>> bool((w > -1).all() and (w <= 1).all())
    True
    """
    if _is_array(low) or _is_array(high):
        return _schemes.uniform_of_arrays(shape, dtype, generator, low, high)
    return _schemes.uniform(lambda scheme: _system.new(shape, dtype, scheme, generator), low, high)


def uniform_(var: T, low: Numbers = 0, high: Numbers = 1, *, generator: Generator = None) -> T:
    """U(low, high], in place. Arguments as `uniform`.

    >>> import numpy as np
    >>> w = np.empty((2, 2), "float16")
    >>> uniform_(w, -1.0, 1.0, generator=0) is w
    True
    """
    if _is_array(low) or _is_array(high):
        return _schemes.uniform_of_arrays(None, None, generator, low, high, var)
    return _schemes.uniform(lambda scheme: _system.fill(var, scheme, generator), low, high)


def random_(var: T, *, generator: Generator = None) -> T:
    """U[0, 1), in place; it is jittor's only uniform draw that has 0 and not 1.

    >>> import numpy as np
    >>> bool((random_(np.empty(100), generator=0) < 1).all())
    True
    """
    return _system.fill(var, _system.preset("random"), generator)


def gauss(shape: Shape, dtype: DType = "float32", mean: Numbers = 0.0, std: Numbers = 1.0, *,
          generator: Generator = None) -> Array:
    """N(mean, std²): see `fanin.Normal`.

    Args:
        mean, std: numbers, or arrays that broadcast to the shape, for which a temporary is made. The sign of std
            doesn't matter.

    >>> round(float(gauss((300, 500), std=0.02, generator=0).std()), 3)
    0.02
    """
    if _is_array(mean) or _is_array(std):
        return _schemes.gauss_of_arrays(shape, dtype, generator, mean, std)
    return _system.new(shape, dtype, _schemes.gauss(mean, std), generator)


def gauss_(var: T, mean: Numbers = 0.0, std: Numbers = 1.0, *, generator: Generator = None) -> T:
    """N(mean, std²), in place. Arguments as `gauss`. Also `normal_`.

    >>> import numpy as np
    >>> w = np.empty((2, 2))
    >>> gauss_(w, 0.0, 1.0, generator=0) is w
    True
    """
    if _is_array(mean) or _is_array(std):
        return _schemes.gauss_of_arrays(None, None, generator, mean, std, var)
    return _system.fill(var, _schemes.gauss(mean, std), generator)


normal_ = gauss_


def trunc_normal_(var: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, *,
                  generator: Generator = None) -> T:
    """N(mean, std²) conditioned on [a, b], in place: see `fanin.TruncatedNormal`. `a` and `b` are absolute.

    Mended: jittor inverts the error function at 1 now and then and clamps the infinity, which piles values up at `b`.
    The distribution is right for any mean, so there is no warning where `mean` lies far outside [a, b].

    >>> import numpy as np
    >>> w = trunc_normal_(np.empty((300, 500)), std=0.02, a=-0.04, b=0.04, generator=0)
    >>> round(float(w.std()), 4), bool(abs(w).max() < 0.04)
    (0.0176, True)
    """
    return _system.fill(var, _system.preset("trunc_normal", mean=mean, std=std, lower=a, upper=b), generator)


# -- scaled by the fans -----------------------------------------------------------------------------------------------


def invariant_uniform(shape: Shape, dtype: DType = "float32", mode: str = "fan_in", *,
                      generator: Generator = None) -> Array:
    """U(-1/√fan, 1/√fan], of variance 1/(3·fan): the default of jittor's and torch's layers, not LeCun's uniform.

    Args:
        mode: "fan_in" or "fan_out": which fan. In lower case, unlike the kaiming functions'.

    Raises:
        AssertionError: fewer than 2 dimensions, or another mode. TypeError: an int as shape.

    >>> bool(abs(invariant_uniform((30, 400), generator=0)).max() <= 0.05)
    True
    """
    scheme = _schemes.by_mode("invariant_uniform", mode)
    return _negate(_system.new(_schemes.with_fans(shape), dtype, scheme, generator))


def invariant_uniform_(var: Any, mode: str = "fan_in", *, generator: Generator = None) -> None:
    """U(-1/√fan, 1/√fan], in place. Kept: returns None, as in jittor, where the others return the array.

    Raises:
        AssertionError: fewer than 2 dimensions, or another mode. The documented call with a shape is a TypeError.

    >>> import numpy as np
    >>> w = np.empty((30, 400))
    >>> invariant_uniform_(w, generator=0)
    >>> bool(abs(w).max() <= 0.05)
    True
    """
    _system.require_rank(_system.shape_of(var))
    _negate(_system.fill(var, _schemes.by_mode("invariant_uniform", mode), generator))


def relu_invariant_gauss(shape: Shape, dtype: DType = "float32", mode: str = "fan_in", *,
                         generator: Generator = None) -> Array:
    """N(0, 2/fan): see `fanin.VarianceScaling`. Arguments and errors as `invariant_uniform`.

    >>> round(float(relu_invariant_gauss((300, 200), generator=0).std()), 1)
    0.1
    """
    return _system.new(_schemes.with_fans(shape), dtype, _schemes.by_mode("relu_invariant_gauss", mode), generator)


def relu_invariant_gauss_(var: T, mode: str = "fan_in", *, generator: Generator = None) -> T:
    """N(0, 2/fan), in place. Arguments and errors as `invariant_uniform_`.

    >>> import numpy as np
    >>> round(float(relu_invariant_gauss_(np.empty((300, 200)), generator=0).std()), 1)
    0.1
    """
    _system.require_rank(_system.shape_of(var))
    return _system.fill(var, _schemes.by_mode("relu_invariant_gauss", mode), generator)


def xavier_uniform(shape: Shape, dtype: DType = "float32", gain: float = 1.0, *, generator: Generator = None) -> Array:
    """U(-r, r], r = gain·√(6/(fan_in + fan_out)): see `fanin.VarianceScaling`.

    A new array, though jittor's documentation calls it in place.

    Raises:
        AssertionError: fewer than 2 dimensions. TypeError: an int as shape.

    >>> bool(abs(xavier_uniform((2, 4), gain=calculate_gain("relu"), generator=0)).max() <= 2**0.5)
    True
    """
    return _negate(_system.new(_schemes.with_fans(shape), dtype, _schemes.by_gain("xavier_uniform", gain), generator))


def xavier_uniform_(var: T, gain: float = 1.0, *, generator: Generator = None) -> T:
    """U(-r, r], r = gain·√(6/(fan_in + fan_out)), in place.

    Raises:
        AssertionError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> bool(abs(xavier_uniform_(np.empty((2, 4)), generator=0)).max() <= 1)
    True
    """
    _system.require_rank(_system.shape_of(var))
    return _negate(_system.fill(var, _schemes.by_gain("xavier_uniform", gain), generator))


def xavier_gauss(shape: Shape, dtype: DType = "float32", gain: float = 1.0, *, generator: Generator = None) -> Array:
    """N(0, gain²·2/(fan_in + fan_out)): see `fanin.VarianceScaling`. Arguments and errors as `xavier_uniform`.

    >>> round(float(xavier_gauss((300, 500), generator=0).std()), 2)
    0.05
    """
    return _system.new(_schemes.with_fans(shape), dtype, _schemes.by_gain("xavier_gauss", gain), generator)


def xavier_gauss_(var: T, gain: float = 1.0, *, generator: Generator = None) -> T:
    """N(0, gain²·2/(fan_in + fan_out)), in place. Arguments and errors as `xavier_uniform_`.

    >>> import numpy as np
    >>> round(float(xavier_gauss_(np.empty((300, 500)), generator=0).std()), 2)
    0.05
    """
    _system.require_rank(_system.shape_of(var))
    return _system.fill(var, _schemes.by_gain("xavier_gauss", gain), generator)


def kaiming_uniform_(var: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                     generator: Generator = None) -> T:
    """U(-r, r], r = gain·√(3/fan), with the gain of `nonlinearity`, in place: see `fanin.VarianceScaling`.

    Args:
        a: leaky_relu's slope, an int, a float or a bool; 0, where `calculate_gain` has 0.01.
        mode: "fan_in" or "fan_out", in any case: which fan.
        nonlinearity: one that `calculate_gain` knows, but for selu.

    Raises:
        AssertionError: fewer than 2 dimensions, another mode, or a slope that is not a number.
        KeyError: another nonlinearity.

    >>> import numpy as np
    >>> bool(abs(kaiming_uniform_(np.empty((3, 6)), generator=0)).max() <= 1)
    True
    """
    return _negate(_system.fill(var, _schemes.kaiming("kaiming_uniform", var, mode, nonlinearity, a, "a"), generator))


def kaiming_normal_(var: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                    generator: Generator = None) -> T:
    """N(0, gain²/fan), in place. Not truncated. Arguments and errors as `kaiming_uniform_`.

    >>> import numpy as np
    >>> round(float(kaiming_normal_(np.empty((300, 200)), generator=0).std()), 1)
    0.1
    """
    return _system.fill(var, _schemes.kaiming("kaiming_normal", var, mode, nonlinearity, a, "a"), generator)


def calculate_std(var: Any, mode: str, nonlinearity: str, param: float = 0.01) -> float:
    """The std that the kaiming functions give an array: gain/√fan; 0 where there are no elements.

    Raises:
        AssertionError, KeyError: as `kaiming_uniform_`.

    >>> import numpy as np
    >>> calculate_std(np.empty((3, 2)), "fan_in", "relu")
    1.0
    """
    scheme = _schemes.kaiming("kaiming_normal", var, mode, nonlinearity, param, "param")
    return scheme.describe(_system.shape_of(var)).std or 0.0


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the std that a nonlinearity asks for.

    1 for linear, conv1d to conv3d, conv_transpose1d to conv_transpose3d and sigmoid, 5/3 for tanh, √2 for relu,
    √(2/(1 + param²)) for leaky_relu, whose slope is 0.01 by default, 3/4 for selu.

    Raises:
        ValueError: another nonlinearity, or a slope that is not an int or float.

    >>> calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    return _gain(nonlinearity, param, NONLINEARITIES)
