"""Parameters' values: a form that doesn't change, and a key that compares them."""

from __future__ import annotations

import enum
import numbers
from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .._dtypes import is_known
from .._errors import FaninTypeError, a_type

# Of these types exactly, a value never changes.
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def freeze(value: Any) -> Any:
    """The same value in a form that doesn't change.

    Lists become tuples, dicts read-only ones, arrays read-only copies, numpy's scalars Python's numbers, all of them
    inside each other too. What is none of these stays as it is.
    """
    if type(value) in PLAIN or isinstance(value, enum.Enum):
        return value
    if isinstance(value, np.ndarray):
        copy = np.array(value, value.dtype.newbyteorder("="))
        copy.flags.writeable = False
        return copy.view()  # unlike `copy` itself, a view of it can't be made writable
    if isinstance(value, np.generic):
        return _plain(value)
    if isinstance(value, Mapping):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        items = tuple(map(freeze, value))
        if isinstance(value, tuple) and all(item is before for item, before in zip(items, value)):
            return value
        return getattr(type(value), "_make", tuple)(items)  # a named tuple stays one
    if isinstance(value, set):
        return frozenset(value)
    if hasattr(type(value), "__array__") or hasattr(type(value), "__dlpack__"):
        raise FaninTypeError(f"a scheme's parameters must be numpy's arrays, which can be kept from changing (got "
                             f"{a_type(value)}): store np.asarray(...) of it, or its item() if it is a number")
    return value


def as_python(value: Any) -> Any:
    """numpy's scalar as Python's number; anything else as it is."""
    return _plain(value) if isinstance(value, np.generic) else value


def is_data(value: Any) -> bool:
    """Whether a value is made of numbers, text, arrays, lists and dicts alone, which its key tells from any other."""
    if isinstance(value, Mapping):
        return all(map(is_data, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(is_data, value))
    return type(value) in PLAIN or isinstance(value, (enum.Enum, np.generic, np.ndarray))


def _plain(scalar: np.generic) -> Any:
    """A numpy scalar as Python's number or string."""
    if isinstance(scalar, np.timedelta64):  # an integer to numpy, whose unit would be lost
        raise FaninTypeError(f"a scheme's parameters must be numbers without a unit (got {scalar!r}): give its number")
    if isinstance(scalar, np.bool_):
        return bool(scalar)
    for kind, python in ((numbers.Integral, int), (numbers.Real, float), (numbers.Complex, complex), (np.str_, str)):
        if isinstance(scalar, kind):
            return python(scalar)
    return float(scalar) if is_known(scalar.dtype) else scalar  # bfloat16 and float8 are no numbers.Real


def thaw(value: Any) -> Any:
    """A frozen value as constructors expect it and pickles can hold it: with dicts for the read-only ones."""
    if isinstance(value, MappingProxyType):
        return {key: thaw(item) for key, item in value.items()}
    if type(value) is tuple:
        return tuple(map(thaw, value))
    return value


def key(name: str, value: Any) -> Hashable:
    """What stands for a value in == and hash: NaN is equal to itself, -0.0 not to 0.0, and 1 not to 1.0 or True.

    Raises:
        FaninTypeError: a value that has no hash.
    """
    if isinstance(value, enum.Enum):
        return key(name, value.value)
    if isinstance(value, str):
        return "str", str.__str__(value)
    if value is None or isinstance(value, (bool, bytes)):
        return type(value), value
    if isinstance(value, np.generic):
        value = _plain(value)
    if isinstance(value, numbers.Integral):
        return "int", int(value)
    if isinstance(value, numbers.Real):
        return "float", repr(float(value))
    if isinstance(value, numbers.Complex):
        return "complex", repr(complex(value))
    if isinstance(value, np.ndarray) and value.dtype != object:
        return "array", str(value.dtype), value.shape, _digest(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return "dict", frozenset((entry, key(name, item)) for entry, item in value.items())
    if isinstance(value, Sequence):
        return "list", tuple(key(name, item) for item in value)
    if hasattr(value, "get_config") and not isinstance(value, type) and type(value).__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        import json  # seldom needed, as is hashlib, and slow to load

        return type(value), json.dumps(value.get_config(), sort_keys=True)
    try:
        hash(value)
    except TypeError:
        raise FaninTypeError(f"`{name}` must be made of numbers, strings, arrays, lists, dicts and what has a hash, "
                             f"for the scheme to be compared (got {a_type(value)})") from None
    return type(value), value


def _digest(array: np.ndarray[Any, Any]) -> bytes:
    """16 bytes that differ for arrays of one dtype and shape that differ; all NaNs count as one."""
    array = np.ascontiguousarray(array)
    if array.dtype.kind == "c":
        array = array.view(f"f{array.dtype.itemsize // 2}")
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        is_nan = array != array
        if is_nan.any():
            array = np.where(is_nan, np.array(np.nan, array.dtype), array)
    import hashlib

    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()
