"""Random orthogonal matrices, and convolutions that are orthogonal at their centre."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from .._checks import MAX_RANK, finite, integer
from .._checks import axis as check_axis
from .._dtypes import check_range
from .._errors import FaninValueError
from .._plans.fans import check_layout, roles
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Orthogonal(Initializer):
    """gain·Q, Q a Haar-distributed (semi-)orthogonal matrix; unitary for complex dtypes.

    Args:
        gain: finite; a factor of the whole matrix.
        axis: the axis that indexes the matrix's rows; the others, in C order, index its columns. 0 is torch's choice,
            -1 that of JAX and Keras.

    The side with fewer rows or columns is orthonormal: QᵀQ = gain²·I for a tall matrix, QQᵀ for a wide one. A product
    of Householder reflectors of independent normal vectors, without a factorization, computed in float32 (float64 for
    float64 and complex128): the Gram matrix is within 1e-5·gain² (1e-13) of gain²·I for sides up to 4096. Its bits may
    differ between machines, thread counts and shards, elements by at most 1e-5·gain (1e-13). Reflector k is row k, from
    its diagonal on, of a (smaller side, larger side) tensor of standard normals with the draw's own seed and stream.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: rank below 2, an axis that doesn't
            exist, values that overflow the dtype.

    Works for float16 and bfloat16, which torch (CPU), JAX and Keras refuse.

    References: Stewart, "The efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17 (1980);
    Mezzadri, "How to generate random matrices from the classical compact groups", Notices AMS 54 (2007); Saxe et al.,
    "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", ICLR 2014.

    >>> import numpy as np
    >>> q = Orthogonal()((64, 256), seed=0, name="w")
    >>> bool(np.abs(q @ q.T - np.eye(64)).max() < 1e-5)
    True
    """

    def __init__(self, gain: float = 1.0, axis: int = 0) -> None:
        self.gain: float = finite("gain", gain)
        self.axis: int = integer("axis", axis, -MAX_RANK, MAX_RANK - 1)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("Orthogonal")
        if spec.ndim < 2:
            raise FaninValueError(f"`shape` must have at least 2 dimensions for Orthogonal (got {spec.shape})")
        rows = check_axis(self.axis, spec.ndim)
        return _draw(spec, "".join("r" if d == rows else "c" for d in range(spec.ndim)), self.gain)


class DeltaOrthogonal(Initializer):
    """A convolution kernel that is gain·Q at its centre and zero elsewhere, Q (out, in) Haar-distributed.

    Args:
        gain: finite; a factor of the whole matrix.
        layout: the role of each axis, as in `VarianceScaling`; at least one kernel axis, no batch axis.

    The centre is (k - 1)//2 along each kernel axis of size k, as in JAX and TensorFlow.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: a shape without kernel axes.

    JAX refuses in > out, where no convolution preserves the norm of every input; here Q's rows are orthonormal then.
    The constants are those of `Orthogonal`.

    Reference: Xiao et al., "Dynamical isometry and a mean field theory of CNNs", ICML 2018.

    >>> w = DeltaOrthogonal()((8, 8, 3, 3), seed=0, name="w")
    >>> int((w != 0).sum()), bool((w[:, :, 1, 1] != 0).all())
    (64, True)
    """

    def __init__(self, gain: float = 1.0, layout: str = "oi*") -> None:
        self.gain: float = finite("gain", gain)
        self.layout: str = check_layout(layout)
        if "b" in self.layout or "o" not in self.layout or "i" not in self.layout or "*" not in self.layout:
            raise FaninValueError(f"`layout` must have o, i and * and no b for DeltaOrthogonal (got {layout!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("DeltaOrthogonal")
        axes = roles(self.layout, spec.ndim)
        if "*" not in axes:
            raise FaninValueError(f"`shape` must have a kernel axis for DeltaOrthogonal (got {spec.shape} for layout "
                                  f"{self.layout!r}): use Orthogonal for a matrix")
        return _draw(spec, axes.replace("o", "r").replace("i", "c"), self.gain)


def _draw(spec: TensorSpec, axes: str, gain: float) -> Plan:
    check_range("`gain`: values", -abs(gain), abs(gain), spec.dtype)
    if gain == 0:
        return spec.fill(0.0, mean=0.0)
    sides = {role: math.prod(d for d, r in zip(spec.shape, axes, strict=True) if r == role) for role in "rc*"}
    # E q² = 1/max(rows, columns): a column of a tall matrix is a unit vector
    std = abs(gain) / math.sqrt(max(sides["r"], sides["c"], 1) * max(sides["*"], 1))
    return spec.orthogonal(axes, gain, std)
