"""Zeros, Ones, Constant and Identity: the initializers without random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from ..._checks import shape as check_shape
from ..._dtypes import WHOLE
from ..._errors import FaninTypeError, FaninValueError, a_type, shown
from . import _link
from ._base import KERAS, Drawn, number

if TYPE_CHECKING:
    from ..._initializers import Initializer as Scheme
    from ..._types import Array, Dims, DType, Shape


class Zeros(Drawn):
    """Zero everywhere, for any dtype: also integers and bool.

    >>> Zeros()((2, 2))
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """

    @override
    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        return KERAS.preset("zeros")


class Ones(Drawn):
    """One everywhere, for any dtype: also integers and bool.

    >>> Ones()((2, 2), "int32")
    array([[1, 1],
           [1, 1]], dtype=int32)
    """

    @override
    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        return KERAS.preset("ones")


class Constant(Drawn):
    """`value` everywhere.

    Args:
        value: a number, or an array that broadcasts to the shape. Integer dtypes keep a number without its fraction,
            as in Keras.

    Raises:
        FaninTypeError: value is neither a number nor an array of numbers.
        FaninValueError: when drawn, value doesn't broadcast to the shape or the dtype can't hold it.

    Mended: in Keras, `get("constant")` and `from_config({})` raise KeyError, an array that is larger than `shape` gives
    the array's shape, and a number that overflows the dtype becomes an infinity.

    >>> Constant(10.0)((2, 2))
    array([[10., 10.],
           [10., 10.]], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value: complex | Array = number(decode(value))
        if isinstance(self.value, (bool, int, float, complex)):
            return
        if not _link.is_tensor(self.value) and not isinstance(self.value, list | tuple):
            raise FaninTypeError(f"`value` must be a number or an array of numbers (got {shown(value, 100)}, "
                                 f"{a_type(value)})")
        self.value = _link.as_numpy(self.value)
        KERAS.preset("constant", value=self.value)

    @override
    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        if not isinstance(self.value, np.ndarray):
            return KERAS.constant(self.value, dtype)
        return KERAS.preset("constant", value=without_fraction(self.value, dtype))

    @override
    def get_config(self) -> dict[str, Any]:
        """The value, as JSON can hold it: an array as Keras writes it."""
        return {"value": encode(self.value)}


class Identity(Drawn):
    """A matrix with `gain` where row equals column, zero elsewhere; rectangular too.

    Args:
        gain: a finite number.

    Raises:
        FaninTypeError: gain is not a number.
        FaninValueError: gain is not finite; when drawn: the shape is not a matrix's, or the dtype can't hold gain.

    Mended: Keras loses the gain in the config, and so in a saved model, and returns floats for integer dtypes and bool.

    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    >>> Identity.from_config(Identity(2.0).get_config()).gain
    2.0
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain: float = number(gain)
        self._preset()

    def _preset(self) -> Scheme:
        return KERAS.preset("identity", gain=self.gain)

    @override
    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        KERAS.require_rank(shape, 2, 2, hint="an identity is a matrix", name="shape")
        return self._preset()

    @override
    def get_config(self) -> dict[str, Any]:
        """The gain."""
        return {"gain": self.gain}


def without_fraction(array: Array, dtype: np.dtype[Any]) -> Array:
    """An array's values as an integer or bool dtype takes them: as Keras casts, toward zero."""
    if dtype.name == "bool":
        return array.astype(bool)
    return np.trunc(array) if dtype.name in WHOLE and array.dtype.kind == "f" else array


def from_array(array: Any) -> Callable[..., Any]:
    """An initializer, a function, that has an array's values and takes its shape only."""
    values = _link.as_numpy(array)

    def initialize(shape: Shape, dtype: DType | None = None) -> Any:
        wanted = check_shape(shape)
        if wanted != values.shape:
            raise FaninValueError(f"`shape` must be that of the array, {values.shape} (got {wanted})")
        return Constant(values)(wanted, dtype)

    return initialize


def encode(value: Any) -> Any:
    """A parameter for a config: an array as Keras writes numpy's, all else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}


def decode(value: Any) -> Any:
    """The inverse of `encode`; also reads how Keras writes tensors."""
    if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
        return np.array(value["config"]["value"], _link.standardize_dtype(value["config"]["dtype"]))
    return value
