"""What state-space layers start from: Mamba's `A_log`, and the bias that its time steps come from."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from .._checks import axis as check_axis
from .._checks import finite, integer, nonnegative
from .._kernels.samplers import sampler
from ..math import exp, expm1, fma, log
from .base import Initializer
from .constant import Constant
from .logarithmic import check_positive, log_width

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class MambaALog(Initializer):
    """log 1, log 2, …, log N along one axis: `A_log` of Mamba, whose A is -exp(A_log), S4D-Real's -(n + 1).

    Args:
        axis: the axis of the N states; torch's (channels, states) has it last.

    The same in each channel, and without randomness. `A_log` of Mamba-2 has no axis of states: see LogOfUniform.

    Raises:
        FaninTypeError, FaninValueError: axis is no int; when drawn: the shape has no such axis, or an integer dtype.

    Reference: Gu, Dao, "Mamba", arXiv 2312.00752; Gu et al., "On the parameterization and initialization of diagonal
    state space models", arXiv 2206.11893.

    >>> import fanin
    >>> fanin.MambaALog()((2, 4))
    array([[0.       , 0.6931472, 1.0986123, 1.3862944],
           [0.       , 0.6931472, 1.0986123, 1.3862944]], dtype=float32)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis: int = integer("axis", axis)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("MambaALog")
        return along(spec, self.axis, lambda n, states: float(log(n + 1.0)))


def along(spec: TensorSpec, axis: int, value: Callable[[int, int], float]) -> Plan:
    """A plan for values along one axis, repeated along the others; `value` takes a place and the axis' length."""
    axis = check_axis(axis, spec.ndim)
    length = spec.shape[axis]
    values = np.array([value(place, length) for place in range(length)], np.float64)
    return Constant(values.reshape(-1, *[1] * (spec.ndim - axis - 1))).plan(spec)


class MambaDtBias(Initializer):
    """softplus⁻¹(dt) for dt = max(exp(U(log low, log high)), floor): the bias of Mamba's time steps.

    Args:
        low, high: of the time steps, finite, 0 < low <= high; `dt_min` and `dt_max` elsewhere.
        floor: the smallest time step, finite, >= 0; `dt_init_floor` elsewhere.

    value = dt + log(1 - exp(-dt)), so that the layer's softplus gives dt back. With a bias of zero instead, each step
    would be log 2, seven times the largest.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: an integer or complex dtype.

    Reference: Gu, Dao, "Mamba", arXiv 2312.00752, section 3.6.

    >>> import fanin, numpy as np
    >>> bias = fanin.MambaDtBias()(1000, seed=0, name="dt_bias")
    >>> steps = np.log1p(np.exp(bias))
    >>> bool((steps > 0.00099).all() and (steps < 0.1001).all())
    True
    """

    def __init__(self, low: float = 0.001, high: float = 0.1, floor: float = 1e-4) -> None:
        self.low: float = finite("low", low)
        self.high: float = finite("high", high)
        self.floor: float = nonnegative("floor", floor)
        check_positive(self.low, self.high)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("MambaDtBias")
        smallest, largest = max(self.low, self.floor), max(self.high, self.floor)
        if smallest == largest:
            value = largest + float(log(-expm1(-largest)))
            return spec.fill(value, mean=value, name="low")
        start, width = float(log(self.low)), log_width(self.low, self.high)
        mean, std = _moments(start, width, self.floor)
        return spec.draw(mamba_dt_bias, start, width, self.floor, mean=mean, std=std)


@functools.lru_cache(maxsize=64)
def _moments(start: float, width: float, floor: float) -> tuple[float, float]:
    """The mean and std of the values, by quadrature: smooth in u, but for the floor."""
    below = min(max((math.log(floor) - start) / width, 0.0), 1.0) if floor else 0.0  # this part of u meets the floor
    nodes, weights = np.polynomial.legendre.leggauss(64)
    u, shares = below + (1 - below) * (nodes + 1) / 2, (1 - below) * weights / 2
    steps = np.append(np.exp(start + width * u), floor if below else 1.0)
    shares = np.append(shares, below)
    values = steps + np.log(-np.expm1(-steps))
    mean = float(shares @ values)
    return mean, math.sqrt(float(shares @ (values - mean) ** 2))


@sampler
def mamba_dt_bias(u: Any, start: Any, width: Any, floor: Any) -> Any:
    """softplus⁻¹(max(exp(start + u·width), floor))."""
    step = exp(fma(u, width, start))
    step = step if step > floor else floor
    return step + log(-expm1(-step))
