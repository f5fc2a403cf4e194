"""Changes of all elements of an array, in place: what some systems do besides drawing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from ..._drawing import arrays
from ..._dtypes import WHOLE
from ..._errors import FaninTypeError

if TYPE_CHECKING:
    from .types import T


def round_toward_zero(target: T) -> T:
    """Cut the fractions of the elements. Returns the array."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(target, torch.Tensor):
        _require_real(target.dtype.is_complex, target.dtype)
        with torch.no_grad():
            return target.trunc_()
    view, written = arrays.writable(target)
    _require_real(view.dtype.kind == "c", view.dtype)
    if view.dtype.name not in WHOLE:
        np.trunc(view, out=view)
        written()
    return target


def _require_real(is_complex: bool, dtype: object) -> None:
    if is_complex:
        raise FaninTypeError(f"`t` must be of a real dtype to be rounded (got {dtype})")


def negate(target: T) -> T:
    """Turn the signs of the elements. Returns the array."""
    view, written = arrays.writable(target)
    np.negative(view, out=view)
    written()
    return target
