"""Variance scaled by the fans: the family of the he, glorot and lecun presets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from typing_extensions import override

from .._checks import choice, finite, flag, nonnegative
from .._errors import FaninValueError
from .._plans.fans import check_groups, check_layout
from .._plans.truncation import CUT_AT_TWO_STD
from .base import Initializer
from .normal import draw_normal, draw_truncated_complex, draw_truncated_normal
from .uniform import Uniform, draw_disk

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec

Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution: TypeAlias = Literal["truncated_normal", "normal", "uniform"]
MODES: tuple[Mode, ...] = get_args(Mode)
DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)
# std of the complex normal with E|z|² = 1 cut at |z| = 2: sqrt((1 - 5e⁻⁴)/(1 - e⁻⁴)). JAX leaves out the denominator.
COMPLEX_CUT_AT_TWO_STD = 0.9619618280082136


class VarianceScaling(Initializer):
    """Random numbers with mean 0 and variance scale/n, where n comes from the numbers of inputs and outputs (fans).

    Args:
        scale: finite, >= 0. It scales the variance: torch's and Keras' `gain` is its square root.
        mode: n is "fan_in", "fan_out", "fan_avg" = (fan_in + fan_out)/2, or "fan_geo_avg" = √(fan_in·fan_out).
        distribution: "normal"; "truncated_normal", a normal cut at ±2 of its own std, which is raised so that the
            values have the std √(scale/n); or "uniform", on ±√(3·scale/n).
        layout: the meaning of each axis: o outputs, i inputs, b batch (ignored), * the kernel axes. "oi*" is torch,
            "*io" JAX, Keras and TensorFlow, "o*i" MLX, "ioo" an attention projection with two output axes.
        groups: of a grouped convolution; divides fan_out, or fan_in when transposed.
        transposed: whether the weight is a transposed convolution's; doesn't reorder axes: torch's is "io*" with
            transposed=True.
        fan_in, fan_out: > 0; they replace the fans of the shape, and make it possible to scale a bias or a scalar.

    A complex draw has E|z|² = scale/n: normal, cut at modulus 2 std, or uniform on a disk of radius √(2·scale/n).

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: a shape of rank below 2 without
            explicit fans, one that doesn't fit the layout, or groups that don't divide it.

    torch ignores groups in fan_out and swaps the fans of transposed convolutions; JAX's complex truncated draw has a
    variance 1.87 % too large; a negative scale gives NaN there.

    References: He et al., "Delving deep into rectifiers", ICCV 2015; Glorot, Bengio, "Understanding the difficulty of
    training deep feedforward neural networks", AISTATS 2010; LeCun et al., "Efficient backprop", 1998.

    >>> he = VarianceScaling(2.0, "fan_in", "truncated_normal")
    >>> w = he((512, 256), seed=0, name="w")
    >>> round(float(w.std()), 2), round((2 / 256) ** 0.5, 2)
    (0.09, 0.09)
    """

    def __init__(self, scale: float = 1.0, mode: Mode = "fan_in",
                 distribution: Distribution = "truncated_normal",
                 layout: str = "oi*", groups: int = 1, transposed: bool = False, fan_in: float | None = None,
                 fan_out: float | None = None) -> None:
        self.scale: float = nonnegative("scale", scale)
        self.mode: Mode = choice("mode", mode, MODES)
        self.distribution: Distribution = choice("distribution", distribution, DISTRIBUTIONS)
        self.layout: str = check_layout(layout)
        self.groups: int = check_groups(groups)
        self.transposed: bool = flag("transposed", transposed)
        self.fan_in: float | None = _explicit("fan_in", fan_in)
        self.fan_out: float | None = _explicit("fan_out", fan_out)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("VarianceScaling")
        n = self._fan(spec)
        # a fan of 0 belongs to a tensor without elements, for which any variance will do
        std = math.sqrt(self.scale / n) if n else 0.0
        if std == 0:
            return spec.fill(0.0, mean=0.0)
        if self.distribution == "uniform":
            return draw_disk(spec, 0.0, math.sqrt(2) * std) if spec.is_complex else \
                Uniform(-math.sqrt(3) * std, math.sqrt(3) * std).plan(spec)
        if self.distribution == "normal":
            return draw_normal(spec, 0.0, std)
        if spec.is_complex:
            return draw_truncated_complex(spec, 0.0, std / COMPLEX_CUT_AT_TWO_STD, 2.0)
        parent = std / CUT_AT_TWO_STD
        return draw_truncated_normal(spec, 0.0, parent, -2 * parent, 2 * parent, (-2.0, 2.0))

    def _fan(self, spec: TensorSpec) -> float:
        fan_in, fan_out = self.fan_in, self.fan_out
        needs_in, needs_out = self.mode != "fan_out", self.mode != "fan_in"
        needed = needs_in and fan_in is None or needs_out and fan_out is None
        if needed or spec.ndim >= 2 and (fan_in is None or fan_out is None):
            of_shape = spec.fans(self.layout, self.groups, self.transposed)
            fan_in = of_shape.fan_in if fan_in is None else fan_in
            fan_out = of_shape.fan_out if fan_out is None else fan_out
        spec.given_fans(fan_in, fan_out)
        n_in, n_out = fan_in or 0.0, fan_out or 0.0  # the mode doesn't ask for one that is still None
        if self.mode == "fan_in":
            return n_in
        if self.mode == "fan_out":
            return n_out
        return (n_in + n_out) / 2 if self.mode == "fan_avg" else math.sqrt(n_in * n_out)


def _explicit(name: str, value: Any) -> float | None:
    if value is None:
        return None
    value = finite(name, value)
    if value <= 0:
        raise FaninValueError(f"`{name}` must be > 0 or None (got {value!r})")
    return value
