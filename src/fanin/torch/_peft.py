"""peft's adapters: which are known, and the tensors that follow from those that they adapt.

DoRA's magnitudes are the norms of the adapted weight's rows, and `modules_to_save` are copies: an adapter starts as the
identity.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn

from .._errors import FaninTypeError
from ._loaded import classes
from ._sharded import is_sharded

# What peft puts around modules, and the name under which the module lies in it.
WRAPPERS = [
    ("peft.peft_model", "PeftModel", "base_model"),
    ("peft.tuners.tuners_utils", "BaseTuner", "model"),
    ("peft.tuners.tuners_utils", "BaseTunerLayer", "base_layer"),
    ("peft.utils.other", "ModulesToSaveWrapper", "original_module"),
]
_COPIES = "peft.utils.other", "ModulesToSaveWrapper"
_KNOWN = "peft.tuners.lora."  # where the types of adapters are defined whose names say what they start from


class Follower(NamedTuple):
    """Tensors that follow from others: how the table says it, where those lie, and what brings them up to date."""

    note: str
    source: str
    settle: Callable[[], None]


def check_adapters(module: nn.Module) -> None:
    """FaninTypeError for adapters that are not known."""
    layers = classes("peft.tuners.tuners_utils", "BaseTunerLayer")
    wrappers = classes("peft.utils.other", "AuxiliaryTrainingWrapper")
    if not layers and not wrappers:
        return
    for path, part in module.named_modules():
        adapter = isinstance(part, layers) and not type(part).__module__.startswith(_KNOWN)
        if adapter or isinstance(part, wrappers) and not isinstance(part, classes(*_COPIES)):
            raise FaninTypeError(f"`module` must have LoRA's adapters, or none (got {type(part).__module__}."
                                 f"{type(part).__name__} at {path!r}, of which it isn't known what it starts from): "
                                 "initialize the model before get_peft_model, which then initializes its adapters")


def has_adapters() -> bool:
    """Whether any module of the process can be peft's."""
    return _COPIES[0] in sys.modules


def followers(path: str, part: nn.Module) -> dict[str, Follower]:
    """{name of a parameter or buffer: what it follows} for what lies in a module at this canonical path."""
    if isinstance(part, classes(*_COPIES)):
        return _copies(path, part)
    if isinstance(part, classes("peft.tuners.lora.layer", "LoraLayer")):
        adapted: Any = part
        return dict(_magnitude(path, adapted, adapter) for adapter in adapted.lora_magnitude_vector)
    return {}


def _copies(path: str, wrapper: Any) -> dict[str, Follower]:
    found = {}
    for adapter, copied in wrapper.modules_to_save.items():
        follower = Follower(f"a copy of {path.rstrip('.')}", path,
                            functools.partial(_copy, wrapper.original_module, copied))
        found |= {f"{path}modules_to_save.{adapter}.{name}": follower
                  for name, _ in (*copied.named_parameters(), *copied.named_buffers())}
    return found


def _copy(module: nn.Module, copied: nn.Module) -> None:
    for tensors in ("named_parameters", "named_buffers"):
        values = dict(getattr(module, tensors)())
        for name, tensor in getattr(copied, tensors)():
            tensor.copy_(values[name])


def _magnitude(path: str, layer: Any, adapter: str) -> tuple[str, Follower]:
    name, variant = f"{path}lora_magnitude_vector.{adapter}.weight", layer.lora_variant[adapter]
    if any(map(is_sharded, layer.get_base_layer().parameters())):
        raise FaninTypeError(f"`module` must not be sharded where DoRA adapts it ({name} is computed from whole "
                             "weights): initialize it before it is sharded")

    def settle() -> None:
        held = layer.lora_magnitude_vector[adapter]
        variant.init(layer, adapter_name=adapter, config=None)  # peft's own way, which makes a new one
        held.weight.copy_(layer.lora_magnitude_vector[adapter].weight)
        layer.lora_magnitude_vector[adapter] = held

    return name, Follower(f"computed from {path}weight", path, settle)


def following(places: Iterable[Any], drawn: set[str]) -> dict[str, Follower]:
    """{name: what it follows} of the places whose tensors follow from any of those that are drawn."""
    follow = {place.name: place.follows for place in places if place.follows}
    if not follow:
        return {}
    paths = {name[:end] for name in drawn for end in (0, *(dot.end() for dot in re.finditer(r"\.", name)))}
    return {name: each for name, each in follow.items() if each.source in paths}


def settle(found: Iterable[Follower]) -> None:
    """Bring each up to date, once."""
    with torch.no_grad():
        for each in dict.fromkeys(found):
            each.settle()
