"""A warning for tensors that were to be independent and are made of the same random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._callers import caller, module_of, warn
from .._plans.plan import is_random

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._types import Dims
    from .base import Initializer

_first: tuple[int, Dims, Initializer] | None = None  # the first random draw with the latest int seed and no name
_warned = False


def watch_unnamed(scheme: Initializer, seed: int, plan: Plan) -> None:
    """Warn, once in a process, of a draw without a name whose int seed drew another shape or scheme before.

    The same draw again is a repeat that was meant, perhaps in another dtype. Not for fanin's own calls: what a seed
    means there is what the system that is served says.
    """
    global _first, _warned
    if _warned or not is_random(plan):
        return
    if _first is None or _first[0] != seed:
        _first = (seed, plan.shape, scheme)
        return
    _, before, other = _first
    if (before == plan.shape and other == scheme) or _is_own_call():
        return
    _warned = True
    warn(f"`seed` {seed} without a `name` drew {before} by {type(other).__name__} and now {plan.shape} by "
         f"{type(scheme).__name__}: both are made of the same random numbers. Give each draw its `name`, or all of "
         f"them one fanin.Stream({seed}) as `seed` (said once in a process)")


def _is_own_call() -> bool:
    return module_of(caller("fanin._initializers", "fanin._graphs")).startswith("fanin.")
