"""Names for what arguments may be, spelled as in jax.nn.initializers, so that `inspect.signature` shows the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

Array: TypeAlias = Any  # a numpy array; a jax.Array where the key is one
ArrayLike: TypeAlias = Any
DTypeLikeInexact: TypeAlias = Any
OutShardingType: TypeAlias = Any  # a jax.sharding.NamedSharding or PartitionSpec
RealNumeric: TypeAlias = Any  # a number, or an array of rank 0
Shape: TypeAlias = int | Sequence[int]


@runtime_checkable
class Initializer(Protocol):
    """What each factory returns, and `zeros` and `ones` are: a function of a key, a shape and a dtype."""

    def __call__(self, key: Array, shape: Shape, dtype: DTypeLikeInexact | None = None,
                 out_sharding: OutShardingType = None) -> Array:
        raise NotImplementedError
