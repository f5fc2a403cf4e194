"""Fans: how many inputs and outputs a weight of some shape connects. Pure arithmetic; all rank errors live here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .._checks import MAX_ELEMENTS, flag, integer
from .._errors import FaninTypeError, FaninValueError, shown


class Fans(NamedTuple):
    """The number of inputs that reach one output, and of outputs that one input reaches."""

    fan_in: float
    fan_out: float


def check_layout(layout: str) -> str:
    """A layout is a string of roles, one letter an axis: o out, i in, b batch, * all kernel axes (at most once)."""
    if not isinstance(layout, str):
        raise FaninTypeError(f"`layout` must be a string such as 'oi*' (got {shown(layout)})")
    if not layout or set(layout) - set("oib*") or layout.count("*") > 1:
        raise FaninValueError(f"`layout` must be made of the letters o, i, b and at most one * (got {shown(layout)}): "
                              "'oi*' is torch, '*io' JAX and Keras, 'o*i' MLX")
    return layout


def roles(layout: str, rank: int) -> str:
    """One letter for each of `rank` axes, the `*` of the layout spread over the kernel axes."""
    named = len(layout) - layout.count("*")
    if rank < named or (rank > named and "*" not in layout):
        least = "at least " if "*" in layout else ""
        raise FaninValueError(f"`shape` must have {least}{named} dimensions for "
                              f"layout {shown(layout)} (got rank {rank})")
    return layout.replace("*", "*" * (rank - named))


def compute_fans(shape: Sequence[int], layout: str = "oi*", groups: int = 1, transposed: bool = False) -> Fans:
    """fan_in = product of the i axes times the kernel, fan_out = product of the o axes times the kernel.

    `groups` divides fan_out, or fan_in when `transposed`: a grouped convolution's weight is (out, in/groups, *kernel),
    a transposed one's (in, out/groups, *kernel). torch ignores groups in fan_out (pytorch #23854).

    >>> compute_fans((64, 32, 3, 3))
    Fans(fan_in=288, fan_out=576)
    >>> compute_fans((3, 3, 32, 64), layout="*io")
    Fans(fan_in=288, fan_out=576)
    >>> compute_fans((64, 1, 3, 3), groups=64)
    Fans(fan_in=9, fan_out=9)
    """
    if len(shape) < 2:
        raise FaninValueError(f"`shape` must have at least 2 dimensions to have fans (got {tuple(shape)}): pass fan_in "
                              "and fan_out, or use a scheme that needs none, such as 'normal' or 'zeros'")
    axes, groups = roles(check_layout(layout), len(shape)), check_groups(groups)
    size = {"o": 1, "i": 1, "b": 1, "*": 1}
    for role, dim in zip(axes, shape, strict=True):
        size[role] *= dim
    side, divided = ("i", size["i"]) if flag("transposed", transposed) else ("o", size["o"])
    if divided % groups:
        raise FaninValueError(f"`groups` must divide the {'in' if transposed else 'out'} axis (got groups={groups} for "
                              f"{divided} in shape {tuple(shape)} with layout {shown(layout)})")
    size[side] //= groups
    return Fans(size["i"] * size["*"], size["o"] * size["*"])


def check_groups(groups: int) -> int:
    """The groups of a convolution: an int >= 1."""
    return integer("groups", groups, 1, MAX_ELEMENTS)
