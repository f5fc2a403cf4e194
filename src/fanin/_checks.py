"""Validation of arguments: each function returns the value in plain Python form or raises, naming argument and rule."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ._errors import FaninTypeError, FaninValueError, a_type, shown

if TYPE_CHECKING:
    from ._types import Dims

Choice = TypeVar("Choice", bound=str)  # a Literal, perhaps

MAX_ELEMENTS = 2**61  # an int64 counts the parts of that many complex numbers
MAX_RANK = 64  # numpy's


def real(name: str, value: Any) -> float:
    """Any real number, infinities included; bool is refused."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) and not _is_half(value):
        raise FaninTypeError(f"`{name}` must be a real number (got {shown(value)}, {a_type(value)})")
    try:
        value = float(value)
    except OverflowError:
        raise FaninValueError(f"`{name}` must fit into a float (got {shown(value)})") from None
    if math.isnan(value):
        raise FaninValueError(f"`{name}` must be a number (got nan)")
    return value


def _is_half(value: Any) -> bool:
    return isinstance(value, np.generic) and value.dtype.name == "bfloat16"  # not registered as a numbers.Real


def finite(name: str, value: Any) -> float:
    """Any real number but the infinities."""
    value = real(name, value)
    if math.isinf(value):
        raise FaninValueError(f"`{name}` must be finite (got {value!r})")
    return value


def finite_number(name: str, value: Any) -> int | float | complex:
    """A finite real or complex number, as an int, a float or a complex."""
    if isinstance(value, (complex, np.complexfloating)):
        value = complex(value)
        for part in (value.real, value.imag):
            finite(name, part)
        return value
    number = finite(name, value)
    return int(value) if isinstance(value, numbers.Integral) else number


def nonnegative(name: str, value: Any) -> float:
    """A finite real number >= 0."""
    number = real(name, value)
    if not 0.0 <= number < math.inf:
        raise FaninValueError(f"`{name}` must be finite and >= 0 (got {number!r})")
    return number


def fraction(name: str, value: Any) -> float:
    """A real number between 0 and 1."""
    number = real(name, value)
    if not 0.0 <= number <= 1.0:
        raise FaninValueError(f"`{name}` must be between 0 and 1 (got {number!r})")
    return number


def integer(name: str, value: Any, minimum: int | None = None, maximum: int | None = None) -> int:
    """An int (or anything with __index__, not bool), at least `minimum` and at most `maximum`."""
    if isinstance(value, (bool, np.bool_)):
        raise FaninTypeError(f"`{name}` must be an int (got {shown(value)}, a bool)")
    try:
        value = operator.index(value)
    except TypeError:
        raise FaninTypeError(f"`{name}` must be an int (got {shown(value)}, {a_type(value)})") from None
    if minimum is not None and value < minimum:
        raise FaninValueError(f"`{name}` must be >= {minimum} (got {shown(value)})")
    if maximum is not None and value > maximum:
        raise FaninValueError(f"`{name}` must be <= {maximum} (got {shown(value)})")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False, Python's or numpy's."""
    if not isinstance(value, (bool, np.bool_)):
        raise FaninTypeError(f"`{name}` must be True or False (got {shown(value)})")
    return bool(value)


def choice(name: str, value: Any, options: Iterable[Choice]) -> Choice:
    """One of some strings, Python's own also where `value` is a StrEnum's member or numpy's."""
    if not isinstance(value, str):
        raise FaninTypeError(f"`{name}` must be a string (got {shown(value)}, {a_type(value)})")
    for option in options:
        if option == value:
            return option
    raise FaninValueError(f"`{name}` must be one of {', '.join(map(repr, options))} (got {shown(value)})")


def shape(value: Any) -> Dims:
    """A shape as a tuple of ints: from an int, or a sequence of ints >= 0."""
    if isinstance(value, tuple):
        for dim in value:
            if type(dim) is not int or dim < 0:
                break
        else:  # plain ints, as in nearly every call: the general way below takes 2 us more
            if len(value) <= MAX_RANK and math.prod(value) <= MAX_ELEMENTS:
                return tuple(value)
    if isinstance(value, (str, bytes)):
        raise FaninTypeError(f"`shape` must be an int or a sequence of ints (got {shown(value)})")
    dims: tuple[Any, ...] | None
    try:
        dims = (operator.index(value),) if not isinstance(value, (bool, np.bool_)) else None
    except TypeError:
        try:
            dims = tuple(value)
        except TypeError:
            dims = None
    if dims is None:
        raise FaninTypeError(f"`shape` must be an int or a sequence of ints (got {shown(value)})")
    dims = tuple(_dimension(dim, value) for dim in dims)
    if len(dims) > MAX_RANK:
        raise FaninValueError(f"`shape` must have a rank of at most {MAX_RANK}, as numpy's arrays (got {len(dims)})")
    if math.prod(dims) > MAX_ELEMENTS:
        raise FaninValueError(f"`shape` must have at most 2**61 elements (got {shown(dims)})")
    return dims


def _dimension(dim: Any, whole: Any) -> int:
    try:
        if isinstance(dim, (bool, np.bool_)):
            raise TypeError
        dim = operator.index(dim)
    except TypeError:
        raise FaninTypeError(f"`shape` must hold ints only (got {shown(dim)} in {shown(whole)})") from None
    if dim < 0:
        raise FaninValueError(f"`shape` must not have negative dimensions (got {shown(whole)})")
    return dim


def axis(value: int, rank: int) -> int:
    """An axis as an index from 0, counted from the end when negative."""
    if not -rank <= value < rank:
        raise FaninValueError(f"`axis` must be between {-rank} and {rank - 1} for a shape of rank {rank} (got "
                              f"{shown(value)})")
    return value % rank
