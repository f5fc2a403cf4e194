"""VarianceScaling and its presets: Glorot's, LeCun's and He's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from ..._checks import choice, integer, nonnegative
from ..._errors import FaninError, FaninIndexError, FaninTypeError, FaninValueError, shown
from ..._initializers import Registry
from ..._plans.fans import Fans, compute_fans
from ..._plans.truncation import CUT_AT_TWO_STD
from ._base import KERAS, RandomInitializer, number
from ._replay import Law

if TYPE_CHECKING:
    from ..._initializers import Initializer as Scheme
    from ..._types import Dims
    from ._replay import Backend

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class VarianceScaling(RandomInitializer):
    """Values with mean 0 and variance scale/n, where n counts the inputs, the outputs, or is the mean of both.

    Args:
        scale: finite, > 0; a factor of the variance.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", cut at two std of its parent, whose std is raised so that the values' is
            √(scale/n); "untruncated_normal"; or "uniform", on ±√(3·scale/n). In any case; "normal" is truncated_normal.
        seed: an int in [0, 2**64): each call gives the same values, as in Keras. None: a random int, taken once when
            the initializer is made, so that its calls repeat too; from Python's `random` where Keras is installed, so
            that `keras.utils.set_random_seed` repeats a run, else from fanin's default stream. A `SeedGenerator` or a
            `fanin.Stream`: each call gives other values. fanin's own way is a name for each parameter.
        backend: None for fanin's values, the same on every backend; "jax", "torch" or "numpy" for those of Keras on
            that backend, without it: float32 on JAX, all real types on the others, with a seed in [0, 2**32) or a
            `SeedGenerator`.
        input_axes, output_axes: lists of ints. Given both, fan_in and fan_out are the products of these axes alone,
            without the receptive field; one alone does nothing, as in Keras.

    The weight is (*kernel, in, out): fan_in is in times the kernel, fan_out out times the kernel. A vector has its
    length as both fans, a scalar 1; a fan counts as 1 at least.

    Raises:
        FaninValueError: scale, mode, distribution or seed out of its range.
        FaninTypeError: an argument of another type.
        FaninIndexError: when drawn, an axis that the shape doesn't have.

    Kept: the repeating int and None seeds, and the fans of vectors and scalars. Half types are drawn in float32 and
    rounded once; complex ones have variance scale/n, where Keras draws real numbers or raises.

    References: He et al., "Delving deep into rectifiers", ICCV 2015; Glorot, Bengio, "Understanding the difficulty of
    training deep feedforward neural networks", AISTATS 2010.

    >>> w = VarianceScaling(scale=0.1, mode="fan_in", distribution="uniform", seed=7)((300, 256))
    >>> round(float(abs(w).max()), 4), round((3 * 0.1 / 300) ** 0.5, 4)
    (0.0316, 0.0316)
    """

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal",
                 seed: Any = None, input_axes: Iterable[int] | None = None,
                 output_axes: Iterable[int] | None = None, *, backend: Backend | None = None) -> None:
        self.scale: float = number(scale)
        if nonnegative("scale", self.scale) == 0:
            raise FaninValueError(f"`scale` must be > 0 (got {scale!r})")
        self.mode: str = choice("mode", mode, MODES)
        if isinstance(distribution, str):
            distribution = distribution.lower()
        distribution = "truncated_normal" if distribution == "normal" else distribution
        self.distribution: str = choice("distribution", distribution, DISTRIBUTIONS)
        self.input_axes: list[int] | None = _axes("input_axes", input_axes)
        self.output_axes: list[int] | None = _axes("output_axes", output_axes)
        super().__init__(seed, backend)

    @override
    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        fan_in, fan_out = self._fans(shape)
        return KERAS.preset("variance_scaling", scale=self.scale, mode=self.mode, distribution=self.distribution,
                            fan_in=max(1, fan_in), fan_out=max(1, fan_out))

    @override
    def _law(self, shape: Dims) -> Law:
        fan_in, fan_out = self._fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return Law("uniform", -limit, limit)
        if self.distribution == "untruncated_normal":
            return Law("normal", 0.0, math.sqrt(variance))
        return Law("truncated_normal", 0.0, math.sqrt(variance) / CUT_AT_TWO_STD)

    def _fans(self, shape: Dims) -> Fans:
        if self.input_axes is not None and self.output_axes is not None:
            return Fans(_product("input_axes", self.input_axes, shape),
                        _product("output_axes", self.output_axes, shape))
        if len(shape) < 2:
            return Fans(math.prod(shape), math.prod(shape))
        return compute_fans(shape, "*io")

    @override
    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "scale": self.scale, "mode": self.mode, "distribution": self.distribution,
                "input_axes": self.input_axes, "output_axes": self.output_axes}


class _Preset(VarianceScaling):
    """A VarianceScaling with the scale, mode and distribution that Keras' profile gives a name."""

    _name = ""

    def __init__(self, seed: Any = None, input_axes: Iterable[int] | None = None,
                 output_axes: Iterable[int] | None = None, *, backend: Backend | None = None) -> None:
        preset: Any = Registry.get(self._name, profile="keras")
        super().__init__(preset.scale, preset.mode, preset.distribution, seed, input_axes, output_axes,
                         backend=backend)

    @override
    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config()
        return {name: config[name] for name in ("seed", "backend", "input_axes", "output_axes") if name in config}


