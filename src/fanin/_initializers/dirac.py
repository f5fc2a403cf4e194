"""Convolutions that pass their input through."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from .._errors import FaninValueError
from .._kernels.masks import dirac, dirac_params
from .._plans.fans import check_groups, check_layout, roles
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Dirac(Initializer):
    """The identity-preserving convolution: channel c of each group's output is channel c of its input.

    Args:
        groups: of a grouped convolution, whose weight is (out, in/groups, *kernel) in torch's layout; divides out.
        layout: the role of each axis, as in `VarianceScaling`.

    One at [g·out/groups + d, d, centre] for each group g and d < min(out/groups, in), zero elsewhere; the centre is
    k//2 along each kernel axis, as in torch. Any dtype, integers and bool too.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: a shape without kernel axes, or
            groups that don't divide its out axis.

    torch allows ranks 3 to 5 only.

    Reference: Zagoruyko, Komodakis, "DiracNets", 2017.

    >>> Dirac()((2, 2, 3), dtype="int8").tolist()
    [[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0]]]
    """

    def __init__(self, groups: int = 1, layout: str = "oi*") -> None:
        self.groups: int = check_groups(groups)
        self.layout: str = check_layout(layout)
        if "o" not in self.layout or "i" not in self.layout:
            raise FaninValueError(f"`layout` must have o and i for Dirac (got {layout!r})")
        if any(role * self.layout.count(role) not in self.layout for role in "oib"):
            raise FaninValueError(f"`layout` must keep the axes of one role together for Dirac (got {layout!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        axes = roles(self.layout, spec.ndim)
        if "*" not in axes:
            raise FaninValueError(f"`shape` must have a kernel axis for Dirac (got {spec.shape} for layout "
                                  f"{self.layout!r}): use Eye for a matrix")
        out = math.prod(dim for dim, role in zip(spec.shape, axes, strict=True) if role == "o")
        if out % self.groups:
            raise FaninValueError(f"`groups` must divide the out axis (got groups={self.groups} for {out} in shape "
                                  f"{spec.shape} with layout {self.layout!r})")
        if spec.size == 0:
            return spec.fill(0)
        return spec.fill(1, mask=dirac, mask_params=dirac_params(spec.shape, axes, self.groups), std=None)
