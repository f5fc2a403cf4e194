"""Draws stay out of the graphs of `torch.compile`: what is drawn there runs as it does anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

DYNAMO = "torch._dynamo"  # what traces: a draw can only be in its hands if it is loaded


_untraced: dict[Callable[..., Any], Callable[..., Any]] = {}  # of functools.cache Dynamo warns that it can't follow it


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, at which a graph breaks, and inside which nothing is traced: neither fanin nor numba's compiler."""
    if function not in _untraced:
        _untraced[function] = sys.modules[DYNAMO].disable(function)
    return _untraced[function]
