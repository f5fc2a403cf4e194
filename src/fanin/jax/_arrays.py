"""Tensors as JAX arrays: each device's part is drawn from where it lies, and once per process."""

from __future__ import annotations

import functools
import inspect
import math
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from .._checks import shape as check_shape
from .._dtypes import as_dtype
from .._errors import FaninMemoryError, FaninTypeError, FaninValueError, a_type, shown
from .._initializers import Initializer
from .._plans import indexing
from .._seeding import Key, Stream, check_name, check_source, take_key
from ..rules._facts import LAYOUTS, scheme_in_layout

if TYPE_CHECKING:
    from .._types import DType, Seed, Shape

ALIGNMENT = 64  # bytes: XLA uses memory of the CPU in place from such addresses on, and copies it from others


def make_array(init: str | dict[str, Any] | Initializer, shape: Shape, sharding: Any = None, *,
               dtype: DType | None = None, seed: Seed | None = None, name: str | None = None) -> jax.Array:
    """Draw a tensor as a `jax.Array` over any devices, with the bits of `init(shape, dtype, seed=seed, name=name)`.

    Each process draws only what its own devices hold, and each part once, however many devices hold a replica of it.
    No process needs the whole, and the values depend neither on the mesh nor on the number of processes. (Orthogonal
    schemes: within 1e-5·gain, 1e-13·gain for 8-byte numbers.) On CPU devices JAX uses the drawn memory in place.

    Args:
        init: a scheme, which is drawn as it is; or a name, a table or a config (`Registry.get`), in which kernels are
            JAX's, (*kernel, in, out), unless it gives a layout or a profile itself ("torch:kaiming_normal").
        shape: of the whole tensor: an int or a sequence of ints >= 0.
        sharding: any `jax.sharding.Sharding` (JAX has none that divides an axis unevenly); a `PartitionSpec` where a
            mesh is set with `jax.set_mesh`; a device; or None, the default device.
        dtype: float32 by default; any that the scheme draws and JAX has, by name or as a dtype. 64-bit types must be
            switched on (`jax_enable_x64`).
        seed: an int in [0, 2**64), a `Stream`, or None, the default stream, which each process has of its own: over
            several processes a seed must be given, the same one in each. An unnamed array takes one stream id.
        name: the parameter's name, which keys the draw.

    Returns:
        A `jax.Array` with this sharding, committed to it; without one uncommitted, as what `jax.numpy` makes.

    Raises:
        FaninValueError, FaninTypeError: an argument, or what the scheme would draw, is not possible; nothing was
            allocated, and no stream has moved.
        FaninKeyError: `init` names nothing that is known.
        FaninMemoryError: a part that doesn't fit.

    Differs from `jax.random`, whose draws over several processes need a jitted function, and a part's values the
    partitionable generator.

    >>> import fanin.jax
    >>> w = fanin.jax.make_array("he_normal", (512, 256), seed=7, name="encoder.kernel", dtype="bfloat16")
    >>> w.dtype, w.shape
    (dtype(bfloat16), (512, 256))
    """
    scheme = init if isinstance(init, Initializer) else jax_scheme(init)
    dims, dtype = check_shape(shape), check_dtype(dtype)
    scheme.describe(dims, dtype)  # a plan finds all that can be wrong with a draw
    source, name = check_source(seed), check_name(name)
    sharding = check_sharding(sharding, dims)
    check_processes(seed, [sharding])
    return draw(scheme, dims, dtype, sharding, take_key(source, name), name)


def jax_scheme(init: Any) -> Initializer:
    """The scheme of a name, table or config, in JAX's layout where it gives none; a scheme that stands at its default
    gives none."""
    if not isinstance(init, (str, dict, Initializer)):
        raise FaninTypeError(f"`init` must be a scheme, a name or a config (got {shown(init, 100)}, "
                             f"{a_type(init)})")
    return scheme_in_layout(init, LAYOUTS["jax"])


