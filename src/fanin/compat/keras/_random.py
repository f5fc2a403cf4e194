"""Uniform, normal and orthogonal initializers: laws that don't depend on fans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from typing_extensions import override

from ._base import KERAS, RandomInitializer, number
from ._replay import Law

if TYPE_CHECKING:
    from ..._initializers import Initializer as Scheme
    from ..._types import Dims
    from ._replay import Backend


class _SameForAll(RandomInitializer):
    """An initializer whose scheme doesn't depend on the shape, so that its parameters are checked when it is made."""

    def __init__(self, seed: Any = None, backend: Backend | None = None) -> None:
        super().__init__(seed, backend)
        self._preset()

    def _preset(self) -> Scheme:
        raise NotImplementedError

    @override
    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        return self._preset()


class RandomUniform(_SameForAll):
    """U[minval, maxval).

    Args:
        minval, maxval: finite numbers, minval <= maxval.
        seed, backend: as in `VarianceScaling`.

    Raises:
        FaninTypeError, FaninValueError: an argument out of its range. (The torch backend takes minval > maxval, and
            JAX's makes a constant of it.)

    >>> w = RandomUniform(seed=7)((512, 256))
    >>> bool((w >= -0.05).all()), bool((w < 0.05).all())
    (True, True)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None, *,
                 backend: Backend | None = None) -> None:
        self.minval: float = number(minval)
        self.maxval: float = number(maxval)
        super().__init__(seed, backend)

    @override
    def _preset(self) -> Scheme:
        return KERAS.preset("random_uniform", low=self.minval, high=self.maxval)

    @override
    def _law(self, shape: Dims) -> Law:
        return Law("uniform", self.minval, self.maxval)

    @override
    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class _Normal(_SameForAll):
    """A normal law by its mean and stddev, under its name in Keras' profile and in its backends."""

    _name = ""
    _backend_name: Literal["normal", "truncated_normal"] = "normal"

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None, *,
                 backend: Backend | None = None) -> None:
        self.mean: float = number(mean)
        self.stddev: float = number(stddev)
        super().__init__(seed, backend)

    @override
    def _preset(self) -> Scheme:
        return KERAS.preset(self._name, mean=self.mean, std=self.stddev)

    @override
    def _law(self, shape: Dims) -> Law:
        return Law(self._backend_name, self.mean, self.stddev)

    @override
    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class RandomNormal(_Normal):
    """N(mean, stddev²).

    Args:
        mean: a finite number.
        stddev: finite, >= 0.
        seed, backend: as in `VarianceScaling`.

    Raises:
        FaninTypeError, FaninValueError: an argument out of its range.

    >>> w = RandomNormal(stddev=1.0, seed=7)((512, 256))
    >>> round(float(w.std()), 2)
    1.0
    """

    _name = "random_normal"


class TruncatedNormal(_Normal):
    """N(mean, stddev²) within two stddev of the mean.

    Args:
        mean: a finite number.
        stddev: finite, >= 0; that of the untruncated normal. The values' is 0.8796·stddev, as in Keras.
        seed, backend: as in `VarianceScaling`.

    Raises:
        FaninTypeError, FaninValueError: an argument out of its range.

    Mended: on Keras' torch backend 4.3e-6 of the values lie outside the bounds.

    >>> w = TruncatedNormal(mean=0.0, stddev=1.0, seed=7)((512, 256))
    >>> bool((abs(w) <= 2).all())
    True
    """

    _name = "truncated_normal"
    _backend_name = "truncated_normal"


class Orthogonal(_SameForAll):
    """gain·Q, Q a Haar-distributed (semi-)orthogonal matrix with shape[-1] columns, the other axes its rows.

    Args:
        gain: a finite number.
        seed: as in `VarianceScaling`.

    Raises:
        FaninTypeError, FaninValueError: an argument out of its range; when drawn, a shape of rank below 2.

    Mended: float16 and bfloat16 raise on Keras' JAX and torch backends, and become float64 on its numpy backend.

    Reference: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    ICLR 2014.

    >>> import numpy as np
    >>> q = np.asarray(Orthogonal(seed=7)((3, 3, 8, 16))).reshape(-1, 16)
    >>> bool(np.abs(q.T @ q - np.eye(16)).max() < 1e-5)
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        self.gain: float = number(gain)
        super().__init__(seed=seed)

    @override
    def _preset(self) -> Scheme:
        return KERAS.preset("orthogonal", gain=self.gain)

    @override
    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "gain": self.gain}
