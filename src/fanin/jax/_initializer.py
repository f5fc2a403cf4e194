"""Schemes as JAX initializers: called with a key, also where the key is not known yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from .._checks import shape as check_shape
from .._errors import FaninTypeError, FaninValueError, a_type, shown
from .._initializers import Initializer
from .._seeding import Key
from ._arrays import check_dtype, check_sharding, draw, jax_scheme, on_mesh

if TYPE_CHECKING:
    from .._types import DType, Shape


def initializer(init: str | dict[str, Any] | Initializer) -> KeyedInitializer:
    """Make an initializer for a layer of JAX or flax: `kernel_init=fanin.jax.initializer("he_normal")`.

    The two words of its key are the low and the high half of the seed: seed = k0 + 2**32·k1. The array is
    `scheme(shape, dtype, seed=seed)`, the same bits outside and under jit, vmap, scan, shard_map, and nothing is drawn
    under eval_shape. A traced call draws on the host, in a `jax.pure_callback`.

    The axes of a kernel are in JAX's order, (*kernel, in, out), unless `init` says otherwise.

    Args:
        init: a name ("he_normal", "jax:kaiming_normal"), a table ({"name": "normal", "std": 0.02}), a config or a
            scheme. A layout that it gives, in a table or by a profile, is kept. A scheme's that is the default, "oi*",
            says nothing, as in rules: give a table, or use `KeyedInitializer(scheme)`, which changes nothing.

    Returns:
        A `KeyedInitializer`, to be called with (key, shape, dtype=float32, out_sharding=None).

    Raises:
        FaninTypeError, FaninValueError, FaninKeyError: `init` is none of these.

    Differs from `jax.nn.initializers` in the numbers; in what a name means where the profile "jax" differs (plain
    `kaiming_normal` isn't truncated); and half types are drawn in float32 and rounded once.

    >>> import jax
    >>> import fanin.jax
    >>> init = fanin.jax.initializer("he_normal")
    >>> w = init(jax.random.key(5), (512, 256))
    >>> bool((w == init.scheme((512, 256), seed=5 << 32)).all()), init.scheme.layout
    (True, '*io')
    """
    return KeyedInitializer(jax_scheme(init))


class KeyedInitializer:
    """A scheme that is called with a JAX key; immutable, compared and hashed by value, with a pickle.

    So modules that hold equal ones are equal, and jit doesn't trace them again.

    Args:
        scheme: what is drawn.

    >>> from fanin import Normal
    >>> import fanin.jax
    >>> fanin.jax.initializer("normal") == fanin.jax.KeyedInitializer(Normal())
    True
    """

    __slots__ = ("_scheme",)

    def __init__(self, scheme: Initializer) -> None:
        if not isinstance(scheme, Initializer):
            raise FaninTypeError(f"`scheme` must be an Initializer (got {shown(scheme, 100)}, {a_type(scheme)})")
        self._scheme = scheme

    @property
    def scheme(self) -> Initializer:
        """What is drawn."""
        return self._scheme

    def __call__(self, key: Any, shape: Shape, dtype: DType | None = np.float32, out_sharding: Any = None
                 ) -> jax.Array:
        """Draw an array.

        Args:
            key: one key of two words, traced or not: `jax.random.key`'s, or a raw uint32 pair. (An "rbg" key has four.)
            shape: an int or a sequence of ints >= 0.
            dtype: as in `make_array`.
            out_sharding: a NamedSharding, a PartitionSpec where a mesh is set, or None. Each device then draws its own
                part. Without it a traced call is drawn whole, on the host of the jitted function's first device, and
                where the function's result is sharded XLA sends the whole to each device, which cuts its part out.

        Raises:
            FaninValueError, FaninTypeError: an argument, or what the scheme would draw, is not possible. In a jitted
                function they are raised when it is traced.
        """
        dims, dtype = check_shape(shape), check_dtype(dtype)
        words = _words(key)
        self._scheme.describe(dims, dtype)  # what a plan accepts no callback refuses
        if not isinstance(words, jax.core.Tracer):
            sharding = check_sharding(out_sharding, dims, "out_sharding")
            return draw(self._scheme, dims, dtype, sharding, Key(_seed(np.asarray(words)), 0), None)
        if out_sharding is None:
            array = self._callback(dims, dtype, (), dims, words)
            # where a mesh is set JAX 0.10 raises on the result of a callback, which is on one device, unless something
            # follows that XLA may place
            return jax.lax.optimization_barrier(array) if _mesh_is_set() else array
        return self._sharded(dims, dtype, _traced_sharding(out_sharding, dims), words)

    def _sharded(self, shape: tuple[int, ...], dtype: np.dtype[Any], sharding: NamedSharding, words: Any) -> jax.Array:
        """Each device calls back for its own part."""
        local = sharding.shard_shape(shape)
        divided = [(axis, names) for axis, names in enumerate(sharding.spec) if names is not None]

        def part(words: Any) -> jax.Array:
            numbers = [jax.lax.axis_index(names) for _, names in divided]
            return self._callback(shape, dtype, [axis for axis, _ in divided], local, words, *numbers)

        return _shard_map(part, sharding.mesh, sharding.spec)(words)

    def _callback(self, shape: tuple[int, ...], dtype: np.dtype[Any], divided: Sequence[int], local: tuple[int, ...],
                  words: Any, *numbers: Any) -> jax.Array:
        """The part of shape `local` that has these numbers along the axes in `divided`, drawn on the host."""
        def host(words: Any, *numbers: Any) -> np.ndarray[Any, Any]:
            # each has as many more axes in front as there are vmaps around
            words, places = np.asarray(words), [np.asarray(number) for number in numbers]
            drawn = np.empty(words.shape[:-1] + local, dtype)
            for one in np.ndindex(words.shape[:-1]):
                index = [slice(None)] * len(shape)
                for axis, number in zip(divided, places):
                    index[axis] = slice(int(number[one]) * local[axis], (int(number[one]) + 1) * local[axis])
                self._scheme.shard(shape, tuple(index), seed=_seed(words[one]), out=drawn[(*one, ...)])
            return drawn

        return jax.pure_callback(host, jax.ShapeDtypeStruct(local, dtype), words, *numbers,
                                 vmap_method="broadcast_all")  # "sequential" takes seven times as long

    def __eq__(self, other: object) -> bool:
        return self._scheme == other._scheme if isinstance(other, KeyedInitializer) else NotImplemented

    def __hash__(self) -> int:
        return hash((KeyedInitializer, self._scheme))

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyedInitializer, (self._scheme,)

    def __repr__(self) -> str:
        return f"KeyedInitializer({self._scheme!r})"


def _words(key: Any) -> Any:
    """The two words of a key; as a tracer, in a traced function, also where the key itself is known."""
    if not isinstance(key, (jax.Array, np.ndarray)):
        raise FaninTypeError(f"`key` must be a jax.random key (got {shown(key, 100)}, {a_type(key)})")
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed and (key.dtype != np.uint32 or not key.ndim):
        raise FaninTypeError(f"`key` must be a jax.random key (got an array of {key.dtype}{list(key.shape)})")
    words = jax.random.key_data(key) if typed else jnp.bitwise_or(key, np.uint32(0))
    if words.shape[-1] != 2:
        raise FaninValueError("`key` must have two words, the halves of a seed (got one of "
                              f"{words.shape[-1]}, as 'rbg' keys are): make it with jax.random.key(seed, "
                              "impl='threefry2x32')")
    if words.ndim > 1:
        raise FaninValueError(f"`key` must be a single key (got an array of shape {words.shape[:-1]}): use jax.vmap")
    return words


def _seed(words: np.ndarray[Any, Any]) -> int:
    return int(words[0]) | int(words[1]) << 32


def _mesh_is_set() -> bool:
    return hasattr(jax.sharding, "get_abstract_mesh") and not jax.sharding.get_abstract_mesh().empty


def _traced_sharding(sharding: Any, shape: tuple[int, ...]) -> NamedSharding:
    if isinstance(sharding, PartitionSpec):
        sharding = on_mesh("out_sharding", sharding, getattr(jax.sharding, "get_abstract_mesh", None))
    if not isinstance(sharding, NamedSharding):
        raise FaninTypeError("`out_sharding` must be a NamedSharding, a PartitionSpec or None in a traced function "
                             f"(got {shown(sharding, 100)})")
    try:
        sharding.shard_shape(shape)
    except (ValueError, IndexError) as error:
        raise FaninValueError(f"`out_sharding` must divide the shape {shape} evenly (got {shown(sharding)}): {error}"
                              ) from None
    return sharding


def _shard_map(function: Callable[..., jax.Array], mesh: Any, out_specs: PartitionSpec) -> Callable[..., jax.Array]:
    if hasattr(jax, "shard_map"):
        return jax.shard_map(function, mesh=mesh, in_specs=PartitionSpec(), out_specs=out_specs)
    from jax.experimental.shard_map import shard_map

    return shard_map(function, mesh, PartitionSpec(), out_specs, check_rep=False)