def check_dtype(dtype: Any) -> np.dtype:
    """The numpy dtype, one that JAX has as it is set now. Python's float and complex are JAX's default ones."""
    if dtype is float or dtype is complex:
        return np.dtype(jax.dtypes.canonicalize_dtype(dtype))
    wanted = as_dtype("float32" if dtype is None else dtype)
    narrow = jax.dtypes.canonicalize_dtype(wanted)
    if narrow != wanted:
        raise FaninValueError(f"`dtype` must be at most {narrow.name} while JAX's 64-bit types are off (got "
                              f"{wanted.name}): switch them on with jax.config.update('jax_enable_x64', True)")
    return wanted


def check_sharding(sharding: Any, shape: tuple[int, ...], argument: str = "sharding") -> Sharding | None:
    """A sharding over devices into which the shape divides, or None."""
    if sharding is None:
        return None
    if isinstance(sharding, jax.Device):
        return SingleDeviceSharding(sharding)
    if isinstance(sharding, PartitionSpec):
        sharding = on_mesh(argument, sharding, getattr(jax.sharding, "get_mesh", None))  # since JAX 0.6
    if not isinstance(sharding, Sharding):
        raise FaninTypeError(f"`{argument}` must be a jax.sharding.Sharding, a PartitionSpec, a device or None (got "
                             f"{shown(sharding, 100)}, {a_type(sharding)})")
    try:
        sharding.addressable_devices_indices_map(shape)
    except (ValueError, IndexError) as error:  # IndexError: a scalar over a mesh axis
        raise FaninValueError(f"`{argument}` must be over devices, and divide the shape {shape} evenly (got "
                              f"{shown(sharding)}): {error}") from None
    return sharding


def on_mesh(argument: str, spec: PartitionSpec, get_mesh: Any) -> NamedSharding:
    """A PartitionSpec on the mesh that is set."""
    mesh = get_mesh() if get_mesh is not None else None
    if mesh is None or mesh.empty:
        raise FaninValueError(f"`{argument}` must be a NamedSharding where no mesh is set (got {spec!r}): give one, or "
                              "enter jax.set_mesh")
    return NamedSharding(mesh, spec)


def check_processes(seed: Any, shardings: list[Sharding | None]) -> None:
    """Refuse the default stream for arrays over several processes: each process has its own."""
    if seed is None and not all(sharding is None or sharding.is_fully_addressable for sharding in shardings):
        raise FaninValueError("`seed` must be an int or a Stream for an array over several processes, the same in "
                              "each (got None, the default stream, which differs between them)")


def draw(scheme: Initializer, shape: tuple[int, ...], dtype: np.dtype, sharding: Sharding | None, key: Key,
         name: str | None) -> jax.Array:
    """The array, of checked arguments."""
    drawn: dict[Any, np.ndarray] = {}

    def part(index: Any) -> np.ndarray[Any, Any]:
        axes = indexing.parse(index, shape)
        if axes not in drawn:
            # a stream that stands at the draw's position gives each part the draw's stream id
            seed = Stream(key.seed, 0 if name is not None else key.stream)
            block = drawn[axes] = _aligned(indexing.result_shape(axes), dtype)
            scheme.shard(shape, index, seed=seed, name=name, out=block)
        return drawn[axes]  # which JAX may use in place: nothing writes to it from now on

    if sharding is None:
        return jax.device_put(part((Ellipsis,)))
    return jax.make_array_from_callback(shape, sharding, part, **({"dtype": dtype} if _takes_dtype() else {}))


@functools.cache
def _takes_dtype() -> bool:
    """The oldest JAX doesn't, and can't make an array of which this process has no part."""
    return "dtype" in inspect.signature(jax.make_array_from_callback).parameters


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """New memory from an address on that JAX can use in place."""
    size = math.prod(shape) * dtype.itemsize
    try:
        memory = np.empty(size + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError) as error:
        raise FaninMemoryError(f"`sharding` must leave parts that fit into memory (got one of shape {shape}): shard it "
                               f"over more processes ({error})") from None
    start = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[start:start + size].view(dtype).reshape(shape)
