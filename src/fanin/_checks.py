"""Validation of arguments: each function returns the value in plain Python form or raises, naming argument and rule."""

import math
import numbers
import operator

import numpy as np

from ._errors import FaninTypeError, FaninValueError

MAX_ELEMENTS = 2**61  # an int64 counts the parts of that many complex numbers


def real(name, value):
    """Any real number, infinities included; bool is refused."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) and not _is_half(value):
        raise FaninTypeError(f"`{name}` must be a real number (got {value!r}, a {type(value).__name__})")
    try:
        value = float(value)
    except OverflowError:
        raise FaninValueError(f"`{name}` must fit into a float (got {value!r})") from None
    if math.isnan(value):
        raise FaninValueError(f"`{name}` must be a number (got nan)")
    return value


def _is_half(value):
    return isinstance(value, np.generic) and value.dtype.name == "bfloat16"  # not registered as a numbers.Real


def finite(name, value):
    value = real(name, value)
    if math.isinf(value):
        raise FaninValueError(f"`{name}` must be finite (got {value!r})")
    return value


def finite_number(name, value):
    """A finite real or complex number, as an int, a float or a complex."""
    if isinstance(value, (complex, np.complexfloating)):
        value = complex(value)
        finite(name, value.real), finite(name, value.imag)
        return value
    return int(value) if isinstance(value, numbers.Integral) and not isinstance(value, bool) else finite(name, value)


def nonnegative(name, value):
    number = real(name, value)
    if not 0.0 <= number < math.inf:
        raise FaninValueError(f"`{name}` must be finite and >= 0 (got {number!r})")
    return number


def fraction(name, value):
    number = real(name, value)
    if not 0.0 <= number <= 1.0:
        raise FaninValueError(f"`{name}` must be between 0 and 1 (got {number!r})")
    return number


def integer(name, value, minimum=None):
    """An int (or anything with __index__, not bool), at least `minimum`."""
    if isinstance(value, (bool, np.bool_)):
        raise FaninTypeError(f"`{name}` must be an int (got {value!r}, a bool)")
    try:
        value = operator.index(value)
    except TypeError:
        raise FaninTypeError(f"`{name}` must be an int (got {value!r}, a {type(value).__name__})") from None
    if minimum is not None and value < minimum:
        raise FaninValueError(f"`{name}` must be >= {minimum} (got {value})")
    return value


def flag(name, value):
    if not isinstance(value, (bool, np.bool_)):
        raise FaninTypeError(f"`{name}` must be True or False (got {value!r})")
    return bool(value)


def choice(name, value, options):
    if not isinstance(value, str):
        raise FaninTypeError(f"`{name}` must be a string (got {value!r}, a {type(value).__name__})")
    if value not in options:
        raise FaninValueError(f"`{name}` must be one of {', '.join(map(repr, options))} (got {value!r})")
    return value


def shape(value):
    """A shape as a tuple of ints: from an int, or a sequence of ints >= 0."""
    if isinstance(value, tuple):
        for dim in value:
            if type(dim) is not int or dim < 0:
                break
        else:  # plain ints, as in nearly every call: the general way below takes 2 us more
            if math.prod(value) <= MAX_ELEMENTS:
                return tuple(value)
    if isinstance(value, (str, bytes)):
        raise FaninTypeError(f"`shape` must be an int or a sequence of ints (got {value!r})")
    try:
        dims = (operator.index(value),) if not isinstance(value, (bool, np.bool_)) else None
    except TypeError:
        try:
            dims = tuple(value)
        except TypeError:
            dims = None
    if dims is None:
        raise FaninTypeError(f"`shape` must be an int or a sequence of ints (got {value!r})")
    dims = tuple(_dimension(dim, value) for dim in dims)
    if math.prod(dims) > MAX_ELEMENTS:
        raise FaninValueError(f"`shape` must have at most 2**61 elements (got {dims})")
    return dims


def _dimension(dim, whole):
    try:
        if isinstance(dim, (bool, np.bool_)):
            raise TypeError
        dim = operator.index(dim)
    except TypeError:
        raise FaninTypeError(f"`shape` must hold ints only (got {dim!r} in {whole!r})") from None
    if dim < 0:
        raise FaninValueError(f"`shape` must not have negative dimensions (got {whole!r})")
    return dim


def axis(value, rank):
    """An axis as an index from 0, counted from the end when negative."""
    if not -rank <= value < rank:
        raise FaninValueError(f"`axis` must be between {-rank} and {rank - 1} for a shape of rank {rank} (got {value})")
    return value % rank
