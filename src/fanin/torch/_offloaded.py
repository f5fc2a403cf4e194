"""Modules that accelerate has offloaded: what runs is not what is registered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from torch import nn

from .._errors import FaninValueError, listed
from ._places import modules


def check_here(module: nn.Module) -> None:
    """FaninValueError for parameters that accelerate keeps elsewhere and copies in for each forward pass."""
    if "accelerate.hooks" not in sys.modules:  # without it no module can have its hooks
        return
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
