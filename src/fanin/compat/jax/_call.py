"""One call of an initializer: reads the key, shape and dtype, draws, and gives the caller the array it expects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _checks
from ..._callers import warn
from ..._dtypes import as_dtype
from ..._errors import FaninTypeError, FaninValueError, shown
from ._errors import ShapeError
from ._keys import as_key, is_jax

if TYPE_CHECKING:
    from ..._types import Dims, DType
    from ._draws import Draw

_NARROW = {"float64": np.float32, "complex128": np.complex64, "int64": np.int32, "uint64": np.uint32}


def call(name: str, plan: Callable[[Any, Any], Draw], key: Any, shape: Any, dtype: Any, out_sharding: Any) -> Any:
    """plan(shape, dtype) gives the draw: a function of a key. A JAX key, traced or not, makes a JAX array."""
    shape = check_shape(shape)
    if is_jax(key):
        from . import _with_jax

        dtype = check_dtype(dtype, wide_types())
        return _with_jax.draw(name, plan(shape, dtype), key, shape, dtype, out_sharding)
    key = as_key(name, key)
    array = plan(shape, check_dtype(dtype))(key)
    if out_sharding is None:
        return array
    from . import _with_jax

    return _with_jax.place(array, out_sharding)


def wide_types() -> bool:
    """Whether JAX has 64-bit types."""
    from . import _with_jax

    return _with_jax.wide_types()


def number(name: str, value: Any) -> float:
    """A finite number, also from a JAX array of rank 0."""
    if is_jax(value):
        try:
            value = np.asarray(value)
        except TypeError:  # a tracer
            raise FaninTypeError(f"`{name}` must be known when the initializer is made (got {shown(value)}): multiply "
                                 "what it draws instead") from None
    return _checks.finite(name, value)


def check_shape(shape: Any) -> Dims:
    """The shape as a tuple; the error is JAX's too."""
    try:
        return _checks.shape(shape)
    except FaninValueError as error:
        raise ShapeError(str(error)) from None


def check_dtype(dtype: DType | None, wide: bool = False) -> np.dtype[Any]:
    """The numpy dtype; None is the default one. 64-bit types become 32-bit ones, as in JAX, unless `wide`."""
    if dtype is None:
        return np.dtype(np.float64 if wide else np.float32)
    found = as_dtype(dtype)
    if wide or found.name not in _NARROW:
        return found
    narrow = np.dtype(_NARROW[found.name])
    if not any(dtype is asked for asked in (int, float, complex)):  # np.dtype(float) == float
        warn(f"`dtype` {found.name} becomes {narrow.name}, as in JAX with 64-bit types off: ask for "
             f"{narrow.name}, or use fanin's own schemes", UserWarning)
    return narrow
