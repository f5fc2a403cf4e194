"""What the factories return: objects that are called like JAX's closures, and can be compared, printed and pickled."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _call
from . import _types as core  # annotations spelled as in jax.nn.initializers: `inspect.signature` shows the same
from ._errors import UnsupportedError
from ._keys import is_jax
from ._types import Array, DTypeLikeInexact, OutShardingType

if TYPE_CHECKING:
    from ._draws import Draw

_OWN: Any = object()  # the factory's dtype; None, as in JAX, is the default type instead


class Init:
    """init(key, shape, dtype, out_sharding) of one factory call, equal to those of equal calls.

    `plan(shape, dtype)` checks both and returns the draw. `arguments` are the factory's, in its order.
    """

    def __init__(self, factory: Callable[..., Any], arguments: tuple[Any, ...], dtype: Any,
                 plan: Callable[[Any, Any], Draw] | None, shards: bool = True) -> None:
        self._factory, self._arguments, self._dtype = factory, arguments, dtype
        self._plan: Any = functools.lru_cache(64)(plan) if plan else None  # half the time of a small draw
        self._shards = shards

    def __call__(self, key: Array, shape: core.Shape, dtype: DTypeLikeInexact | None = _OWN,
                 out_sharding: OutShardingType = None) -> Array:
        if out_sharding is not None and not self._shards:
            raise UnsupportedError(f"`out_sharding` must be None for {self._factory.__name__}, as in JAX (got "
                                   f"{out_sharding!r}): place the result with jax.device_put")
        return self._make(key, shape, self._dtype if dtype is _OWN else dtype, out_sharding)

    def _make(self, key: Any, shape: Any, dtype: Any, out_sharding: Any) -> Any:
        return _call.call(self._factory.__name__, self._plan, key, shape, dtype, out_sharding)

    @property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(Init.__call__)
        _, key, shape, dtype, out_sharding = signature.parameters.values()
        return signature.replace(parameters=[key, shape, dtype.replace(default=self._dtype), out_sharding])

    def _identity(self) -> tuple[Any, ...]:
        return self._factory, tuple(_comparable(value) for value in self._arguments)

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Init) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        parameters = inspect.signature(self._factory).parameters.values()
        given = [(parameter, value) for parameter, value in zip(parameters, self._arguments, strict=True)
                 if parameter.default is parameter.empty or _comparable(value) != _comparable(parameter.default)]
        return f"{self._factory.__name__}({', '.join(_spelled(*pair) for pair in given)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return self._factory, self._arguments


def _spelled(parameter: inspect.Parameter, value: Any) -> str:
    return repr(value) if parameter.default is parameter.empty else f"{parameter.name}={value!r}"


def _comparable(value: Any) -> Any:
    """Something hashable that is equal for equal arguments."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return id(value) if is_jax(value) else value
