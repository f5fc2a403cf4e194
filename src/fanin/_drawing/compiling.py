"""A user's sampler, compiled and compared with Python before anything is drawn with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._backends import get_backend
from .._errors import FaninError, FaninTypeError
from .._plans import indexing
from .._plans.plan import BlocksPlan, SamplerPlan, TwinsPlan
from .._seeding import Key

if TYPE_CHECKING:
    from .._backends.tasks import DeviceView
    from .._plans.plan import Plan
    from .._types import Array

    Out: TypeAlias = Array | DeviceView

COMPARED = 64  # numbers, of which few may differ: near a jump of the sampler's a last digit decides
FEW = 8
NO_KEY = Key(0, 0)

_compiled: set[tuple[Any, ...]] = set()


def compile_samplers(plan: Plan, device: str, out: Out) -> None:
    """Compile what a plan has of a user's code for an array like `out`, which stays as it is.

    Such code may not compile, and that must show before a stream moves, or the first of several draws is written.

    Raises:
        FaninTypeError: it doesn't compile, or the compiled code makes other numbers than Python.
    """
    if isinstance(plan, SamplerPlan):
        if plan.sampler.takes == "u":
            _compile(plan, device, out)
    elif isinstance(plan, BlocksPlan):
        for leaf in plan.leaves():
            compile_samplers(leaf.plan, device, out)
    elif isinstance(plan, TwinsPlan):
        for each in set(plan.plans):
            compile_samplers(each, device, out)


def _compile(plan: SamplerPlan, device: str, out: Out) -> None:
    kind = plan.sampler, plan.mask, plan.dtype, device
    if kind in _compiled:
        return
    try:
        get_backend(device).fill(plan, NO_KEY, _emptied(out), indexing.Block(0, (0,), (1,)))
        agree = not isinstance(out, np.ndarray) or device == "reference" or _agrees_with_python(plan, device)
    except (FaninError, MemoryError, OSError):
        raise
    except Exception as error:  # whatever a compiler raises of code that is not for it
        raise FaninTypeError(f"`sampler` {plan.sampler.__name__} must be made of + - * /, comparisons, `a if condition "
                             "else b` and fanin.math; the compiler's own words stand above") from error
    if not agree:
        raise FaninTypeError(f"`sampler` {plan.sampler.__name__} must mean the same to Python and to a compiler, which "
                             "make other numbers of it: write truths as `1.0 if u < 0.5 else 0.0`, and whole numbers "
                             "by int, below 2**63")
    _compiled.add(kind)


def _emptied(out: Out) -> Out:
    return np.empty(0, out.dtype) if isinstance(out, np.ndarray) else out._replace(shape=(0,), strides=(0,))


def _agrees_with_python(plan: SamplerPlan, device: str) -> bool:
    """Whether compiled code makes the numbers that Python makes, but for what a library's functions may round."""
    block = indexing.Block(0, (COMPARED,), (1,))
    compiled, python = np.empty(COMPARED, plan.dtype), np.empty(COMPARED, plan.dtype)
    get_backend(device).fill_in_this_thread(plan, NO_KEY, compiled, block)
    get_backend("reference").fill(plan, NO_KEY, python, block)
    one, other = compiled.astype(np.float64), python.astype(np.float64)
    largest = np.abs(other, where=np.isfinite(other), out=np.zeros(COMPARED)).max()
    same = np.isclose(one, other, rtol=0.01, atol=0.01 * largest, equal_nan=True)
    return int(np.count_nonzero(~same)) <= FEW
