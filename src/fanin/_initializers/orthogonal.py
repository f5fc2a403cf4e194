"""Random orthogonal matrices, and orthogonal convolutions: at their centre alone, or as a whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from .._checks import MAX_RANK, integer, nonnegative
from .._checks import axis as check_axis
from .._dtypes import check_range
from .._errors import FaninValueError
from .._gains import as_gain
from .._plans.fans import check_layout, roles
from .base import Initializer

if TYPE_CHECKING:
    from .._gains import Gain
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Orthogonal(Initializer):
    """gain·Q, Q a random (Haar-distributed) matrix with orthonormal rows or columns; unitary for complex dtypes.

    Args:
        gain: finite, or an activation as in `fanin.math.gain`; a factor of the whole matrix.
        axis: the axis that indexes the matrix's rows; the others, in C order, index its columns. 0 is torch's choice,
            -1 that of JAX and Keras.

    For W = gain·Q, WᵀW = gain²·I if the matrix is tall, and WWᵀ = gain²·I if it is wide. W is a product of Householder
    reflectors of independent normal vectors, computed in float32 (float64 for float64 and complex128). These products
    are within 1e-5·gain² (1e-13) of gain²·I for sides up to 4096. Bits may differ between machines, thread counts and
    shards, elements by at most 1e-5·gain (1e-13). Reflector k is row k, from its diagonal on, of a
    (smaller side, larger side) tensor of standard normals with the draw's own seed and stream.

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

    def __init__(self, gain: Gain = 1.0, axis: int = 0) -> None:
        self.gain: float = as_gain("gain", gain)
        self.axis: int = integer("axis", axis, -MAX_RANK, MAX_RANK - 1)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("Orthogonal")
        if spec.ndim < 2:
            raise FaninValueError(f"`shape` must have at least 2 dimensions for Orthogonal (got {spec.shape})")
        rows = check_axis(self.axis, spec.ndim)
        return _draw(spec, "".join("r" if d == rows else "c" for d in range(spec.ndim)), self.gain)


class ScaledOrthogonal(Initializer):
    """gain·max(at_least, √(out/in))·Q, Q a random (Haar-distributed) matrix with orthonormal rows or columns.

    Args:
        gain: finite, or an activation as of `fanin.math.gain`; a factor of the whole matrix.
        at_least: finite, >= 0; the least that stands for √(out/in): 0 for the root itself, 1 for a matrix that never
            shrinks.
        layout: the role of each axis, as in `VarianceScaling`; no batch axis. Kernel axes are columns.

    The spectral norm is what feature learning asks of a layer at any width: inputs of size 1 per element become outputs
    of size 1. All else is as in `Orthogonal`.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: rank below 2, a shape that doesn't
            fit the layout, values that overflow the dtype.

    Reference: Yang, Simon, Bernstein, "A spectral condition for feature learning", arXiv 2310.17813.

    >>> import numpy as np
    >>> w = ScaledOrthogonal()((64, 16), seed=0, name="w")
    >>> round(float(np.linalg.norm(w, 2)), 4)  # √(64/16)
    2.0
    """

    def __init__(self, gain: Gain = 1.0, at_least: float = 0.0, layout: str = "oi*") -> None:
        self.gain: float = as_gain("gain", gain)
        self.at_least: float = nonnegative("at_least", at_least)
        self.layout: str = _check_layout(layout, "ScaledOrthogonal", "oi")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("ScaledOrthogonal")
        fans = spec.fans(self.layout)
        axes = roles(self.layout, spec.ndim).replace("o", "r").replace("i", "c").replace("*", "c")
        ratio = math.sqrt(fans.fan_out / fans.fan_in) if fans.fan_in else 0.0
        return _draw(spec, axes, self.gain * max(self.at_least, ratio))


class DeltaOrthogonal(Initializer):
    """A convolution kernel that is gain·Q at its centre and zero elsewhere, Q (out, in) Haar-distributed.

    Args:
        gain: finite, or an activation as of `fanin.math.gain`; a factor of the whole matrix.
        layout: the role of each axis, as in `VarianceScaling`; at least one kernel axis, no batch axis.

    The centre is (k - 1)//2 along each kernel axis of size k, as in JAX and TensorFlow.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: a shape without kernel axes.

    JAX refuses in > out, where no convolution preserves the norm of every input; here Q's rows are orthonormal then.
    Q is what `Orthogonal` draws for (out, in) with the same seed and name.

    Reference: Xiao et al., "Dynamical isometry and a mean field theory of CNNs", ICML 2018.

    >>> w = DeltaOrthogonal()((8, 8, 3, 3), seed=0, name="w")
    >>> int((w != 0).sum()), bool((w[:, :, 1, 1] != 0).all())
    (64, True)
    """

    def __init__(self, gain: Gain = 1.0, layout: str = "oi*") -> None:
        self.gain: float = as_gain("gain", gain)
        self.layout: str = _check_layout(layout, "DeltaOrthogonal")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        return _draw(spec, _convolution(spec, self.layout, "DeltaOrthogonal"), self.gain)