class GlorotUniform(_Preset):
    """U(±√(6/(fan_in + fan_out))), also called Xavier uniform.

    Args:
        seed, input_axes, output_axes, backend: as in `VarianceScaling`.

    Reference: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010.

    >>> w = GlorotUniform(seed=7)((300, 300))
    >>> bool((abs(w) <= 0.1).all())
    True
    """

    _name = "glorot_uniform"


class GlorotNormal(_Preset):
    """A truncated normal with std √(2/(fan_in + fan_out)), also called Xavier normal. (torch's isn't truncated.)

    Args:
        seed, input_axes, output_axes, backend: as in `VarianceScaling`.

    Reference: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    2010.

    >>> w = GlorotNormal(seed=7)((512, 512))
    >>> round(float(w.std()), 3), (1 / 512) ** 0.5
    (0.044, 0.04419417382415922)
    """

    _name = "glorot_normal"


class LecunUniform(_Preset):
    """U(±√(3/fan_in)).

    Args:
        seed, input_axes, output_axes, backend: as in `VarianceScaling`.

    Reference: Klambauer et al., "Self-normalizing neural networks", NIPS 2017.

    >>> w = LecunUniform(seed=7)((300, 200))
    >>> bool((abs(w) <= 0.1).all())
    True
    """

    _name = "lecun_uniform"


class LecunNormal(_Preset):
    """A truncated normal with std √(1/fan_in).

    Args:
        seed, input_axes, output_axes, backend: as in `VarianceScaling`.

    Reference: Klambauer et al., "Self-normalizing neural networks", NIPS 2017.

    >>> w = LecunNormal(seed=7)((512, 512))
    >>> round(float(w.std()), 3)
    0.044
    """

    _name = "lecun_normal"


class HeUniform(_Preset):
    """U(±√(6/fan_in)).

    Args:
        seed, input_axes, output_axes, backend: as in `VarianceScaling`.

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015.

    >>> w = HeUniform(seed=7)((600, 200))
    >>> bool((abs(w) <= 0.1).all())
    True
    """

    _name = "he_uniform"


class HeNormal(_Preset):
    """A truncated normal with std √(2/fan_in). (torch's kaiming_normal isn't truncated.)

    Args:
        seed, input_axes, output_axes, backend: as in `VarianceScaling`.

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015.

    >>> w = HeNormal(seed=7)((512, 256))
    >>> round(float(w.std()), 3), (2 / 512) ** 0.5
    (0.062, 0.0625)
    """

    _name = "he_normal"


def _axes(name: str, axes: Iterable[int] | None) -> list[int] | None:
    """A list of ints, or None."""
    if axes is None:
        return None
    try:
        return [integer(name, axis) for axis in axes]
    except (TypeError, FaninError):
        raise FaninTypeError(f"`{name}` must be a list of ints or None (got {shown(axes)})") from None


def _product(name: str, axes: Sequence[int], shape: Dims) -> int:
    """The product of some axes of a shape."""
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise FaninIndexError(f"`{name}` must hold axes of the shape {shape}, from {-len(shape)} to "
                                  f"{len(shape) - 1} (got {axis})")
    return math.prod(shape[axis] for axis in axes)
