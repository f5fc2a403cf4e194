"""Draws whose location and scale are arrays: what jittor does where a bound, a mean or a std is a Var."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._drawing.arrays import writable as writable_view
from ..._dtypes import largest
from ..._errors import FaninTypeError, FaninValueError, shown
from ..._plans.spec import TensorSpec

if TYPE_CHECKING:
    from ..._types import Array, Dims
    from .._shared.system import System
    from .._shared.types import Generator


def is_array(value: Any) -> bool:
    """Whether a parameter is an array with axes, not a number."""
    return getattr(value, "ndim", 0) > 0


def located(system: System, standard: str, shape: Any, dtype: Any, generator: Generator, first: tuple[str, Any],
            second: tuple[str, Any], formula: Callable[[Array, Any, Any], Array], reach: Callable[[Any, Any], Any],
            out: Any = None) -> Any:
    """formula(z, first, second), z drawn with the preset `standard`, computed in float64 and rounded once.

    `first` and `second` are (name, array or number) and broadcast to the shape; reach(first, second) bounds |formula|.
    With `out` shape and dtype are that array's.
    """
    if out is None:
        spec = TensorSpec(shape, dtype)
    else:
        system.shape_of(out)  # refuses what is no array
        view, written = writable_view(out)
        spec = TensorSpec(view.shape, view.dtype)
    spec.require_floating(f"arrays as {first[0]} and {second[0]}")
    shape, dtype = spec.shape, spec.dtype
    names = f"`{first[0]}` and `{second[0]}`"
    if dtype.kind == "c":
        raise FaninTypeError(f"{names} must be numbers for a complex dtype (got an array)")
    one, other = (_parameter(name, value, shape) for name, value in (first, second))
    with np.errstate(over="ignore"):
        farthest = np.max(reach(one, other), initial=0.0)
    if not farthest <= largest(dtype):
        raise FaninValueError(f"{names} must keep the values within the range of {dtype.name}, +-{largest(dtype):.6g} "
                              f"(they reach {farthest:.6g}): use a wider dtype")
    half = dtype.itemsize == 2  # is rounded once, at the end
    values = formula(system.new(shape, "float32" if half else dtype, system.preset(standard), generator), one, other)
    if out is None:
        return values.astype(dtype)
    view[...] = values
    written()
    return out


def _parameter(name: str, value: Any, shape: Dims) -> Array:
    try:
        value = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise FaninTypeError(f"`{name}` must be a real number or an array of them (got {shown(value, 100)})") from None
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise FaninValueError(f"`{name}` must broadcast to the shape {shape} (got an array of shape {value.shape})")
    if not np.isfinite(value).all():
        raise FaninValueError(f"`{name}` must be finite (got an array with infinities or NaN)")
    return value
