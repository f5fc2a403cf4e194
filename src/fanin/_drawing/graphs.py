"""Draws stay out of the graphs of `torch.compile`: what is drawn there runs as it does anywhere else."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

DYNAMO = "torch._dynamo"  # what traces: a draw can only be in its hands if it is loaded


@functools.cache
def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, at which a graph breaks, and inside which nothing is traced: neither fanin nor numba's compiler."""
    disabled: Callable[..., Any] = sys.modules[DYNAMO].disable(function)
    return disabled
