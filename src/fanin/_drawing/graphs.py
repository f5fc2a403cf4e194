"""Draws stay out of the graphs of `torch.compile`: what is drawn there runs as it does anywhere else."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


def may_trace() -> bool:
    """Whether Dynamo, which traces what `torch.compile` compiles, is loaded."""
    return "torch._dynamo" in sys.modules


@functools.cache
def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, at which a graph breaks, and inside which nothing is traced: neither fanin nor numba's compiler."""
    disabled: Callable[..., Any] = sys.modules["torch._dynamo"].disable(function)
    return disabled
