"""One value everywhere, or an array's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from .._drawing.arrays import as_numpy
from .._dtypes import COMPLEX, FLOAT8, FLOATING, WHOLE
from .._errors import FaninError, FaninTypeError, FaninValueError, a_type, shown
from .._plans.plan import ArrayPlan
from .._plans.spec import cast
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Constant(Initializer):
    """Every element is `value`.

    Args:
        value: a bool, int, float or complex number, or an array that broadcasts to the shape: nested lists, numpy's,
            torch's (a Parameter too), or one with DLPack. It is copied. NaN and infinities are kept as they are.

    Any dtype, integers and bool too, and any shape.

    Raises:
        FaninTypeError: value is neither a number nor an array of numbers.
        FaninValueError: when drawn, value does not broadcast to the shape, or the dtype cannot hold it: a fraction or a
            number out of range for an integer type, an imaginary part for a real one, an overflow.

    Keras' `Constant` has the same default, 0; torch's and JAX's have none.

    >>> Constant(0.5)((2, 2))
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    >>> Constant([0, 1, 2])((2, 3), dtype="int64")
    array([[0, 1, 2],
           [0, 1, 2]])
    """

    # a command line's parser takes the first type that fits: a 3 must stay an int, and [1, 2] a list
    def __init__(self, value: bool | int | float | complex | Sequence[Any] | np.ndarray[Any, Any] = 0.0) -> None:
        self.value: Any = _number_or_array(value)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        if not isinstance(self.value, np.ndarray):
            if self.value != self.value:  # NaN has neither mean nor std, and would make equal plans unequal
                return spec.fill(self.value, std=None)
            return spec.fill(self.value, mean=self.value)
        trailing = spec.shape[spec.ndim - self.value.ndim:]
        if self.value.ndim > spec.ndim or any(dim not in (1, whole)
                                              for dim, whole in zip(self.value.shape, trailing, strict=True)):
            raise FaninValueError(f"`value` must broadcast to the shape {spec.shape} (got an array of shape "
                                  f"{self.value.shape})")
        cast(self.value, spec.dtype)  # refuses values that the dtype can't hold
        return ArrayPlan(spec.shape, spec.dtype, self)


def _number_or_array(value: Any) -> Any:
    if isinstance(value, (bool, int, float, complex)) and not isinstance(value, np.generic):
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise FaninValueError(f"`value` must fit into 64 bits (got {shown(value)})")
        return value
    try:
        array = as_numpy("value", value)
    except FaninError:
        raise
    except Exception as error:  # whatever the array of an unknown library raises
        raise FaninTypeError(f"`value` must be a number or an array of numbers: {error}") from None
    if array.dtype.name not in FLOATING + COMPLEX + FLOAT8 + WHOLE:
        raise FaninTypeError(f"`value` must be a number or an array of numbers (got {shown(value, 100)}, "
                             f"{a_type(value)})")
    return array.item() if array.ndim == 0 else array
