"""The link to Keras where it is installed: its base class, tensors, dtypes and registry. Without it, numpy's."""

from __future__ import annotations

import contextlib
import random
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..._dtypes import as_dtype
from ..._errors import FaninRuntimeError, FaninTypeError, FaninValueError
from ...stream import words

if TYPE_CHECKING:
    from typing import Self

    from ..._types import Array, DType, Shape

C = TypeVar("C", bound=type)


def _import_keras() -> Any:
    try:
        import keras
    except ModuleNotFoundError:  # not installed, or without the backend that KERAS_BACKEND names: unusable either way
        return None
    return keras


keras = _import_keras()

PACKAGE = "fanin"  # what Keras' registry files the classes under: "fanin>HeNormal"

# What Keras takes Python's types for (keras.backend.standardize_dtype); numpy would make them 64 bits wide.
_PYTHON_TYPES = {bool: "bool", int: "int32", float: "float32", "int": "int32", "float": "float32"}


class _Initializer:
    """The base class of Keras' initializers, here as Keras isn't installed: override `__call__` and `get_config`.

    >>> import numpy as np
    >>> class Halves(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return np.full(shape, 0.5, dtype or "float32")
    >>> Halves().clone()((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: DType | None = None) -> Any:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict that JSON can hold."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The initializer that `get_config` described."""
        return cls(**config)

    def clone(self) -> Self:
        """A copy made from the config; unseeded, it draws other values than the original."""
        return self.__class__.from_config(self.get_config())


if TYPE_CHECKING:
    Initializer = _Initializer
else:
    Initializer = _Initializer if keras is None else keras.initializers.Initializer


def registered(cls: C) -> C:
    """Enter a class into Keras' registry, so that saved models find it. A decorator."""
    if keras is not None:
        keras.saving.register_keras_serializable(PACKAGE)(cls)
    return cls


def custom(name: str, custom_objects: dict[str, Any] | None) -> Any:
    """What a user registered with Keras, or passes in `custom_objects`, under a name; else None."""
    if keras is None:
        return (custom_objects or {}).get(name)
    return keras.saving.get_registered_object(name, custom_objects)


def standardize_dtype(dtype: Any) -> np.dtype[Any]:
    """A numpy dtype from what Keras takes for one; None is Keras' floatx, float32 unless it was changed."""
    try:
        if keras is not None:
            dtype = keras.backend.standardize_dtype(dtype)
        elif dtype is None or isinstance(dtype, (type, str)):
            dtype = "float32" if dtype is None else _PYTHON_TYPES.get(dtype, dtype)
        return as_dtype(dtype)
    except (FaninTypeError, ValueError) as error:  # Keras' own is a ValueError
        text = str(error)
    raise FaninValueError(text if text.startswith("`dtype`") else f"`dtype` must be one that Keras has (got {dtype!r})")


def tensor(array: Array) -> Any:
    """The array as a tensor of Keras' backend, never a traced one; without Keras, the array."""
    if keras is None:
        if sys.modules.get("keras") is not None:
            raise FaninRuntimeError("Keras must be importable when fanin.compat.keras is imported (it was not, and is "
                                    "loaded now): set KERAS_BACKEND to an installed backend before")
        return array
    with eager():
        return keras.ops.convert_to_tensor(array, dtype=array.dtype.name)


def eager() -> AbstractContextManager[Any]:
    """A context in which JAX computes at once, also while it traces a function: what is drawn here is on the host."""
    if keras is not None and keras.backend.backend() == "jax":
        import jax

        return jax.ensure_compile_time_eval()
    return contextlib.nullcontext()


def is_tensor(value: Any) -> bool:
    """Whether a value is an array: numpy's, the backend's, or another library's that numpy can read."""
    return isinstance(value, np.generic) or hasattr(value, "__array__") and hasattr(value, "shape") \
        or keras is not None and keras.ops.is_tensor(value)


def as_numpy(value: Any) -> Array:
    """A tensor of Keras' backend, or another array, as numpy's."""
    return np.asarray(value) if keras is None else np.asarray(keras.ops.convert_to_numpy(value))


def default_seed() -> int:
    """A random seed. As in Keras from Python's `random`, which keras.utils.set_random_seed seeds; else fanin's own."""
    if keras is not None:
        return random.getrandbits(64)
    return int.from_bytes(words(count=2, device="reference").tobytes(), "little")
