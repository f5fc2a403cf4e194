"""Draws whose location and scale are arrays: what jittor does where a bound, a mean or a std is a Var."""

import numpy as np

from ..._drawing import arrays as _arrays
from ..._dtypes import largest
from ..._errors import FaninTypeError, FaninValueError
from ..._plans.spec import TensorSpec


def is_array(value):
    """Whether a parameter is an array with axes, not a number."""
    return getattr(value, "ndim", 0) > 0


def located(system, standard, shape, dtype, generator, first, second, formula, reach, out=None):
    """formula(z, first, second), z drawn with the preset `standard`, computed in float64 and rounded once.

    `first` and `second` are (name, array or number) and broadcast to the shape; reach(first, second) bounds |formula|.
    With `out` shape and dtype are that array's.
    """
    if out is None:
        spec, writable = TensorSpec(shape, dtype), None
    else:
        system.shape_of(out)  # refuses what is no array
        writable = _arrays.writable(out)
        spec = TensorSpec(writable[0].shape, writable[0].dtype)
    spec.require_floating(f"arrays as {first[0]} and {second[0]}")
    shape, dtype = spec.shape, spec.dtype
    names = f"`{first[0]}` and `{second[0]}`"
    if dtype.kind == "c":
        raise FaninTypeError(f"{names} must be numbers for a complex dtype (got an array)")
    first, second = (_parameter(name, value, shape) for name, value in (first, second))
    with np.errstate(over="ignore"):
        farthest = np.max(reach(first, second), initial=0.0)
    if not farthest <= largest(dtype):
        raise FaninValueError(f"{names} must keep the values within the range of {dtype.name}, +-{largest(dtype):.6g} "
                              f"(they reach {farthest:.6g}): use a wider dtype")
    half = dtype.itemsize == 2  # is rounded once, at the end
    values = formula(system.new(shape, "float32" if half else dtype, system.preset(standard), generator), first, second)
    if writable is None:
        return values.astype(dtype)
    view, written = writable
    view[...] = values
    written()
    return out


def _parameter(name, value, shape):
    try:
        value = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise FaninTypeError(f"`{name}` must be a real number or an array of them (got {value!r:.100})") from None
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise FaninValueError(f"`{name}` must broadcast to the shape {shape} (got an array of shape {value.shape})")
    if not np.isfinite(value).all():
        raise FaninValueError(f"`{name}` must be finite (got an array with infinities or NaN)")
    return value
