"""`distribute`: a new DTensor, of which each rank draws its own part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from .._backends import check_device
from .._checks import shape as check_shape
from .._dtypes import as_dtype
from .._errors import FaninTypeError, FaninValueError, a_type, shown
from .._initializers import Registry
from .._seeding import Stream, check_name
from ._layout import lengths
from ._sharded import fill, held, shared_seed

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor, Placement

    from .._initializers import Initializer
    from .._types import DType, Seed, Shape


def distribute(init: Initializer | str | dict[str, Any], shape: Shape, mesh: DeviceMesh,
               placements: Sequence[Placement], *, dtype: DType | None = None, seed: Seed | None = None,
               name: str | None = None) -> DTensor:
    """Draw a new sharded tensor: each rank draws only its own part, without communication.

    The values are those of `init(shape, dtype, seed=seed, name=name)` on any mesh, with any placements; for orthogonal
    schemes they agree within the promised bound.

    Args:
        init: a scheme, or what `Registry.get` takes: a name, "profile:name" or a config.
        shape: of the whole tensor; an int or a sequence of ints >= 0.
        mesh: a `torch.distributed.DeviceMesh`; its device type says where the parts are: "cpu" or "cuda".
        placements: a `Shard` or `Replicate` for each dimension of the mesh; sizes need not be divisible.
        dtype: torch's default dtype unless given; as when a scheme is called.
        seed: an int in [0, 2**64), or a `Stream` at the same position; the same on every rank. It must be given,
            because each process has its own default stream.
        name: the parameter's name. With the seed it determines the values.

    Returns:
        A DTensor that requires no gradient; `torch.nn.Parameter(...)` makes a parameter of it.

    Raises:
        FaninValueError, FaninTypeError: an argument, or what the scheme would draw, is not possible; nothing was
            allocated, and no stream has moved.

    torch's own `torch.distributed.tensor.randn` and, on a DTensor, `torch.nn.init.normal_` give other values on each
    mesh, and on a mesh of CPUs every rank the same ones.

    >>> import fanin
    >>> from torch.distributed import DeviceMesh, HashStore, destroy_process_group, init_process_group
    >>> from torch.distributed.tensor import Shard
    >>> init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    >>> weight = distribute("he_normal", (512, 256), DeviceMesh("cpu", [0]), [Shard(0)], seed=7, name="encoder.weight")
    >>> whole = fanin.Registry.get("he_normal")((512, 256), seed=7, name="encoder.weight")
    >>> bool((weight.full_tensor().numpy() == whole).all())
    True
    >>> destroy_process_group()
    """
    from torch.distributed.tensor import DTensor

    scheme, dims = Registry.get(init), check_shape(shape)
    kind = getattr(torch, as_dtype(torch.get_default_dtype() if dtype is None else dtype).name)
    placements = _check_layout(mesh, placements, len(dims))
    source, name = shared_seed(seed), check_name(name)
    scheme.describe(dims, kind)
    runs = held(dims, mesh, placements)
    check_device(mesh.device_type)

    local = torch.empty((0,) if runs is None else lengths(runs), dtype=kind, device=mesh.device_type)
    # run_check would communicate; without `shape` torch takes the parts to be equal
    tensor = DTensor.from_local(local, mesh, placements, run_check=False, shape=torch.Size(dims),
                                stride=torch.empty(dims, device="meta").stride())
    taken = (source.seed, source.next()) if isinstance(source, Stream) and name is None else None

    def shard(index: tuple[slice, ...], out: torch.Tensor) -> None:
        # The blocks of all ranks are one draw, so they share one stream id.
        scheme.shard(dims, index, seed=source if taken is None else Stream(*taken), name=name, out=out)

    fill(tensor, shard)
    return tensor


def _check_layout(mesh: Any, placements: Any, rank: int) -> list[Placement]:
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import Placement, Shard

    if not isinstance(mesh, DeviceMesh):
        raise FaninTypeError(f"`mesh` must be a torch.distributed.DeviceMesh (got {a_type(mesh)}): make one "
                             "with torch.distributed.init_device_mesh")
    if not isinstance(placements, Sequence) or not all(isinstance(each, Placement) for each in placements):
        raise FaninTypeError(f"`placements` must be a sequence of Shard and Replicate (got {shown(placements)})")
    if len(placements) != mesh.ndim:
        raise FaninValueError(f"`placements` must have an entry for each of the mesh's {mesh.ndim} dimensions (got "
                              f"{list(placements)})")
    for placement in placements:
        if hasattr(placement, "dim") and not -rank <= placement.dim < rank:
            raise FaninValueError(f"`placements` must split dimensions that the shape has, {rank} (got {placement!r})")
    return [Shard(each.dim % rank) if type(each) is Shard else each for each in placements]
