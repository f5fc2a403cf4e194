"""`fanin.math`: functions for samplers, the same bits on every backend.

Each takes float32 or float64 numbers and computes in that type; beside one of these a Python float takes its type, and
Python floats alone are float64. They are for functions marked with `fanin.sampler`, where `math`'s and `numpy`'s own
differ between a CPU's and a GPU's libraries. Any other argument (an int, an array) is a FaninTypeError. `gain` alone is
for schemes' parameters: the factor that makes up for an activation.

>>> import fanin
>>> @fanin.sampler
... def exponential(u: float, scale: float) -> float:
...     return -scale * fanin.math.log(u)
>>> float(fanin.math.exp(0.0))
1.0
"""

from collections.abc import Callable as _Callable
from typing import Any as _Any
from typing import TypeVar as _TypeVar

import numpy as _np

from ._errors import FaninTypeError as _FaninTypeError
from ._errors import a_type as _a_type
from ._errors import shown as _shown
from ._gains import as_gain as _as_gain
from ._graphs import outside_graphs as _outside_graphs
from ._kernels import device as _device
from ._kernels import elementary as _elementary
from ._kernels.device import compiled_as as _compiled_as
from ._namespace import listing as _listing

__all__ = ["exp", "expm1", "fma", "gain", "log", "log1p", "ndtri", "sincospi", "sqrt"]

__dir__ = _listing(globals())

_Number = _TypeVar("_Number", bound="float | _np.floating[_Any]")


@_outside_graphs
def _call(kernel: _Callable[..., _Any], *numbers: _Any) -> _Any:
    """A device function of numbers that it can take, which compiled code doesn't ask."""
    kinds = {type(number) for number in numbers} - {float}
    kind = kinds.pop() if kinds else _np.float64
    if kinds or kind not in (_np.float32, _np.float64):
        given = ", ".join(f"{_shown(number)}, {_a_type(number)}" for number in numbers)
        raise _FaninTypeError(f"`fanin.math.{kernel.__name__}` takes float32 or float64 numbers, all of one type (got "
                              f"{given}): write 2.0, not 2")
    with _np.errstate(all="ignore"):
        return kernel(*map(kind, numbers))


@_compiled_as(_device.fma)
def fma(a: _Number, b: _Number, c: _Number) -> _Number:
    """a·b + c, rounded once.

    >>> float(fma(0.1, 10.0, -1.0))
    5.551115123125783e-17
    """
    return _call(_device.fma, a, b, c)


@_compiled_as(_device.sqrt)
def sqrt(x: _Number) -> _Number:
    """The square root, correctly rounded; nan below 0.

    >>> float(sqrt(2.0))
    1.4142135623730951
    """
    return _call(_device.sqrt, x)


@_compiled_as(_elementary.exp)
def exp(x: _Number) -> _Number:
    """e**x, within 1.1 ulp; inf above 88.73 (float64: 709.79), 0 below -103.98 (-745.14).

    >>> round(float(exp(1.0)), 14)
    2.71828182845905
    """
    return _call(_elementary.exp, x)


@_compiled_as(_elementary.expm1)
def expm1(x: _Number) -> _Number:
    """e**x - 1, within 2 ulp also where x is small; inf above 88.73 (float64: 709.79).

    >>> round(float(expm1(1e-10)), 24)
    1.00000000005e-10
    """
    return _call(_elementary.expm1, x)


@_compiled_as(_elementary.log)
def log(x: _Number) -> _Number:
    """The natural logarithm of x >= 0, within 1 ulp; -inf at 0, nan below.

    >>> float(log(10.0))
    2.302585092994046
    """
    return _call(_elementary.log, x)


@_compiled_as(_elementary.log1p)
def log1p(x: _Number) -> _Number:
    """log(1 + x) for x >= -1, within 1 ulp also where x is small; -inf at -1, nan below.

    >>> round(float(log1p(1e-10)), 24)
    9.9999999995e-11
    """
    return _call(_elementary.log1p, x)


@_compiled_as(_elementary.ndtri)
def ndtri(p: _Number) -> _Number:
    """The standard normal quantile z with P(Z <= z) = p, to 1e-6 of z (float64: 1e-14); -inf at 0, inf at 1.

    >>> round(float(ndtri(0.975)), 12)
    1.95996398454
    """
    return _call(_elementary.ndtri, p)


@_compiled_as(_elementary.sincospi)
def sincospi(x: _Number) -> tuple[_Number, _Number]:
    """(sin(pi·x), cos(pi·x)) for |x| < 2**22 (float64: 2**51), both within 3 ulp, also near their zeros; nan beyond.

    >>> sine, cosine = sincospi(1.5)
    >>> float(sine), float(cosine)
    (-1.0, 0.0)
    """
    return _call(_elementary.sincospi, x)


def gain(activation: str | _Callable[[_Any], _Any], slope: float | None = None, *, profile: str | None = None) -> float:
    """1/√E f(z)² for z ~ N(0, 1): the factor of a layer's std that makes up for the activation f after it.

    Wherever schemes take a `gain` or `nonlinearity`, they take what this takes, too: a name, a name with its slope as
    ("leaky_relu", 0.2), or a function. They keep the number alone, so that their configs are data.

    Args:
        activation: relu, leaky_relu, relu6, relu_squared, gelu, gelu_tanh, quick_gelu, silu (swish), mish, elu, selu,
            softplus, logsigmoid, tanh, tanhshrink, sigmoid, softsign, sin, hardtanh, hardsigmoid, hardswish, linear
            (identity), in any spelling; or a function of each number alone, which is called with numpy's arrays,
            torch's tensors or Python's floats, whichever it takes.
        slope: leaky_relu's below zero, finite; 0.01 by default.
        profile: "torch" (also torch03, storch, flint and jittor) for the table of torch's calculate_gain.

    The gain of a name is a constant. That of a function is found by quadrature and rounded to 9 digits, right where the
    function is smooth between multiples of an eighth; if it jumps elsewhere, within 0.5 %. A function in float32 is
    less exact, and may differ in these digits between machines: write the number where that counts.

    Raises:
        FaninValueError: an unknown name; a function that isn't finite, or depends on more than one number, or has a
            gain of zero or infinity. FaninTypeError: neither a name nor a function that can be called so.

    torch's table is for other ends: 5/3 for tanh (here 1.59), 3/4 for selu (1), 1 for sigmoid (1.85).

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2, for rectifiers.

    >>> round(gain("gelu"), 4), round(gain("leaky_relu", 0.2), 4)
    (1.5335, 1.3868)
    >>> gain("tanh", profile="torch") == 5 / 3
    True
    >>> import fanin
    >>> fanin.Orthogonal(gain=lambda z: z * (z > 0))
    Orthogonal(gain=1.41421356, axis=0)
    """
    if not isinstance(activation, str) and not callable(activation):
        raise _FaninTypeError(f"`activation` must be a name or a function (got {_shown(activation)}, "
                              f"{_a_type(activation)})")
    return _as_gain("activation", activation, slope, profile)
