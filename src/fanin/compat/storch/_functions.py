"""storch's functions."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from ..._checks import finite
from ..._errors import FaninTypeError, shown
from .._shared.elementwise import round_toward_zero as _round_toward_zero
from .._shared.errors import TorchTypeError, TorchValueError
from .._shared.system import System

if TYPE_CHECKING:
    from .._shared.types import Generator, T


class Mode(enum.Enum):
    """Which fan scales the variance."""

    FanIn = "fan_in"
    FanOut = "fan_out"


class NonLinearity(enum.Enum):
    """What follows the layer. Kept: Tanh and SELU are missing, though storch's documentation lists both."""

    Linear = "linear"
    Conv1D = "conv1d"
    Conv2D = "conv2d"
    Conv3D = "conv3d"
    ConvTranspose1D = "conv_transpose1d"
    ConvTranspose2D = "conv_transpose2d"
    ConvTranspose3D = "conv_transpose3d"
    Sigmoid = "sigmoid"
    ReLU = "relu"
    LeakyReLU = "leaky_relu"


_storch = System("storch", "t", {"low": "a", "high": "b", "value": "fillValue", "scale": "gain"}, TorchValueError,
                 TorchTypeError, TorchValueError, [each.value for each in NonLinearity])


def calculateGain(nonlinearity: NonLinearity = NonLinearity.LeakyReLU, param: float = 0.01) -> float:
    """The factor of the std that a nonlinearity asks for.

    √(2/(1 + param²)) for LeakyReLU, √2 for ReLU, 1 for the others. storch's documentation has another square root for
    ReLU and 1 for LeakyReLU's numerator; its values are these.

    Raises:
        TypeError: not a `NonLinearity`.

    >>> calculateGain(NonLinearity.ReLU)
    1.4142135623730951
    """
    _require_nonlinearity(nonlinearity)
    return _storch.gain(nonlinearity.value, finite("param", param))


