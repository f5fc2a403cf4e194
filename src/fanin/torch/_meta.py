"""Memory for modules on the meta device: ties stay ties, and a buffer gets its values back or nothing happens at all.

`torch.nn.Module.to_empty` leaves whatever was in the memory in buffers, and breaks ties.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from .._errors import FaninRuntimeError, FaninValueError, listed
from .._seeding import take_key
from ._places import Place, modules

if TYPE_CHECKING:
    from .._seeding import Stream

# Methods by which a module fills its own buffers: timm's; torch's batch norms'; and what torch asks of every module
# that is built on meta (FSDP's docs: `reset_parameters` initializes the module's own parameters and buffers).
_RESETS = ("init_non_persistent_buffers", "reset_running_stats", "reset_parameters")


def materialize(module: torch.nn.Module, located: list[Place], device: torch.device, drawn: set[str],
                source: int | Stream) -> dict[str, str]:
    """Give every tensor on meta memory on `device`, and every buffer that is not to be drawn its values.

    Values come from the module itself: transformers' models know how to fill their buffers after loading
    (`initialize_weights`), other modules through the methods in `_RESETS`. They run while the parameters are still on
    meta, where nothing is drawn into them.

    Args:
        located: the module's places.
        drawn: the names of buffers that will be drawn.
        source: its seed is torch's while modules fill their buffers: random ones are then the same on every rank.

    Returns:
        {name of a buffer: what filled it}.

    Raises:
        FaninValueError: buffers that nothing fills. FaninRuntimeError: a method failed. The module is as it was.
    """
    groups: dict[int, list[Place]] = {}
    for place in located:
        if place.tensor.is_meta:
            groups.setdefault(id(place.tensor), []).append(place)
    buffers = [_Buffer(group, device) for group in groups.values() if group[0].buffer and not group[0].computed]
    try:
        wanted = [buffer for buffer in buffers if not drawn & {place.name for place in buffer.places}]
        with torch.device(device), torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(take_key(source, "buffers").seed)
            _fill_by_transformers(module, wanted)
            _fill_by_resets(wanted)
        _check_filled(wanted)
    except BaseException:
        for buffer in buffers:
            buffer.put(buffer.meta)
        raise
    for buffer in buffers:
        buffer.settle(device)
    parameters = [(group, vars(group[0].tensor)) for group in groups.values() if group[0].tensor.is_meta]
    module._apply(lambda tensor: torch.empty_like(tensor, device=device) if tensor.is_meta else tensor)
    for group, attributes in parameters:
        first = group[0].tensor
        vars(first).update(attributes)  # what optimizers and parallelism have put on it
        for place in group[1:]:
            if place.tensor is not first:
                setattr(place.owner, place.key, first)
    return {place.name: buffer.filled_by for buffer in wanted for place in buffer.places}


class _Buffer:
    """A buffer on meta, at all its places: memory for it, and whether somebody has written into that."""

    def __init__(self, places: list[Place], device: torch.device) -> None:
        self.places, self.meta = places, places[0].tensor
        self.filled_by = ""
        with torch.inference_mode(False):  # tensors made in it don't count their writes
            self.memory = torch.empty_like(self.meta, device=device)
        self.version = self.memory._version
        self.put(self.memory)

    def put(self, tensor: torch.Tensor) -> None:
        """Register a tensor at all places."""
        for place in self.places:
            place.owner._buffers[place.key] = tensor

    def look(self, who: str) -> None:
        """Note who has filled it, if it is filled now: written in place, or replaced by another tensor."""
        for place in self.places:
            tensor = place.owner._buffers.get(place.key)
            if tensor is not None and not tensor.is_meta and (
                    tensor is not self.memory or tensor._version != self.version):
                self.filled_by = who
                self.memory = tensor

    def settle(self, device: torch.device) -> None:
        """One tensor at all places, of the dtype and on the device that were asked for."""
        self.put(self.memory.to(device=device, dtype=self.meta.dtype))


def _fill_by_transformers(module: torch.nn.Module, buffers: list[_Buffer]) -> None:
    modeling = sys.modules.get("transformers.modeling_utils")  # an object can be a model of it only if it is loaded
    if modeling is None or not buffers:
        return
    inside: tuple[str, ...] = ()
    for path, part in modules(module):
        if isinstance(part, modeling.PreTrainedModel) and hasattr(part, "initialize_weights"):
            if inside and path.startswith(inside):
                continue  # the outer model fills it
            inside += (path,)
            with _only_buffers(part, buffers):
                _call(part.initialize_weights, part, path)
            owners = set(map(id, part.modules()))
            for buffer in buffers:
                if any(id(place.owner) in owners for place in buffer.places):
                    buffer.look(f"{type(part).__name__}.initialize_weights")


@contextlib.contextmanager
def _only_buffers(model: torch.nn.Module, buffers: list[_Buffer]) -> Iterator[None]:
    """Within it transformers takes everything but `buffers` for initialized, and so leaves it alone."""
    wanted = {id(buffer.memory) for buffer in buffers}
    flagged = [tensor for tensor in (*model.parameters(), *model.buffers())
               if id(tensor) not in wanted and not hasattr(tensor, "_is_hf_initialized")]
    for tensor in flagged:
        tensor._is_hf_initialized = True
    for part in model.modules():
        vars(part).pop("_is_hf_initialized", None)  # which `initialize_weights` sets on each
    try:
        yield
    finally:
        for tensor in flagged:
            vars(tensor).pop("_is_hf_initialized", None)


def _fill_by_resets(buffers: list[_Buffer]) -> None:
    tried: set[tuple[int, str]] = set()
    for place in [place for buffer in buffers for place in buffer.places]:
        owner: Any = place.owner
        for method in _RESETS:
            left = [buffer for buffer in buffers if not buffer.filled_by
                    and any(each.owner is owner for each in buffer.places)]
            if not left or (id(owner), method) in tried or not callable(getattr(owner, method, None)):
                continue
            tried.add((id(owner), method))
            own = {id(buffer.memory) for buffer in left}
            if any(not tensor.is_meta and id(tensor) not in own
                   for tensor in (*owner.parameters(recurse=False), *owner.buffers(recurse=False))):
                continue  # it has values, which the method would replace
            _call(getattr(owner, method), owner, place.name)
            for buffer in left:
                buffer.look(f"{type(owner).__name__}.{method}")


def _call(method: Any, owner: torch.nn.Module, where: str) -> None:
    try:
        method()
    except Exception as error:
        raise FaninRuntimeError(f"{where.rstrip('.') or 'module'!r}: {type(owner).__name__}.{method.__name__} must "
                                f"fill the module's buffers ({type(error).__name__}: {error}): build this module on "
                                "the CPU") from error


def _check_filled(buffers: list[_Buffer]) -> None:
    missing = [buffer.places[0].name for buffer in buffers if not buffer.filled_by]
    if missing:
        raise FaninValueError(
            "`module` must be able to fill its buffers on meta (nothing gives values to "
            f"{listed(missing)}): name them in `buffers` and give them rules, give their modules a "
            "`reset_parameters` that fills them, or build with only the parameters on meta")
