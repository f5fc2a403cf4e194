"""Parameters as JSON values and back, without loss.

Numbers, strings and lists are plain; infinities and NaN are the strings "inf", "-inf" and "nan", complex numbers are
[re, im], arrays {"dtype", "shape", "data"}. What the parameter's type would read as something else, such as the string
"inf" where numbers are expected, is tagged with its own type: {"str": "inf"}.
"""

from __future__ import annotations

import enum
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import shape as check_shape
from .._dtypes import as_dtype, is_known
from .._errors import FaninTypeError, FaninValueError, a_type, shown
from .kinds import UNKNOWN, Kind
from .values import freeze

if TYPE_CHECKING:
    from .._types import Array

VERSION = 1

MAX_BITS = 14_000  # Python makes no decimal text of integers with more than 4300 digits

_SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_TAGS = ("str", "float", "complex", "list", "dict")
_ARRAY = {"dtype", "shape", "data"}


def encode(name: str, value: Any, kind: Kind = UNKNOWN) -> Any:
    """A parameter as JSON; `kind` says how `decode` will read it.

    Raises:
        FaninTypeError: a value that JSON has no form for.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, np.generic):
        value = freeze(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = str.__str__(value)
        return {"str": text} if text in _SPECIAL and not kind.is_text else text
    if isinstance(value, np.ndarray):
        if not is_known(value.dtype):
            raise FaninTypeError(f"`{name}` must be an array of numbers to have a config (got one of {value.dtype})")
        return {"dtype": value.dtype.name, "shape": list(value.shape), "data": _data(name, value)}
    if isinstance(value, numbers.Integral):
        return _integer(name, int(value))
    if isinstance(value, numbers.Real):
        number = _real(float(value))
        return {"float": number} if isinstance(number, str) and kind.is_text else number
    if isinstance(value, numbers.Complex):
        pair = [_real(float(value.real)), _real(float(value.imag))]
        return pair if kind.has_complex else {"complex": pair}
    if hasattr(value, "get_config") and not isinstance(value, type):
        return value.get_config()
    if isinstance(value, (list, tuple)):
        items = [encode(name, item, kind) for item in value]
        return {"list": items} if kind.has_complex and _is_pair(items) else items
    if isinstance(value, Mapping):
        return _table(name, value, kind)
    raise FaninTypeError(f"`{name}` must be made of numbers, strings, arrays, lists and dicts to have a config (got "
                         f"{a_type(value)})")


def as_json(name: str, value: Any) -> Any:
    """A table that a user wrote as JSON values: its strings, lists and dicts are JSON already, the rest is encoded."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(entry): as_json(name, item) for entry, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(name, item) for item in value]
    return encode(name, value)


def _integer(name: str, value: int) -> int:
    if value.bit_length() > MAX_BITS:
        raise FaninValueError(f"`{name}` must have at most {MAX_BITS} bits to have a config (got {shown(value)})")
    return value


