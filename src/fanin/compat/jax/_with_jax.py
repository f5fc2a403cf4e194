"""Where JAX's own arrays come in: keys of jax.random, tracers, shardings. Imported when one does; imports jax then."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._errors import FaninTypeError, FaninValueError
from ._errors import UnsupportedError
from ._keys import Key


def wide_types() -> bool:
    return bool(jax.config.jax_enable_x64)


def draw(name: str, host: Any, key: Any, shape: Any, dtype: Any, out_sharding: Any) -> Any:
    """host(key) as a JAX array; in a transformed function, as a callback to the host that runs when the key is known.

    The callback gives the same bits under jit, vmap and scan as outside, where XLA's own fusions would not.
    """
    words = _words(name, key)
    partitionable = bool(jax.config.jax_threefry_partitionable)
    if isinstance(words, jax.core.Tracer):
        array = jax.pure_callback(lambda pair: host(Key(np.asarray(pair), partitionable)),
                                  jax.ShapeDtypeStruct(shape, dtype), words, vmap_method="sequential")
    else:
        array = jnp.asarray(host(Key(np.asarray(words), partitionable)))
    return array if out_sharding is None else place(array, out_sharding)


def _words(name: str, key: Any) -> Any:
    """The two words of a typed or a raw key of JAX."""
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        generator = str(jax.random.key_impl(key))
        if generator != "threefry2x32":
            raise UnsupportedError(f"`key` must be a threefry2x32 key (got one of {generator}): make it with "
                                   "jax.random.key(seed, impl='threefry2x32')")
        batch, words = key.shape, jax.random.key_data(key)
    else:
        if key.dtype != np.uint32 or key.shape[-1:] != (2,):
            raise FaninTypeError(f"`key` must be a jax.random key (got an array of {key.dtype}{list(key.shape)})")
        batch, words = key.shape[:-1], key
    if batch:
        raise FaninValueError(f"`key` must be a single key for {name} (got an array of keys of shape {batch}): use "
                              "jax.vmap")
    return words


def place(array: Any, out_sharding: Any) -> Any:
    """The array laid out over devices."""
    if not isinstance(out_sharding, jax.sharding.NamedSharding | jax.sharding.PartitionSpec):
        raise FaninTypeError("`out_sharding` must be a jax.sharding.NamedSharding, a PartitionSpec or None (got "
                             f"{out_sharding!r})")
    if isinstance(out_sharding, jax.sharding.PartitionSpec) and jax.sharding.get_abstract_mesh().empty:
        raise FaninValueError("`out_sharding` must be a NamedSharding where no mesh is set (got "
                              f"{out_sharding!r}): give one, or enter jax.set_mesh")
    return jax.device_put(array, out_sharding)


def full(shape: Any, value: Any, dtype: Any, out_sharding: Any) -> Any:
    """A constant JAX array, also of a traced value."""
    array = jnp.full(shape, value, dtype)
    return array if out_sharding is None else place(array, out_sharding)