def uniform_(t: T, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> T:
    """U[a, b), for any rank: see `fanin.Uniform`.

    >>> import numpy as np
    >>> w = np.empty((3, 5), "float32")
    >>> uniform_(w, generator=0) is w
    True
    """
    return _storch.fill(t, _storch.preset("uniform", low=a, high=b), generator)


def normal_(t: T, mean: float = 0.0, std: float = 0.0, generator: Generator = None) -> T:
    """N(mean, std²): see `fanin.Normal`. Kept: `std` is 0 by default, not 1, so `normal_(t)` fills with zeros.

    >>> import numpy as np
    >>> normal_(np.ones(3)), round(float(normal_(np.empty((300, 500)), std=0.02, generator=0).std()), 3)
    (array([0., 0., 0.]), 0.02)
    """
    return _storch.fill(t, _storch.preset("normal", mean=mean, std=std), generator)


def constant_(t: T, fillValue: complex) -> T:
    """`fillValue` everywhere; in integers without its fraction.

    >>> import numpy as np
    >>> constant_(np.empty(3), 0.3)
    array([0.3, 0.3, 0.3])
    """
    return _storch.place(t, _storch.constant(fillValue, getattr(t, "dtype", None), "fillValue"))


def ones_(t: T) -> T:
    """1 everywhere.

    >>> import numpy as np
    >>> ones_(np.empty(3))
    array([1., 1., 1.])
    """
    return _storch.place(t, _storch.preset("ones"))


def zeros_(t: T) -> T:
    """0 everywhere.

    >>> import numpy as np
    >>> zeros_(np.empty(3))
    array([0., 0., 0.])
    """
    return _storch.place(t, _storch.preset("zeros"))


def eye_(t: T) -> T:
    """1 where row equals column, else 0, in a matrix, rectangular too.

    Raises:
        RuntimeError: not 2 dimensions.

    >>> import numpy as np
    >>> eye_(np.empty((2, 3)))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    _storch.require_rank(_storch.shape_of(t), 2, 2, "use dirac_ for a convolution")
    return _storch.place(t, _storch.preset("eye"))


def dirac_(t: T) -> T:
    """The convolution that passes its input through: see `fanin.Dirac`. The documented `groups` doesn't exist.

    Raises:
        RuntimeError: not 3, 4 or 5 dimensions.

    >>> import numpy as np
    >>> dirac_(np.empty((2, 2, 3)))[0]
    array([[0., 1., 0.],
           [0., 0., 0.]])
    """
    _storch.require_rank(_storch.shape_of(t), 3, 5, "use eye_ for a matrix")
    return _storch.place(t, _storch.preset("dirac"))


def xavierNormal_(t: T, gain: float = 1.0, generator: Generator = None) -> T:
    """N(0, gain²·2/(fan_in + fan_out)): see `fanin.VarianceScaling`. `gain` >= 0.

    storch's documentation has this text and that of `xavierUniform_` interchanged.

    Raises:
        RuntimeError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> round(float(xavierNormal_(np.empty((300, 500)), generator=0).std()), 2)
    0.05
    """
    return _storch.fill(t, _storch.xavier("xavier_normal", t, gain), generator)


def xavierUniform_(t: T, gain: float = 1.0, generator: Generator = None) -> T:
    """U[-r, r), r = gain·√(6/(fan_in + fan_out)): see `fanin.VarianceScaling`. `gain` >= 0.

    Raises:
        RuntimeError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> bool(abs(xavierUniform_(np.empty((3, 5)), generator=0)).max() <= (6 / 8) ** 0.5)
    True
    """
    return _storch.fill(t, _storch.xavier("xavier_uniform", t, gain), generator)


def kaimingUniform_(t: T, a: float = 0.0, mode: Mode = Mode.FanIn,
                    nonlinearity: NonLinearity = NonLinearity.LeakyReLU, generator: Generator = None) -> T:
    """U[-r, r), r = gain·√(3/fan), with the gain of `nonlinearity`: see `fanin.VarianceScaling`.

    Args:
        a: LeakyReLU's slope.
        mode: a `Mode`: which fan.
        nonlinearity: a `NonLinearity`.

    Raises:
        RuntimeError: fewer than 2 dimensions. TypeError: not a `Mode` or `NonLinearity`.

    >>> import numpy as np
    >>> w = kaimingUniform_(np.empty((3, 5)), nonlinearity=NonLinearity.ReLU, generator=0)
    >>> bool(abs(w).max() <= (6 / 5) ** 0.5)
    True
    """
    return _kaiming(t, "kaiming_uniform", a, mode, nonlinearity, generator)


def kaimingNormal_(t: T, a: float = 0.0, mode: Mode = Mode.FanIn,
                   nonlinearity: NonLinearity = NonLinearity.LeakyReLU, generator: Generator = None) -> T:
    """N(0, gain²/fan), with the gain of `nonlinearity`. Not truncated. Arguments and errors as `kaimingUniform_`.

    >>> import numpy as np
    >>> w = kaimingNormal_(np.empty((300, 500)), mode=Mode.FanOut, generator=0)
    >>> round(float(w.std()), 3), round((2 / 300) ** 0.5, 3)
    (0.082, 0.082)
    """
    return _kaiming(t, "kaiming_normal", a, mode, nonlinearity, generator)


def trunc_(t: T) -> T:
    """Cut the fraction of every element: -1.7 becomes -1. Kept: it is no truncated normal, in storch either.

    >>> import numpy as np
    >>> trunc_(np.array([-1.7, 0.2, 2.9]))
    array([-1.,  0.,  2.])
    """
    return _round_toward_zero(t)


def orthogonal_(t: T, gain: float = 1.0, generator: Generator = None) -> T:
    """gain·Q, Q a random (semi-)orthogonal matrix of as many rows as the first axis has: see `fanin.Orthogonal`.

    Mended: a tensor without rows crashes libtorch.

    Raises:
        RuntimeError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> q = orthogonal_(np.empty((3, 5)), generator=0)
    >>> bool(abs(q @ q.T - np.eye(3)).max() < 1e-13)
    True
    """
    _storch.require_rank(_storch.shape_of(t))
    return _storch.fill(t, _storch.preset("orthogonal", gain=gain), generator)


def sparse_(t: T, sparsity: float, std: float = 0.01, generator: Generator = None) -> T:
    """ceil(sparsity·rows) zeros in each column of a matrix, else N(0, std²): see `fanin.Sparse`.

    storch's documentation calls the parameter `gain`.

    Raises:
        RuntimeError: not 2 dimensions, or a sparsity outside of [0, 1].

    >>> import numpy as np
    >>> (sparse_(np.empty((10, 3)), 0.1, generator=0) == 0).sum(axis=0)
    array([1, 1, 1])
    """
    _storch.require_rank(_storch.shape_of(t), 2, 2, "fill a matrix and reshape it")
    return _storch.fill(t, _storch.preset("sparse", sparsity=sparsity, std=std), generator)


def _kaiming(t: T, name: str, a: float, mode: Mode, nonlinearity: NonLinearity, generator: Generator) -> T:
    if not isinstance(mode, Mode):
        raise FaninTypeError(f"`mode` must be Mode.FanIn or Mode.FanOut (got {shown(mode)})")
    _require_nonlinearity(nonlinearity)
    scheme = _storch.kaiming(name, t, finite("a", a), mode.value, nonlinearity.value)
    return _storch.fill(t, scheme, generator)


def _require_nonlinearity(value: NonLinearity) -> None:
    if not isinstance(value, NonLinearity):
        raise FaninTypeError(f"`nonlinearity` must be a NonLinearity, such as NonLinearity.ReLU (got {shown(value)})")
