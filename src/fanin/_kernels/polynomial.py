"""Polynomials and typed constants: how one text serves float32 and float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from .device import by_precision, device_function, fma

LONGEST_CHAIN = 9

Function: TypeAlias = Callable[[Any], Any]  # of a float32 or float64 scalar


def polynomial(number: type[np.float32] | type[np.float64], *coefficients: float) -> Function:
    """A device function for c0 + c1·x + c2·x² + …, lowest power first, in constants of the type `number`.

    Horner's rule as a chain of functions, each inlined into the next: no loop is left to the optimizer's judgement. A
    long one is split into even and odd powers, so that a processor need not wait for one operation after another.
    """
    if len(coefficients) > LONGEST_CHAIN:
        return _even_and_odd(polynomial(number, *coefficients[::2]), polynomial(number, *coefficients[1::2]))
    *rest, last = map(number, coefficients)
    value = _constant(last)
    for coefficient in reversed(rest):
        value = _horner_step(value, coefficient)
    return value


def _constant(c: Any) -> Function:
    @device_function
    def value(x: Any) -> Any:
        return c

    return value


def _horner_step(higher: Function, c: Any) -> Function:
    @device_function
    def value(x: Any) -> Any:
        return fma(higher(x), x, c)

    return value


def _even_and_odd(even: Function, odd: Function) -> Function:
    @device_function
    def value(x: Any) -> Any:
        y = x * x
        return fma(odd(y), x, even(y))

    return value


def constants(*values: float, double: Sequence[float] | None = None) -> Function:
    """A device function that returns a tuple of constants in its argument's precision; `double` has float64's own."""
    singles = tuple(map(np.float32, values))
    doubles = tuple(map(np.float64, values if double is None else double))

    @device_function
    def single_values(x: Any) -> Any:
        return singles

    @device_function
    def double_values(x: Any) -> Any:
        return doubles

    @by_precision(single_values, double_values)
    def typed(x: Any) -> Any:
        """The constants, in the precision of x."""

    return typed


numbers = constants(0.0, 0.5, 1.0, 2.0, np.inf, np.nan)
