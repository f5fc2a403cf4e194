"""Buffers get their values from their own modules, or nothing happens at all.

Values come from the module itself: transformers' models know how to fill their buffers after loading
(`initialize_weights`), other modules through the methods in `_RESETS`. Whatever else these write into is a stand-in.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from .._errors import FaninRuntimeError, FaninValueError, listed
from .._seeding import take_key
from ._places import Place, transformers_models

if TYPE_CHECKING:
    from .._seeding import Stream

# Methods by which a module fills its own buffers: timm's; torch's batch norms'; and what torch asks of every module
# that is built on meta (FSDP's docs: `reset_parameters` initializes the module's own parameters and buffers).
_RESETS = ("init_non_persistent_buffers", "reset_running_stats", "reset_parameters")

_LOOKED_AT = 2**12  # elements of a buffer that are looked at
_SMALLEST, _LARGEST = 1e-30, 1e30  # magnitudes that no buffer means, but memory that was something else has
_NEVER_ZERO = ("freq", "running_var")  # in the names of buffers that do nothing, or harm, as zeros


class Filled(Protocol):
    """What has memory that a module is to fill."""

    @property
    def memory(self) -> torch.Tensor: ...


class Buffer:
    """A buffer to be filled, at all its places: memory for it, and whether somebody has written into that."""

    def __init__(self, places: list[Place], device: torch.device | None) -> None:
        self.places, self.old = places, places[0].tensor
        self.device = device if self.old.is_meta and device is not None else self.old.device
        self.filled_by = ""
        with torch.inference_mode(False):  # tensors made in it don't count their writes
            self.memory = torch.empty_like(self.old, device=self.device)
        self.version = self.memory._version

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

    def settle(self) -> None:
        """One tensor at all places, of the dtype and on the device that were asked for; the old one if it had memory.
        """
        new = self.memory.to(device=self.device, dtype=self.old.dtype)
        if not self.old.is_meta and self.old.shape == new.shape:
            with torch.no_grad():
                new = self.old.copy_(new)
        self.put(new)


def fill(module: nn.Module, buffers: list[Buffer], source: int | Stream) -> None:
    """Have the module fill the memory of these buffers.

    Args:
        source: its seed is torch's meanwhile: random buffers are then the same on every rank.

    Raises:
        FaninValueError: buffers that nothing fills. FaninRuntimeError: a method failed. The module is as it was.
    """
    if not buffers:
        return
    device = buffers[0].device
    try:
        for buffer in buffers:
            buffer.put(buffer.memory)
        with torch.device(device), torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(take_key(source, "buffers").seed)
            _fill_by_transformers(module, buffers)
            _fill_by_resets(buffers)
        missing = [buffer.places[0].name for buffer in buffers if not buffer.filled_by]
        if missing:
            raise FaninValueError(
                f"`module` must be able to fill its buffers (nothing gives values to {listed(missing)}): name them in "
                "`buffers` and give them rules, give their modules a `reset_parameters` that fills them, or build "
                "with only the parameters on meta")
    except BaseException:
        for buffer in buffers:
            buffer.put(buffer.old)
        raise


def _fill_by_transformers(module: nn.Module, buffers: list[Buffer]) -> None:
    inside: tuple[str, ...] = ()
    for path, model in transformers_models(module, "initialize_weights"):
        if inside and path.startswith(inside):
            continue  # the outer model fills it
        inside += (path,)
        with stand_ins(model, buffers, on_meta), as_initialized(model, buffers):
            call(model.initialize_weights, model, path)
            owners = set(map(id, model.modules()))
            for buffer in buffers:
                if any(id(place.owner) in owners for place in buffer.places):
                    buffer.look(f"{type(model).__name__}.initialize_weights")


def _fill_by_resets(buffers: list[Buffer]) -> None:
    tried: set[tuple[int, str]] = set()
    for place in [place for buffer in buffers for place in buffer.places]:
        owner: Any = place.owner
        for method in _RESETS:
            left = [buffer for buffer in buffers if not buffer.filled_by
                    and any(each.owner is owner for each in buffer.places)]
            if not left or (id(owner), method) in tried or not callable(getattr(owner, method, None)):
                continue
            tried.add((id(owner), method))
            # many ask a parameter which device they shall work on: so stand-ins are not on meta here
            with stand_ins(owner, buffers, functools.partial(_empty, device=left[0].device)):
                call(getattr(owner, method), owner, place.name)
                for buffer in left:
                    buffer.look(f"{type(owner).__name__}.{method}")


@contextlib.contextmanager
def stand_ins(module: nn.Module, buffers: Iterable[Filled], replace: Callable[[torch.Tensor], torch.Tensor]
               ) -> Iterator[None]:
    """Within it a module writes into other tensors: those that `replace` makes of parameters, and copies of buffers.

    Nothing that has values may be overwritten, also not by code that asks nobody.
    """
    filled = {id(buffer.memory) for buffer in buffers}
    made: dict[int, torch.Tensor] = {}
    held: list[tuple[Any, str, torch.Tensor]] = []
    for part in module.modules():
        for registered in (part._parameters, part._buffers):
            held += [(registered, key, tensor) for key, tensor in registered.items()
                     if tensor is not None and id(tensor) not in filled]
    try:
        for registered, key, tensor in held:
            if id(tensor) not in made:
                made[id(tensor)] = nn.Parameter(replace(tensor), False) if isinstance(tensor, nn.Parameter) \
                    else tensor.clone()
            registered[key] = made[id(tensor)]
        yield
    finally:
        for registered, key, tensor in held:
            registered[key] = tensor


def on_meta(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device="meta")


def _empty(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    return torch.empty_like(tensor, device=device if tensor.is_meta else tensor.device)


@contextlib.contextmanager
def as_initialized(model: nn.Module, buffers: Iterable[Filled]) -> Iterator[None]:
    """Within it transformers takes everything but `buffers` for initialized, and so leaves it alone."""
    wanted = {id(buffer.memory) for buffer in buffers}
    flagged: list[Any] = [tensor for tensor in (*model.parameters(), *model.buffers()) if id(tensor) not in wanted]
    for tensor in flagged:
        tensor._is_hf_initialized = True
    for part in model.modules():
        vars(part).pop("_is_hf_initialized", None)  # which `initialize_weights` sets on each
    yield


def call(method: Any, owner: nn.Module, where: str) -> None:
    try:
        method()
    except Exception as error:
        raise FaninRuntimeError(f"{where.rstrip('.') or 'module'!r}: {type(owner).__name__}.{method.__name__} must "
                                f"fill the module's buffers ({type(error).__name__}: {error}): build this module on "
                                "the CPU") from error


def unfilled(places: Iterable[Place]) -> list[str]:
    """The names of buffers that look as if nobody had filled their memory, as after `to_empty`."""
    groups: dict[Any, list[tuple[Place, torch.Tensor]]] = {}
    for place in places:
        tensor = place.tensor
        if type(tensor) is torch.Tensor and not tensor.is_meta and (tensor.is_floating_point() or tensor.is_complex()):
            part = tensor.detach().flatten()[:_LOOKED_AT]
            groups.setdefault((tensor.dtype, tensor.device), []).append((place, part))
    found = []
    for group in groups.values():
        if _has_garbage(torch.cat([part for _, part in group])):  # all at once: it seldom has
            found += [place.name for place, part in group if _has_garbage(part)]
        found += [place.name for place, part in group if any(each in place.key for each in _NEVER_ZERO)
                  and len(part) and not bool(part.any())]
    return found


def _has_garbage(values: torch.Tensor) -> bool:
    """Whether there is NaN, infinity, or a size that only memory has. Masks have the lowest number, too."""
    lowest = torch.finfo(values.dtype).min
    values = (torch.view_as_real(values) if values.is_complex() else values).double()
    sizes = values.abs()
    fine = (sizes == 0) | (sizes >= _SMALLEST) & (sizes <= _LARGEST) | (values <= lowest)
    return not bool(fine.all())