def _real(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _is_pair(items: list[Any]) -> bool:
    return len(items) == 2 and all(item in _SPECIAL if isinstance(item, str) else isinstance(item, (int, float))
                                   and not isinstance(item, bool) for item in items)


def _table(name: str, value: Mapping[Any, Any], kind: Kind) -> dict[str, Any]:
    for entry in value:
        if not isinstance(entry, str):
            raise FaninTypeError(f"`{name}` must have strings as keys to have a config (got {shown(entry)})")
    table = {str.__str__(entry): encode(name, item, kind) for entry, item in value.items()}
    return {"dict": table} if "scheme" in table or set(table) == _ARRAY or _tag(table) else table


def _tag(table: Mapping[str, Any]) -> str | None:
    tag = next(iter(table)) if len(table) == 1 else None
    return tag if tag in _TAGS else None


def _data(name: str, array: Array) -> list[Any]:
    """An array's elements in C order, as JSON values."""
    kind = array.dtype.kind
    if kind in "biu":
        return array.ravel().tolist()
    if kind == "c":
        parts = np.ascontiguousarray(array).view(f"f{array.dtype.itemsize // 2}")
        flat = _data(name, parts)
        return [list(pair) for pair in zip(flat[::2], flat[1::2])]
    if kind == "f" or array.dtype.name == "bfloat16":
        items = array.astype(np.float64).ravel().tolist()
        return items if np.isfinite(array).all() else list(map(_real, items))
    return [encode(name, item) for item in array.ravel().tolist()]


def decode(name: str, value: Any, load: Callable[[Mapping[str, Any]], Any], kind: Kind = UNKNOWN) -> Any:
    """The inverse of `encode`; `load` makes a nested scheme of its config."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and kind.choices:
        return kind.member(value)
    if isinstance(value, str):
        return value if kind.is_text else _SPECIAL.get(value, value)
    if isinstance(value, Sequence) and not isinstance(value, (tuple, bytes)):  # OmegaConf's lists too
        if kind.has_complex and _is_pair(list(value)):
            return _complex(value)
        return [decode(name, item, load, kind) for item in value]
    if isinstance(value, Mapping):
        if "scheme" in value:
            return load(value)
        if set(value) == _ARRAY:
            return _array(name, value)
        if _tag(value):
            return _tagged(name, value, load, kind)
        return {entry: decode(name, item, load, kind) for entry, item in value.items()}
    return value


def _complex(pair: Sequence[Any]) -> complex:
    real, imaginary = (_SPECIAL[part] if isinstance(part, str) else part for part in pair)
    return complex(real, imaginary)


def _tagged(name: str, value: Mapping[str, Any], load: Callable[[Mapping[str, Any]], Any], kind: Kind) -> Any:
    (tag, inside), = value.items()
    if tag == "str" and isinstance(inside, str):
        return inside
    if tag == "float" and inside in _SPECIAL:
        return _SPECIAL[inside]
    if tag == "complex" and isinstance(inside, Sequence) and _is_pair(list(inside)):
        return _complex(inside)
    if tag == "list" and isinstance(inside, Sequence) and not isinstance(inside, str):
        return [decode(name, item, load, kind) for item in inside]
    if tag == "dict" and isinstance(inside, Mapping):
        return {entry: decode(name, item, load, kind) for entry, item in inside.items()}
    return {tag: decode(name, inside, load, kind)}  # a table with one entry that is only called so


def _array(name: str, value: Mapping[str, Any]) -> Array:
    try:
        dtype = as_dtype(value["dtype"])
        data = value["data"]
        dims = check_shape(value["shape"])
        if dtype.kind == "c":
            parts = [part for pair in data for part in _pair_of(pair)]
            return _parsed(parts, np.dtype(f"f{dtype.itemsize // 2}")).view(dtype).reshape(dims)
        return _parsed(data, dtype).reshape(dims)
    except (TypeError, ValueError, OverflowError) as error:
        raise FaninValueError(f"`{name}` must be an array's dtype, shape and data (got {shown(value)}): {error}") \
            from None


def _pair_of(pair: Any) -> Sequence[Any]:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise ValueError(f"a complex number is [re, im], not {shown(pair)}")
    return pair


def _parsed(data: Sequence[Any], dtype: np.dtype[Any]) -> Array:
    """The array of a flat list of numbers, each of which the dtype holds: rounded perhaps, but not cut."""
    numbers = [_SPECIAL.get(item, item) if isinstance(item, str) else item for item in data]
    for number in numbers:
        if not isinstance(number, (int, float)):
            raise ValueError(f"data must be one list of numbers, not of {shown(number)}")
    with np.errstate(all="ignore"):
        array = np.array(numbers, dtype)
    if dtype.kind in "biu":
        kept = array.tolist() == numbers
    else:  # what is infinite was so before
        kept = bool((np.isinf(array) <= np.isinf(np.array(numbers, np.float64))).all())
    if not kept:
        raise ValueError(f"{dtype.name} must hold all of its data")
    return array


def expression(value: Any) -> str:
    """Python source that makes the value, given `np` for arrays."""
    if isinstance(value, np.ndarray):
        if value.size == 0:  # nested lists can't tell the shape
            return f"np.zeros({value.shape}, dtype={value.dtype.name!r})"
        return f"np.array({_nested(value.tolist())}, dtype={value.dtype.name!r})"
    return _nested(value)


def _is_its_repr(value: complex) -> bool:
    """Whether Python reads a complex number's repr as that number: -1j is complex(-0.0, -1), and 1-0j is 1+0j."""
    negative_zeros = any(part == 0.0 and math.copysign(1.0, part) < 0 for part in (value.real, value.imag))
    finite = math.isfinite(value.real) and math.isfinite(value.imag)
    return finite and not negative_zeros and not (value.real == 0.0 and value.imag < 0)


def _nested(value: Any) -> str:
    if isinstance(value, enum.Enum):
        known = value.name in type(value).__members__  # several flags together, or none, have no name of their own
        return f"{type(value).__name__}.{value.name}" if known else f"{type(value).__name__}({value.value!r})"
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    if type(value) is tuple:
        return "(" + ", ".join(map(expression, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{entry!r}: {expression(item)}" for entry, item in value.items()) + "}"
    if type(value) is float and not math.isfinite(value):
        return f"float('{value!r}')"
    if type(value) is complex and not _is_its_repr(value):
        return f"complex({_nested(value.real)}, {_nested(value.imag)})"
    if type(value) is int and value.bit_length() > MAX_BITS:
        return hex(value)
    return repr(value)
