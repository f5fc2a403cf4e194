"""Threefry keys: from seeds, from each other, and from what JAX calls a key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..._checks import MAX_ELEMENTS, finite, flag, integer
from ..._errors import FaninTypeError, FaninValueError, a_type, shown
from ._errors import SeedOverflowError
from ._threefry import threefry

LOW = 0xFFFFFFFF


class Key(np.ndarray):
    """A Threefry key, or an array of them: uint32 of shape (..., 2), like JAX's raw keys, that knows its layout.

    `partitionable` says which words belong to which element: JAX's layout of today, or the original one. Indexing
    and iterating give keys of the same layout; arithmetic gives plain arrays. Keys are read-only.
    """

    partitionable: bool

    def __new__(cls, words: Any, partitionable: bool = True) -> Key:
        key = np.array(words, np.uint32).view(cls)
        key.partitionable = partitionable
        key.flags.writeable = False
        return key

    def __array_finalize__(self, source: Any) -> None:
        self.partitionable = getattr(source, "partitionable", True)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array)[()] if return_scalar else np.asarray(array)

    def __reduce__(self) -> Any:
        return Key, (self.tolist(), self.partitionable)

    def __repr__(self) -> str:
        return f"Key({self.tolist()}, partitionable={self.partitionable})"

    @property
    def seed(self) -> int:
        """The 64-bit seed that has these words: `key(5).seed` is 5."""
        return int(self[0]) << 32 | int(self[1])


def key(seed: Any, partitionable: bool = True) -> Key:
    """The key of a seed, as `jax.random.key` makes it with 64-bit types off: the words [0, seed mod 2**32].

    Args:
        seed: an int in [-2**63, 2**63), of which the low 32 bits count, or a numpy integer.
        partitionable: the layout: True is JAX's default since 0.5, False the original one, which JAX has with
            `jax_threefry_partitionable` off and whose values flax's documentation prints.

    Raises:
        FaninTypeError: not an integer.
        OverflowError (a FaninValueError too): outside [-2**63, 2**63).

    >>> key(2**32 + 5)
    Key([0, 5], partitionable=True)
    >>> key(-1)
    Key([0, 4294967295], partitionable=True)
    """
    if isinstance(seed, np.ndarray) and seed.ndim:
        raise FaninTypeError(f"`seed` must be a scalar (got an array of shape {seed.shape})")
    number = int(seed) if isinstance(seed, (bool, np.bool_)) else integer("seed", seed)
    if not isinstance(seed, (np.generic, np.ndarray)) and not -2**63 <= number < 2**63:
        raise SeedOverflowError(f"`seed` must be in [-2**63, 2**63) (got {shown(number)})")
    return Key([0, number & LOW], flag("partitionable", partitionable))


def split(key: Any, num: int | tuple[int, ...] = 2) -> Any:
    """`num` new keys, or an array of them of shape `num`, as `jax.random.split` makes them.

    Args:
        key: a `Key`, a raw pair of uint32 (which stands for the partitionable layout), or a `jax.random` key, for
            which JAX answers with its own.
        num: an int >= 0, or a shape.

    >>> first, second = split(key(0))
    >>> first
    Key([1797259609, 2579123966], partitionable=True)
    """
    if is_jax(key):
        import jax

        return jax.random.split(key, num)
    return split_key(as_key("split", key), num)


def fold_in(key: Any, data: Any) -> Any:
    """A new key made of a key and an int, as `jax.random.fold_in` makes it.

    Args:
        key: as in `split`.
        data: an int in [0, 2**32), or a numpy number, of which the low 32 bits count.

    Raises:
        FaninTypeError: not a number. OverflowError (a FaninValueError too): an int outside [0, 2**32).

    >>> fold_in(key(0), 1)
    Key([928981903, 3453687069], partitionable=True)
    """
    if is_jax(key) or is_jax(data):
        import jax

        return jax.random.fold_in(key, data)
    words = as_key("fold_in", key)
    if isinstance(data, (np.generic, np.ndarray)):
        if np.ndim(data):
            raise FaninTypeError(f"`data` must be a scalar (got an array of shape {np.shape(data)})")
        number = int(data) & LOW
    else:
        if isinstance(data, float):
            data = int(finite("data", data))
        number = int(data) if isinstance(data, bool) else integer("data", data)
        if not 0 <= number <= LOW:
            raise SeedOverflowError(f"`data` must be in [0, 2**32) (got {shown(number)})")
    return Key(_apply(words, np.zeros(1, np.uint32), np.array([number], np.uint32))[0], words.partitionable)


def split_key(words: Key, num: Any) -> Key:
    """`split` of a `Key`."""
    shape = tuple(integer("num", dim) for dim in (num if isinstance(num, (tuple, list)) else (num,)))
    if min(shape, default=0) < 0:
        raise FaninValueError(f"`num` must be >= 0 (got {shown(num)})")
    count = math.prod(shape)
    if count > MAX_ELEMENTS:
        raise FaninValueError(f"`num` must be at most 2**61 keys (got {shown(num)})")
    if words.partitionable:
        numbers = np.arange(count, dtype=np.uint64)
        pairs = _apply(words, (numbers >> np.uint64(32)).astype(np.uint32), numbers.astype(np.uint32))
    else:  # 2·count words of the counters (p, count + p), first words first
        numbers = np.arange(2 * count, dtype=np.uint32)
        pairs = _apply(words, numbers[:count], numbers[count:]).T
    return Key(pairs.reshape(*shape, 2), words.partitionable)


def _apply(words: Key, first: Any, second: Any) -> Any:
    """Threefry of arrays of counters, as an array (n, 2)."""
    # keys as arrays of one element: numpy warns when scalars wrap round, and not when arrays do
    return np.stack(threefry(np.asarray(words[:1]), np.asarray(words[1:]), first, second), axis=-1)


def is_jax(value: object) -> bool:
    """Whether a value is JAX's own: an array, a key, or a tracer."""
    return type(value).__module__.partition(".")[0] in ("jax", "jaxlib")


def as_key(name: str, key: Any) -> Key:
    """A single `Key` from one, or from a raw pair of uint32."""
    words = np.array(key) if isinstance(key, (tuple, list)) else key  # JAX refuses tuples and lists
    if isinstance(key, (tuple, list)) and words.dtype.kind in "iu" and ((words >= 0) & (words <= LOW)).all():
        words = words.astype(np.uint32)
    if not isinstance(words, np.ndarray) or words.dtype != np.uint32 or words.shape[-1:] != (2,):
        raise FaninTypeError("`key` must be a fanin.compat.jax.key, a jax.random key or a pair of uint32 (got "
                             f"{shown(key)}, {a_type(key)})")
    if words.ndim > 1:
        raise FaninValueError(f"`key` must be a single key for {name} (got an array of keys of shape "
                              f"{words.shape[:-1]}): call it once for each")
    return words if isinstance(words, Key) else Key(words)
