"""What a plan may draw with: scalar functions that turn random words into numbers.

A sampler is an ordinary function with one more attribute, `takes`, which says what it is given:

* `"word"`: `f(x, *params) -> number`, x one word of the element;
* `"pair"`: `f(xa, xb, *params) -> (number, number)`, the two words of a pair of elements or of one complex element;
* `"u"`: `f(u, *params) -> number`, u in (0, 1): what users write;
* `"place"`: `f(i, *params) -> number`, i the element's index in C order over the whole shape, uint64: for tables, which
  are not random. It computes in float64, and its params come in the types that it wants.

Words are uint32 where the computing type is float32 and uint64 where it is float64; params come in the computing type.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .._errors import FaninTypeError, a_type, shown
from .device import device_function, fma

Function = TypeVar("Function", bound=Callable[..., Any])

HALF32 = np.uint32(16)
LOW32 = np.uint32(0xFFFF)
HALF64 = np.uint64(32)
LOW64 = np.uint64(0xFFFFFFFF)
BELOW_ONE_32 = np.float32(1 - 2.0**-24)
BELOW_ONE_64 = np.float64(1 - 2.0**-53)


def word_sampler(function: Function) -> Function:
    """Mark a device function that makes one number of one word."""
    function.takes = "word"  # type: ignore[attr-defined]
    return device_function(function)


def pair_sampler(function: Function) -> Function:
    """Mark a device function that makes two numbers of two words."""
    function.takes = "pair"  # type: ignore[attr-defined]
    return device_function(function)


def place_sampler(function: Function) -> Function:
    """Mark a device function that makes one real number of an element's index."""
    function.takes = "place"  # type: ignore[attr-defined]
    return device_function(function)


def sampler(function: Function) -> Function:
    """Mark a scalar function as a distribution that `spec.draw` accepts, on every backend.

    The function takes u in (0, 1), the element's word(s) as (w + 1/2)·2**-32 rounded to the computing type (float32;
    float64 for float64 draws) and kept below 1, and then the parameters given to `spec.draw`, and returns the element.
    Build it from + - * /, comparisons, `a if condition else b`, and `fanin.math`: then it gives the same bits on every
    backend, provided that each product feeding a sum is written `fma(a, b, c)`. Write constants as floats (`2.0`, not
    `2`): they take u's type, where an int would turn float32 arithmetic into float64. It may read numbers, strings,
    numpy arrays, tuples of them and other plain functions; a plan is made of what they are then.

    Args:
        function: a plain Python function of u and any number of real parameters.

    Returns:
        The same function, so that a sampler may call another.

    Raises:
        FaninTypeError: not a plain Python function. When it is planned with: it leaves u's type, raises, or reads what
            can't be compared by value (an Enum, an object). When it is drawn with: it doesn't compile, or compiles to
            another type or other numbers than Python's.

    >>> import fanin
    >>> from fanin.math import fma, log
    >>> @fanin.sampler
    ... def exponential(u, scale):
    ...     return -scale * log(u)
    >>> class Exponential(fanin.Initializer):
    ...     def __init__(self, scale=1.0):
    ...         self.scale = scale
    ...     def plan(self, spec):
    ...         return spec.draw(exponential, self.scale, mean=self.scale, std=self.scale)
    >>> float(Exponential(2.0)(100_000, seed=1).mean().round(1))
    2.0
    """
    if type(function) is not types.FunctionType:
        raise FaninTypeError(f"`function` must be a plain Python function (got {shown(function)}, "
                             f"{a_type(function)}): fanin compiles it itself, so leave @njit out")
    function.takes = "u"  # type: ignore[attr-defined]
    return function


FIXED = "fixed values"
# Own functions whose names tell how they compute, not what comes out.
_SAID = {
    "constant_pair": "constant", "uniform_clamped": "uniform", "uniform_inside": "uniform", "disk": "uniform in a disk",
    "truncated_centre": "truncated normal", "truncated_lopsided": "truncated normal",
    "truncated_wide": "truncated normal", "truncated_tail": "truncated normal",
    "truncated_narrow": "truncated normal", "kept": "random",
}


def described(function: Callable[..., Any]) -> str:
    """What a sampler draws, or a mask leaves, for people; a user's is called by its name.

    >>> described(constant_pair)
    'constant'
    """
    takes = getattr(function, "takes", None)  # masks have none
    if takes == "u" and function.__module__.partition(".")[0] != "fanin":
        return function.__name__
    return FIXED if takes == "place" else _SAID.get(function.__name__, function.__name__.replace("_", " "))


@word_sampler
def word(x: Any) -> Any:
    """The word itself: what `fanin.stream.words` returns."""
    return x


@word_sampler
def constant(x: Any, value: Any) -> Any:
    """The bit pattern `value`, whatever the word."""
    return value


@pair_sampler
def constant_pair(xa: Any, xb: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Two bit patterns: a complex128 constant, whose 16 bytes no scalar type holds."""
    return first, second


@device_function
def open_unit_single(x: Any) -> Any:
    # x + 1/2 has 33 bits: two exact halves and one fma round it once, where float32(x) + 0.5 would round twice.
    high, low = np.float32(x >> HALF32), np.float32(x & LOW32)
    u = fma(high, np.float32(2.0**-16), (low + np.float32(0.5)) * np.float32(2.0**-32))
    return u if u < BELOW_ONE_32 else BELOW_ONE_32


@device_function
def open_unit_double(x: Any) -> Any:
    high, low = np.float64(x >> HALF64), np.float64(x & LOW64)
    u = fma(high, np.float64(2.0**-32), (low + np.float64(0.5)) * np.float64(2.0**-64))
    return u if u < BELOW_ONE_64 else BELOW_ONE_64
