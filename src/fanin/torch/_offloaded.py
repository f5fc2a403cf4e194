"""Modules whose registered parameters are not those that run: offloaded by accelerate, split by deepspeed's ZeRO-3."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from torch import nn

from .._errors import FaninValueError, listed
from ._places import modules


def check_here(module: nn.Module) -> None:
    """FaninValueError for parameters that another library keeps elsewhere and brings in for each forward pass."""
    if "accelerate.hooks" in sys.modules:  # without it no module can have its hooks
        _check_dispatched(module)
    if "deepspeed" in sys.modules:
        _check_gathered(module)


def _check_dispatched(module: nn.Module) -> None:
    away = [path.rstrip(".") or "module" for path, part in modules(module)
            if any(getattr(hook, "offload", False) for hook in _hooks(getattr(part, "_hf_hook", None)))]
    if away:
        raise FaninValueError(
            f"`module` must hold the weights that run (accelerate offloads those of {listed(away, at_most=3)}): "
            "initialize it before it is dispatched, or call accelerate.hooks.remove_hook_from_submodules(module) first")


def _hooks(hook: Any) -> Iterator[Any]:
    """A hook, or those that one made of several holds."""
    for each in getattr(hook, "hooks", ()):
        yield from _hooks(each)
    if hook is not None:
        yield hook


def _check_gathered(module: nn.Module) -> None:
    split = [name for name, parameter in module.named_parameters()
             if getattr(parameter, "ds_numel", 0) > parameter.numel()]
    if split:
        raise FaninValueError(
            f"`module` must hold whole parameters (ZeRO-3 has split {listed(split, at_most=3)}): call this inside "
            "deepspeed.zero.GatheredParameters(list(module.parameters()), modifier_rank=0), part by part with `prefix` "
            "where the whole has no room")
