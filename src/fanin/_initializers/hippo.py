"""What S4 and S4D start from: HiPPO's matrices, and the diagonals that approximate them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from .._checks import choice, integer
from .._dtypes import check_range
from .._errors import FaninValueError
from .._kernels.permutation import as_divisor
from .._kernels.tables import hippo_legs
from ..math import log
from .base import Initializer
from .state_space import along

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class HippoLegsA(Initializer):
    """A of HiPPO-LegS: -√((2n + 1)(2k + 1)) for n > k, -(n + 1) for n = k, 0 for n < k, n the row and k the column.

    The last two axes are the N states; any axes before them repeat the matrix. No randomness.

    Raises:
        FaninTypeError, FaninValueError: when drawn: the last two axes differ or don't exist, or a dtype that is not
            real.

    With the sign of S4's x' = Ax + Bu, whose A is stable; the HiPPO paper writes x' = -Ax/t + Bu/t. B is `HippoLegsB`.

    References: Gu et al., "HiPPO: recurrent memory with optimal polynomial projections", arXiv 2008.07669; Gu et al.,
    "Efficiently modeling long sequences with structured state spaces", arXiv 2111.00396, equation 2.

    >>> import fanin
    >>> fanin.HippoLegsA()((3, 3)).round(3)
    array([[-1.   ,  0.   ,  0.   ],
           [-1.732, -2.   ,  0.   ],
           [-2.236, -3.873, -3.   ]], dtype=float32)
    """

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_real("HippoLegsA")
        if spec.ndim < 2 or spec.shape[-1] != spec.shape[-2]:
            raise FaninValueError(f"`shape` must end in two equal dimensions for HippoLegsA (got {spec.shape})")
        states = spec.shape[-1]
        check_range("`shape`: values", -2.0 * states, 0.0, spec.dtype)
        return spec.tabulate(hippo_legs, *as_divisor(states))


class HippoLegsB(Initializer):
    """B of HiPPO-LegS: √(2n + 1) for state n along one axis, the same everywhere else. No randomness.

    Args:
        axis: the axis of the N states.

    Raises:
        FaninTypeError, FaninValueError: axis is no int; when drawn: the shape has no such axis, or a dtype that is not
            real.

    References: those of `HippoLegsA`.

    >>> import fanin
    >>> fanin.HippoLegsB()(3).round(3)
    array([1.   , 1.732, 2.236], dtype=float32)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis: int = integer("axis", axis)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_real("HippoLegsB")
        return along(spec, self.axis, lambda n, states: math.sqrt(2 * n + 1))


class S4D(Initializer):
    """The diagonal A of S4D along one axis, its real or its imaginary parts: models store them as two real tensors.

    Args:
        variant: "lin": -1/2 + πn·i; "inv": -1/2 + (N/π)(N/(2n + 1) - 1)·i; "real": -(n + 1).
        part: "imag", "real", or "log": the logarithm of minus the real part, which layers store where they compute A's
            real part as -exp(…).
        axis: the axis of the states, n = 0, 1, …

    The states come in conjugate pairs, of which models keep one: N is twice the axis' length. The same in each channel,
    and without randomness. Time steps are `LogUniform`, or where layers store their logarithms the preset `s4d_log_dt`.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: the shape has no such axis, or a
            dtype that is not real: draw a complex tensor's two parts.

    Because of the pairs the imaginary part's sign doesn't matter; S4's general kernel has the other one.

    Reference: Gu et al., "On the parameterization and initialization of diagonal state space models", arXiv 2206.11893.

    >>> import fanin
    >>> fanin.S4D("lin", "imag")((2, 3))
    array([[0.       , 3.1415927, 6.2831855],
           [0.       , 3.1415927, 6.2831855]], dtype=float32)
    >>> fanin.S4D("real", "real")(3)
    array([-1., -2., -3.], dtype=float32)
    """

    def __init__(self, variant: str = "lin", part: str = "imag", axis: int = -1) -> None:
        self.variant: str = choice("variant", variant, ("lin", "inv", "real"))
        self.part: str = choice("part", part, ("imag", "real", "log"))
        self.axis: int = integer("axis", axis)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_real("S4D")
        return along(spec, self.axis, self._imaginary if self.part == "imag" else self._real)

    def _imaginary(self, n: int, length: int) -> float:
        states = 2 * length
        return {"lin": math.pi * n, "inv": states / math.pi * (states / (2 * n + 1) - 1), "real": 0.0}[self.variant]

    def _real(self, n: int, length: int) -> float:
        size = n + 1.0 if self.variant == "real" else 0.5
        return float(log(size)) if self.part == "log" else -size
