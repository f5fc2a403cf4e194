"""What networks of sines start from: SIREN's first layer, and its hidden ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from .._checks import finite
from .._errors import FaninValueError
from .._plans.fans import check_layout
from .base import Initializer
from .uniform import Uniform

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Siren(Initializer):
    """U(±√(6/fan_in)/omega): the hidden layers of a SIREN, x -> sin(omega·(Wx + b)), and its last one.

    Args:
        omega: finite, > 0; the layer's own factor inside the sine, 30 in the paper.
        layout: the role of each axis, as in `VarianceScaling`.

    What enters each sine then has a variance between 0.8 and 1 in every layer, however many there are. The first is
    `SirenFirst`. Biases stay what the framework gives them: U(±1/√fan_in) in the authors' code, which is torch's.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: a shape of rank below 2, or one that
            doesn't fit the layout.

    Reference: Sitzmann et al., "Implicit neural representations with periodic activation functions", NeurIPS 2020,
    section 3.2.

    >>> import fanin
    >>> w = fanin.Siren()((256, 256), seed=0, name="w")
    >>> bound = (6 / 256) ** 0.5 / 30
    >>> bool(abs(w).max() <= bound), round(float(w.std()) / bound, 2)  # 1/√3
    (True, 0.58)
    """

    def __init__(self, omega: float = 30.0, layout: str = "oi*") -> None:
        self.omega: float = finite("omega", omega)
        self.layout: str = check_layout(layout)
        if self.omega <= 0:
            raise FaninValueError(f"`omega` must be > 0 (got {omega!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("Siren")
        fan_in = spec.fans(self.layout).fan_in
        return _symmetric(spec, math.sqrt(6 / fan_in) / self.omega if fan_in else 0.0)


class SirenFirst(Initializer):
    """U(±1/fan_in): the first layer of a SIREN, whose inputs are coordinates in [-1, 1].

    Args:
        layout: the role of each axis, as in `VarianceScaling`.

    The layer itself multiplies by omega, sin(omega·(Wx + b)); its weights don't have that factor. Hidden layers are
    `Siren`.

    Raises:
        FaninTypeError, FaninValueError: as of `Siren`.

    Reference: that of `Siren`.

    >>> import fanin
    >>> w = fanin.SirenFirst()((256, 2), seed=0, name="w")
    >>> bool(abs(w).max() <= 1 / 2)
    True
    """

    def __init__(self, layout: str = "oi*") -> None:
        self.layout: str = check_layout(layout)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("SirenFirst")
        fan_in = spec.fans(self.layout).fan_in
        return _symmetric(spec, 1 / fan_in if fan_in else 0.0)


def _symmetric(spec: TensorSpec, bound: float) -> Plan:
    return Uniform(-bound, bound).plan(spec)
