"""What fanin computes stays out of the graphs of `torch.compile`, and runs there as it does anywhere else."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

DYNAMO = "torch._dynamo"  # what traces: nothing can be in its hands unless it is loaded
_untraced: dict[Callable[..., Any], Callable[..., Any]] = {}  # of functools.cache Dynamo warns that it can't follow it


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, at which a graph breaks, and inside which nothing is traced: neither fanin nor numba's compiler."""
    if function not in _untraced:
        _untraced[function] = sys.modules[DYNAMO].disable(function)
    return _untraced[function]


def outside_graphs(function: Callable[P, T]) -> Callable[P, T]:
    """A function that is called as it is, and inside `torch.compile` as `untraced` has it."""
    @functools.wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> T:
        if DYNAMO in sys.modules:
            return untraced(function)(*args, **keywords)
        return function(*args, **keywords)

    return call