class ConvolutionOrthogonal(Initializer):
    """A convolution kernel that multiplies the norm of every signal by `gain`, using the whole kernel.

    Args:
        gain: finite, or an activation as in `fanin.math.gain`; a factor of the whole kernel, and of the signal's
            norm.
        layout: the role of each axis, as in `VarianceScaling`; at least one kernel axis, no batch axis.

    With out >= in channels, stride 1 and circular padding, |conv(x)| = |gain|·|x| for every x: Σ_s K[s]ᵀ K[s + t] is
    gain²·I for t = 0 and zero for all other shifts t, K[s] the (out, in) matrix at place s. A Haar-distributed matrix
    K[0], then along each kernel axis of size k in turn, k - 1 times, the convolution by a random projection P at one
    place and I - P at the next, P of rank ⌊out/2⌋. Kernel axes may be of different sizes, odd or even.

    Computed in float32 (float64 for float64 and complex128, where the kernel is unitary), and like `Orthogonal` it
    promises a bound instead of bits: the sums above, and elements on other machines and in shards, are within
    1e-5·gain² and 1e-5·gain (1e-13) up to 1024 channels. A shard is made of the whole kernels of its input channels.
    Matrix number j = 0, 1, … of those drawn has the stream id of block j of `Blocks`, and the words of `Orthogonal`.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: more input than output channels,
            a shape without kernel axes, values that overflow the dtype.

    With zero padding the norm is lost at the borders only; a strided convolution keeps a part of the norm, and those at
    all offsets of the stride together keep all. A grouped convolution has an orthogonal kernel for each group:
    Blocks(["convolution_orthogonal"] * groups). TensorFlow 1's ConvolutionOrthogonal1D to 3D draw the projections'
    ranks and take equal kernel axes only. DeltaOrthogonal preserves the norm too, by its centre alone.

    Reference: Xiao et al., "Dynamical isometry and a mean field theory of CNNs", ICML 2018, algorithm 1.

    >>> import numpy as np
    >>> k = ConvolutionOrthogonal()((6, 4, 3), dtype="float64", seed=0, name="w")
    >>> x = np.random.default_rng(0).normal(size=(4, 10))
    >>> y = sum(k[:, :, s] @ np.roll(x, -s, axis=1) for s in range(3))
    >>> bool(np.isclose(np.linalg.norm(y), np.linalg.norm(x)))
    True
    """

    def __init__(self, gain: Gain = 1.0, layout: str = "oi*") -> None:
        self.gain: float = as_gain("gain", gain)
        self.layout: str = _check_layout(layout, "ConvolutionOrthogonal")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        axes = _convolution(spec, self.layout, "ConvolutionOrthogonal")
        sides = _sides(spec, axes)
        if spec.size and sides["c"] > sides["r"]:
            raise FaninValueError(f"`shape` must not have more in than out channels for ConvolutionOrthogonal (got "
                                  f"{sides['c']} in and {sides['r']} out in {spec.shape} with layout {self.layout!r}), "
                                  "since fewer channels can't keep the norm of every signal: use DeltaOrthogonal")
        return _draw(spec, axes, self.gain, spread=True)


def _check_layout(layout: str, scheme: str, needed: str = "oi*") -> str:
    layout = check_layout(layout)
    if "b" in layout or not set(needed) <= set(layout):
        words = f"{', '.join(needed[:-1])} and {needed[-1]}"
        raise FaninValueError(f"`layout` must have {words} and no b for {scheme} (got {layout!r})")
    return layout


def _convolution(spec: TensorSpec, layout: str, scheme: str) -> str:
    """The roles of a kernel's axes in a `MatrixPlan`."""
    spec.require_floating(scheme)
    axes = roles(layout, spec.ndim)
    if "*" not in axes:
        raise FaninValueError(f"`shape` must have a kernel axis for {scheme} (got {spec.shape} for layout {layout!r}): "
                              "use Orthogonal for a matrix")
    return axes.replace("o", "r").replace("i", "c")


def _sides(spec: TensorSpec, axes: str) -> dict[str, int]:
    return {role: math.prod(d for d, r in zip(spec.shape, axes, strict=True) if r == role) for role in "rc*"}


def _draw(spec: TensorSpec, axes: str, gain: float, spread: bool = False) -> Plan:
    check_range("`gain`: values", -abs(gain), abs(gain), spec.dtype)
    if gain == 0:
        return spec.fill(0.0, mean=0.0)
    sides = _sides(spec, axes)
    # E q² = 1/max(rows, columns): a column of a tall matrix is a unit vector
    std = abs(gain) / math.sqrt(max(sides["r"], sides["c"], 1) * max(sides["*"], 1))
    return spec.orthogonal(axes, gain, std, spread)
