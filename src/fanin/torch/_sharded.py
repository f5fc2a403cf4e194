"""Sharded tensors of torch: a rank draws the parts that it holds, without a word to the others.

A sharded tensor is a DTensor: what `fully_shard` (FSDP2), `parallelize_module` and `distribute_tensor` make. The values
are those of the whole tensor; over how many ranks it is split, and how, changes none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .._errors import FaninRuntimeError, FaninTypeError, FaninValueError, a_type
from .._seeding import Stream, check_source
from ._layout import Runs, Split, blocks, lengths, runs_held
from ._loaded import classes

Index = tuple[slice, ...]
PLAIN = (torch.Tensor, torch.nn.Parameter)


def is_sharded(tensor: Any) -> bool:
    """Whether a tensor is spread over ranks, so that `fill` draws it, or says why it can't."""
    if type(tensor) in PLAIN and "torch.distributed.fsdp" not in sys.modules:
        return False  # as nearly always: of sharded tensors FSDP1's flat parameter alone has a plain type
    return isinstance(tensor, (classes("torch.distributed.tensor", "DTensor")
                               + classes("torch.distributed.fsdp", "FlatParameter")
                               + classes("torch.distributed._shard.sharded_tensor", "ShardedTensor")))


def prepare(module: Any, seed: Any) -> None:
    """Make a module ready for drawing into its parameters; call it before they are listed.

    FSDP2 keeps parameters gathered after some forward passes: what is written into them then is lost, so their shards
    are put back, which needs no communication.

    Raises:
        FaninTypeError: it is, or holds, a module of FSDP1.
        FaninValueError: it is spread or copied over ranks, and `seed` is None.
    """
    flat = classes("torch.distributed.fsdp", "FullyShardedDataParallel")
    gathering = classes("torch.distributed.fsdp", "FSDPModule")
    if seed is not None and not flat and not gathering:
        return
    parts = list(module.modules())
    kinds = torch.nn.parallel.DistributedDataParallel, *flat, *gathering
    spread = [part for part in parts if isinstance(part, kinds)]
    for part in spread:
        if isinstance(part, flat):
            place = next(name for name, each in module.named_modules() if each is part)
            raise FaninTypeError(
                "`module` must not be in FullyShardedDataParallel, whose flat parameters have neither names nor shapes "
                f"(got {place or 'the whole module'} in it): use torch.distributed.fsdp.fully_shard instead, or "
                "initialize before wrapping")
        if isinstance(part, torch.nn.parallel.DistributedDataParallel):
            shared_seed(seed)
    for part in spread:
        if isinstance(part, gathering):
            part.reshard()
    if any(is_sharded(tensor) for part in parts for tensor in (*part._parameters.values(), *part._buffers.values())):
        shared_seed(seed)


def shared_seed(seed: Any) -> int | Stream:
    """A seed that several ranks can have in common. None is for one rank: each has a default stream of its own."""
    world = torch.distributed
    if seed is None and world.is_initialized() and world.get_world_size() > 1:
        raise FaninValueError("`seed` must be given, the same on every rank, for what is spread over several (got "
                              "None: the default stream differs from rank to rank): pass an int in [0, 2**64)")
    return check_source(seed)


def check(tensor: Any) -> None:
    """Refuse a sharded tensor that can't be drawn. Its memory is not looked at: on the meta device it has none.

    Raises:
        FaninTypeError: FSDP1's flat parameter, or a ShardedTensor.
        FaninValueError: a placement that neither splits nor copies, or a local tensor of another shape than the
            placements say.
    """
    if not isinstance(tensor, classes("torch.distributed.tensor", "DTensor")):
        raise FaninTypeError(f"a sharded tensor must be a DTensor (got {a_type(tensor)}): shard with "
                             "torch.distributed.fsdp.fully_shard or torch.distributed.tensor")
    runs, local = held(tensor.shape, tensor.device_mesh, tensor.placements), _local(tensor)
    if runs is not None and not hasattr(local, "local_shards") and tuple(local.shape) != lengths(runs):
        raise FaninValueError(
            f"a sharded tensor must have the local shape that its placements give it on this rank, {lengths(runs)} for "
            f"{tuple(tensor.shape)} over {tuple(tensor.placements)} (got {tuple(local.shape)}): give `shape` to "
            "DTensor.from_local, and split by tensor parallelism only dimensions that are multiples of its ranks")


def fill(tensor: Any, shard: Callable[[Index, torch.Tensor], Any]) -> None:
    """Draw the parts of a sharded tensor that this rank holds. No other rank takes part.

    Args:
        tensor: a DTensor, or a parameter that is one; on a rank outside its mesh nothing is drawn.
        shard: called with an index into the whole tensor and the local tensor that `[index]` is to be drawn into, which
            may be strided; once for each block of adjacent elements.

    Raises:
        FaninTypeError, FaninValueError: as `check`, or the tensor is on the meta device. Nothing was written.
    """
    check(tensor)
    if tensor.is_meta:
        raise FaninValueError("a sharded tensor must have memory (got one on the meta device): call "
                              "module.to_empty(device=...) first")
    for index, part in parts(tensor):
        if part.numel():
            shard(index, part)
    torch.autograd.graph.increment_version(tensor)  # the local tensor has a version of its own, which `out=` moves


def held(shape: Any, mesh: Any, placements: Any) -> list[Runs] | None:
    """The indices along each dimension that this rank holds; None on a rank outside the mesh.

    Raises:
        FaninValueError: a placement that neither splits nor copies.
    """
    from torch.distributed.tensor import Replicate, Shard
    from torch.distributed.tensor.placement_types import _StridedShard

    if torch.__version__ < (2, 10) and any(isinstance(placement, _StridedShard) for placement in placements):
        raise FaninRuntimeError(f"strided shards (FSDP2 over tensor parallelism) need torch 2.10 or newer (got "
                                f"{torch.__version__}): older ones lie otherwise in the whole tensor")
    splits: list[list[Split]] = [[] for _ in shape]
    coordinate = mesh.get_coordinate()
    for axis, placement in enumerate(placements):
        if isinstance(placement, (Shard, _StridedShard)):
            position = 0 if coordinate is None else coordinate[axis]
            splits[placement.dim].append(Split(mesh.size(axis), position, getattr(placement, "split_factor", 1)))
        elif not isinstance(placement, Replicate):
            raise FaninValueError(f"`placements` must be Shard or Replicate (got {placement!r}): a summand has no "
                                  "values of its own to draw")
    if coordinate is None:
        return None
    return [runs_held(size, cuts) for size, cuts in zip(shape, splits, strict=True)]


def parts(tensor: Any) -> Iterator[tuple[Index, torch.Tensor]]:
    """An index into the whole tensor, and the memory behind it, of each block that this rank holds."""
    local = _local(tensor)
    if hasattr(local, "local_shards"):  # a LocalShardsWrapper (TorchRec): tensors that lie anywhere, one after another
        for chunk, part in zip(local.__create_chunk_list__(), local.local_shards()):
            yield tuple(slice(start, start + size) for start, size in zip(chunk.offsets, chunk.sizes)), part
        return
    runs = held(tensor.shape, tensor.device_mesh, tensor.placements)
    for index, place in blocks(runs) if runs is not None else ():
        yield index, local[place]


def _local(tensor: Any) -> Any:
    with torch.no_grad():  # else autograd records it
        return tensor.to_local().detach()
