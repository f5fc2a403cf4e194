"""Memory for modules on the meta device: ties stay ties, and buffers get values.

`torch.nn.Module.to_empty` leaves whatever was in the memory in buffers, and breaks ties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .._errors import FaninValueError
from ..rules._slots import Buffers, Slot
from ..rules._warnings import grouped
from . import _buffers
from ._places import Place

if TYPE_CHECKING:
    from .._seeding import Stream

_UNFILLED = ("buffers look as if nobody had filled their memory (`to_empty` leaves what was in it), and stay as they "
             "are without refill_buffers=True or a rule")


def chosen(refill_buffers: Any, slots: list[Slot]) -> set[str]:
    """The names of the buffers with memory that are to be filled anew, of those that rules are not asked about.

    Raises:
        FaninTypeError: no such argument. FaninValueError: no buffer has such a name.
    """
    if refill_buffers is False:
        return set()
    choice = Buffers("*" if refill_buffers is True else refill_buffers, "refill_buffers")
    names = {slot.place.name for slot in slots if choice.has(slot)}
    if refill_buffers is not True and not names:
        raise FaninValueError("`refill_buffers` must name buffers of the module (got "
                              f"{refill_buffers!r}, which matches none)")
    return {slot.place.name for slot in slots if slot.place.name in names and slot.left}


def warnings(slots: list[Slot], refill: set[str]) -> list[str]:
    """A warning about buffers that stay as they are, and look as if nobody had filled them."""
    kept = [slot.place for slot in slots if slot.buffer and slot.left and not slot.tied and not slot.place.computed
            and slot.place.name not in refill]
    return grouped((_UNFILLED, name) for name in _buffers.unfilled(kept))


def materialize(module: torch.nn.Module, located: list[Place], device: torch.device | None, drawn: set[str],
                refill: set[str], source: int | Stream) -> dict[str, str]:
    """Give every tensor on meta memory on `device`, and every buffer that is not to be drawn its values.

    Args:
        located: the module's places.
        device: None where nothing is on meta.
        drawn: the names of buffers that will be drawn.
        refill: the names of buffers that have memory, and get new values.
        source: see `_buffers.fill`.

    Returns:
        {name of a buffer: what filled it}.

    Raises:
        FaninValueError: buffers that nothing fills. FaninRuntimeError: a method failed. The module is as it was.
    """
    groups: dict[int, list[Place]] = {}
    for place in located:
        groups.setdefault(id(place.tensor), []).append(place)
    wanted = [_buffers.Buffer(group, device) for group in groups.values()
              if _is_wanted(group, drawn, refill, device is not None)]
    _buffers.fill(module, wanted, source)
    for buffer in wanted:
        buffer.settle()
    meta = [(group, vars(group[0].tensor)) for group in groups.values() if group[0].tensor.is_meta]
    if device is not None:
        module._apply(lambda tensor: torch.empty_like(tensor, device=device) if tensor.is_meta else tensor)
    for group, attributes in meta:
        first = group[0].tensor
        vars(first).update(attributes)  # what optimizers and parallelism have put on it
        for place in group[1:]:
            if place.tensor is not first:
                setattr(place.owner, place.key, first)
    return {place.name: buffer.filled_by for buffer in wanted for place in buffer.places}


def _is_wanted(group: list[Place], drawn: set[str], refill: set[str], leaves_meta: bool) -> bool:
    """Whether the buffer at these places gets its values from its own module."""
    names, first = {place.name for place in group}, group[0]
    if not first.buffer or first.computed or names & drawn:
        return False
    return leaves_meta if first.tensor.is_meta else bool(names & refill)
