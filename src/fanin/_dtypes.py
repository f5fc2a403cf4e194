"""Element types: what may be asked for, what it is computed in, and which values of it lie inside two bounds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import FaninTypeError, FaninValueError, shown

if TYPE_CHECKING:
    from ._types import DType

FLOATING = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")  # of ml_dtypes
NO_ZERO = ("float8_e8m0fnu",)  # whose bit pattern 0 is 2**-127
SHORT = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp64": "float64"}  # as configs and files say it
WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

# A half type is computed in float32 and rounded once; a complex type in the type of its parts.
_COMPUTING: dict[str, type[np.float64]] = {"float64": np.float64, "complex128": np.float64}
_KNOWN: dict[Any, np.dtype[Any]] = {}


def as_dtype(dtype: DType) -> np.dtype[Any]:
    """A numpy dtype from a name, a numpy or ml_dtypes type, or a torch, JAX or CuPy dtype."""
    try:
        return _KNOWN[dtype]
    except (KeyError, TypeError):
        pass
    if isinstance(dtype, str):
        bare = dtype.removeprefix("torch.")
        name: str | None = SHORT.get(bare, bare)
    elif type(dtype).__module__.split(".")[0] == "torch":
        name = str(dtype).removeprefix("torch.")
    else:
        name = None
    if name == "bfloat16" or name in FLOAT8:
        found: np.dtype[Any] | None = _of_ml_dtypes(name)
    else:
        try:
            found = np.dtype(dtype if name is None else name)
        except (TypeError, ValueError, SyntaxError):  # numpy parses strings as if they were code
            found = None
    if isinstance(dtype, (int, np.integer)):
        raise FaninTypeError(f"`dtype` must be a dtype (got {shown(dtype)}, an int): give the shape as a tuple, such "
                             "as (512, 256)")
    if dtype is None or found is None or found.name not in FLOATING + COMPLEX + FLOAT8 + WHOLE:
        raise FaninTypeError(f"`dtype` must be one of {', '.join(FLOATING + COMPLEX)}, or for Constant and Eye also an "
                             f"integer type, a float8 type or bool (got {shown(dtype)})")
    if not found.isnative:
        raise FaninTypeError(f"`dtype` must be in native byte order (got {dtype!r})")
    if isinstance(dtype, (str, np.dtype)):
        _KNOWN[dtype] = found  # numpy's `name` alone takes 5 us
    return found


def is_known(dtype: np.dtype[Any]) -> bool:
    """Whether fanin writes arrays of this numpy dtype."""
    if dtype not in _KNOWN:
        try:
            as_dtype(dtype)
        except FaninTypeError:
            return False
    return True


def bfloat16() -> np.dtype[Any]:
    """ml_dtypes' bfloat16 as a numpy dtype."""
    return _of_ml_dtypes("bfloat16")


def _of_ml_dtypes(name: str) -> np.dtype[Any]:
    import ml_dtypes  # 10 ms that most imports of fanin need not pay

    return np.dtype(getattr(ml_dtypes, name))


def is_complex(dtype: np.dtype[Any]) -> bool:
    """Whether elements have an imaginary part."""
    return dtype.kind == "c"


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether random values can be drawn in this dtype: real and complex floating-point types."""
    return dtype.name in FLOATING or dtype.kind == "c"


def computing_type(dtype: np.dtype[Any]) -> type[np.float32] | type[np.float64]:
    """float32, or float64 for 8-byte reals and complex128: the type that parameters are rounded to and sums are in."""
    return _COMPUTING.get(dtype.name, np.float32)


def real_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the numbers that an array of `dtype` is made of: the parts' type when complex."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def largest(dtype: np.dtype[Any]) -> float:
    """The largest finite value of a floating-point dtype, as a float."""
    if dtype.name == "bfloat16":
        return 255 / 128 * 2.0**127
    return float(np.finfo(real_type(dtype)).max)


def _neighbour(value: Any, dtype: np.dtype[Any], direction: float) -> Any:
    return np.nextafter(value, np.array(direction, dtype))


def smallest_at_least(bound: float, dtype: np.dtype[Any]) -> float:
    """The smallest value of a real floating dtype that is >= the float `bound`, as a float."""
    with np.errstate(over="ignore"):
        value = np.array(bound, np.float64).astype(dtype)
    if float(value) < bound:
        value = _neighbour(value, dtype, math.inf)
    return float(value)


def largest_at_most(bound: float, dtype: np.dtype[Any]) -> float:
    """The largest value of a real floating dtype that is <= the float `bound`, as a float."""
    with np.errstate(over="ignore"):
        value = np.array(bound, np.float64).astype(dtype)
    if float(value) > bound:
        value = _neighbour(value, dtype, -math.inf)
    return float(value)


def largest_below(bound: float, dtype: np.dtype[Any]) -> float:
    """The largest value of a real floating dtype that is < the float `bound`, as a float."""
    value = largest_at_most(bound, dtype)
    if value == bound:
        value = float(_neighbour(np.array(value, dtype), dtype, -math.inf))
    return value


def check_range(what: str, low: float, high: float, dtype: np.dtype[Any]) -> None:
    """Refuse a draw whose extreme values `low` and `high` leave the finite range of `dtype`."""
    limit = largest(dtype)
    for value in (low, high):
        # half an ulp above the largest value still rounds to it, but a bound that sharp helps nobody
        if not -limit <= value <= limit:
            raise FaninValueError(f"{what} must stay within the range of {dtype.name}, +-{limit:.6g} (it reaches "
                                  f"{value:.6g}): use a wider dtype or smaller parameters")
