"""Parameters as JSON values and back, without loss."""

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._dtypes import as_dtype
from .._errors import FaninTypeError, FaninValueError

VERSION = 1
_SPECIAL = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def encode(name, value):
    """A parameter as JSON: numbers plain, inf and nan as strings, complex as [re, im], arrays as dtype, shape, data."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "shape": list(value.shape),
                "data": [encode(name, item) for item in value.ravel().tolist()]}
    if isinstance(value, np.generic):
        return encode(name, value.item())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        value = float(value)
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, numbers.Complex):
        return [encode(name, value.real), encode(name, value.imag)]
    if hasattr(value, "get_config"):
        return value.get_config()
    if isinstance(value, (list, tuple)):
        return [encode(name, item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(name, item) for key, item in value.items()}
    raise FaninTypeError(f"`{name}` must be made of numbers, strings, arrays, lists and dicts to have a config (got a "
                         f"{type(value).__name__})")


class Decoded(NamedTuple):
    """A parameter in a config that is no JSON value but itself: what a pickle holds."""

    value: Any


def decode(name, value, load, is_complex=False):
    """The inverse of `encode`; `load` makes a nested scheme of its config, `is_complex` reads [re, im] as a number."""
    if isinstance(value, Decoded):
        return value.value
    if isinstance(value, str):
        return _SPECIAL.get(value, value)
    if isinstance(value, Sequence) and not isinstance(value, (tuple, bytes)):  # OmegaConf's lists too
        items = [decode(name, item, load) for item in value]
        return complex(*items) if is_complex and len(items) == 2 else items
    if isinstance(value, Mapping):
        if "scheme" in value:
            return load(value)
        if set(value) == {"dtype", "shape", "data"}:
            return _array(name, value, load)
        return {key: decode(name, item, load) for key, item in value.items()}
    return value


def _array(name, value, load):
    try:
        dtype = as_dtype(value["dtype"])
        data = [decode(name, item, load, dtype.kind == "c") for item in value["data"]]
        return np.array(data, dtype).reshape(value["shape"])
    except (TypeError, ValueError) as error:
        raise FaninValueError(f"`{name}` must be an array's dtype, shape and data (got {value!r:.200}): {error}") \
            from None


def expression(value):
    """Python source that makes the value, given `np` for arrays."""
    if isinstance(value, np.ndarray):
        if value.size == 0:  # nested lists can't tell the shape
            return f"np.zeros({value.shape}, dtype={value.dtype.name!r})"
        return f"np.array({_nested(value.tolist())}, dtype={value.dtype.name!r})"
    return _nested(value)


def _nested(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_nested, value)) + (",)" if len(value) == 1 else ")")
    if type(value) is float and not math.isfinite(value):
        return f"float('{value!r}')"
    if type(value) is complex and not (math.isfinite(value.real) and math.isfinite(value.imag)):
        return f"complex({_nested(value.real)}, {_nested(value.imag)})"
    return repr(value)
