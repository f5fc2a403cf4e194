"""One array of a model: what rules and the table are told of it, and whether it is a parameter at all."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any, NamedTuple

from .._dtypes import is_floating, is_known
from ..rules import Layer, Parameter


class Leaf(NamedTuple):
    """An array, or the shape and dtype of one, under its dotted name.

    Attributes:
        parameter: as rules see it.
        value: the array or `jax.ShapeDtypeStruct`.
        note: empty for a parameter that rules decide on; otherwise why it is left as it is.
        buffer: whether it could be drawn, though it is no parameter: batch statistics, a module's state.
    """

    parameter: Parameter
    value: Any
    note: str = ""
    buffer: bool = False

    @property
    def name(self) -> str:
        return self.parameter.name


def is_array(value: Any) -> bool:
    """Whether a value has a shape and a dtype: an array, a key, or a ShapeDtypeStruct; no number."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "ndim")


def leaf(name: str, value: Any, layer: Layer | None, kind: str = "") -> Leaf:
    """A leaf; `kind` says what an array is that is no parameter."""
    drawable = is_known(value.dtype) and is_floating(value.dtype)
    if not kind and not drawable:
        kind = "not a floating-point array" if is_known(value.dtype) else f"{value.dtype} is not drawn"
    return Leaf(Parameter(name, tuple(value.shape), value.dtype, layer), value, f"left as it is: {kind}" * bool(kind),
                bool(kind) and drawable)


def chosen(name: str, buffers: bool | Sequence[str]) -> bool:
    """Whether the argument `buffers` counts an array of this name as a parameter."""
    return buffers if isinstance(buffers, bool) else any(fnmatch.fnmatchcase(name, each) for each in buffers)
