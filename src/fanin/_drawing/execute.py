"""From a plan, a key and a device to an array: the only place where plans meet backends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._backends import get_backend
from .._plans import indexing
from .._plans.plan import ArrayPlan, BlocksPlan, MatrixPlan, SamplerPlan, TwinsPlan
from .._seeding import Key
from .convolution import write_convolution, write_device_convolution
from .haar_device import algebra_of
from .matrix import write_device_matrix, write_matrix

if TYPE_CHECKING:
    from .._backends.tasks import DeviceView
    from .._plans.indexing import Axis
    from .._plans.plan import Plan
    from .._types import Array

    Axes: TypeAlias = Sequence[Axis]
    Out: TypeAlias = Array | DeviceView


def materialize(plan: Plan, key: Key, device: str, out: Any, axes: Axes) -> None:
    """Write the elements of the planned tensor that `axes` (see indexing.py) select into `out`, a view of it."""
    if out.size == 0:
        return
    if isinstance(plan, MatrixPlan):
        _materialize_matrix(plan, key, device, out, axes)
    elif isinstance(plan, ArrayPlan):
        with np.errstate(all="ignore"):  # the plan has checked that the dtype holds the values
            values = plan.values(lambda d, broadcast: _as_index(axes[d], broadcast))
            if isinstance(out, np.ndarray):
                out[...] = values
            else:
                get_backend(device).copy(values.astype(plan.dtype), out)
    elif isinstance(plan, BlocksPlan):
        _materialize_blocks(plan, key, device, out, axes)
    elif isinstance(plan, TwinsPlan):
        _materialize_twins(plan, key, device, out, axes)
    else:
        get_backend(device).fill(plan, key, out, indexing.block(axes, plan.shape))


def _materialize_matrix(plan: MatrixPlan, key: Key, device: str, out: Any, axes: Axes) -> None:
    write = write_convolution if plan.spread else write_matrix
    if isinstance(out, np.ndarray):
        write(plan, key, get_backend(device), out, axes)
        return
    algebra = algebra_of(out)
    if algebra is not None:
        write_there = write_device_convolution if plan.spread else write_device_matrix
        write_there(plan, key, get_backend(device), out, axes, algebra)
    else:  # no library that multiplies there
        made = np.empty(out.shape, plan.dtype)
        write(plan, key, get_backend("cpu"), made, axes)
        get_backend(device).copy(made, out)


def _as_index(axis: Axis, broadcast: bool) -> int | slice:
    if axis.dropped:
        return 0 if broadcast else axis.start
    if broadcast:
        return slice(None)
    stop = axis.start + axis.step * axis.size
    return slice(axis.start, stop if stop >= 0 else None, axis.step)


def _materialize_blocks(plan: BlocksPlan, key: Key, device: str, out: Any, axes: Axes) -> None:
    for leaf in plan.leaves():
        inside = indexing.within(axes, leaf.origin, leaf.plan.shape)
        if inside is None:
            continue
        places, in_whole, in_leaf = inside
        part = _part(out, places)
        if leaf.keeps_numbers:
            get_backend(device).fill(leaf.plan, key, part, indexing.block(in_whole, plan.shape))
        else:
            materialize(leaf.plan, key.within(leaf.path), device, part, in_leaf)
    if getattr(out, "wait", False):  # once, after all
        get_backend(device).synchronize(out)


def _materialize_twins(plan: TwinsPlan, key: Key, device: str, out: Any, axes: Axes) -> None:
    for number, places, own in _of_twins(plan, tuple(axes)):
        materialize(plan.plans[number], key, device, _part(out, places), own)
    if getattr(out, "wait", False):
        get_backend(device).synchronize(out)


def _of_twins(plan: TwinsPlan, axes: tuple[Axis, ...]) -> Iterator[tuple[int, tuple[slice, ...], tuple[Axis, ...]]]:
    """What `axes` select of each plan: its number, the slices of the selection where that lies, the axes in it."""
    if plan.interleaved:
        yield from indexing.interleaved(axes, plan.axis, len(plan.plans))
        return
    for number, each in enumerate(plan.plans):
        origin = tuple(number * each.shape[d] if d == plan.axis else 0 for d in range(len(plan.shape)))
        inside = indexing.within(axes, origin, each.shape)
        if inside is not None:
            places, _, own = inside
            yield number, places, own


def _part(out: Out, places: Sequence[int | slice]) -> Out:
    return out[(*places, ...)] if isinstance(out, np.ndarray) else out.part(places)._replace(wait=False)


def materialize_range(plan: Plan, key: Key, start: int, out: Any, device: str = "cpu") -> None:
    """Write elements start, start + 1, … (in C order over the whole tensor) of a plan into 1-D `out`.

    In memory for `out` alone where the plan `is_elementwise`; else each call makes whole matrices.
    """
    if out.size == 0:
        return
    if isinstance(plan, SamplerPlan):
        get_backend(device).fill(plan, key, out, indexing.Block(start, out.shape, (1,)))
        return
    done = 0
    for axes in indexing.boxes(plan.shape, start, out.size):
        dims = indexing.result_shape(axes)
        part = _part(out, (slice(done, done + math.prod(dims)),))
        block = part.reshape(dims) if isinstance(part, np.ndarray) else part.split(dims)
        materialize(plan, key, device, block, axes)
        done += part.size
    if getattr(out, "wait", False):
        get_backend(device).synchronize(out)
