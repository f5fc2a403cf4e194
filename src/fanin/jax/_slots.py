"""One array of a model: what rules and the table are told of it, and whether it is a parameter at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import jax

from .._dtypes import FLOAT8, is_floating, is_known
from ..rules import Layer, Parameter
from ..rules._slots import Slot

Arrays: TypeAlias = Iterable[tuple[str, jax.Array]]  # by the names of slots


def is_array(value: Any) -> bool:
    """Whether a value has a shape and a dtype: an array, a key, or a ShapeDtypeStruct; no number."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "ndim")


def slot_of(name: str, value: Any, layer: Layer | None, kind: str = "", tied: str = "") -> Slot:
    """The slot of an array, or of the shape and dtype of one, which is its `place`.

    `kind` says what an array is that is no parameter. If it could be drawn all the same it is a buffer.
    """
    drawable = is_known(value.dtype) and is_floating(value.dtype)
    if not kind and not drawable:
        whole = is_known(value.dtype) and value.dtype.name not in FLOAT8
        kind = "not a floating-point array" if whole else f"{value.dtype} is not drawn"
    left = f"left as it is: {kind}" if kind else ""
    return Slot(Parameter(name, tuple(value.shape), value.dtype, layer), value, tied, left, drawable and bool(kind))
