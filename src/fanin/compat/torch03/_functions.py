"""torch 0.3's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._shared.errors import TorchTypeError, TorchValueError
from .._shared.gains import TORCH03
from .._shared.system import System

if TYPE_CHECKING:
    from .._shared.types import Generator, T

_torch03 = System("torch03", "tensor", {"low": "a", "high": "b", "value": "val", "scale": "gain"}, TorchValueError,
                  TorchTypeError, nonlinearities=TORCH03)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the std that a nonlinearity asks for.

    1 for linear, conv1d to conv3d, conv_transpose1d to conv_transpose3d and sigmoid, 5/3 for tanh, √2 for relu,
    √(2/(1 + param²)) for leaky_relu, whose slope is 0.01 by default. The document's copies lost the square roots.

    Raises:
        ValueError: another nonlinearity, selu too, or a slope that is not an int or float.

    >>> calculate_gain("relu")
    1.4142135623730951
    """
    return _torch03.gain(nonlinearity, param)


def uniform(tensor: T, a: float = 0, b: float = 1, generator: Generator = None) -> T:
    """U[a, b): see `fanin.Uniform`.

    >>> import numpy as np
    >>> w = np.empty((3, 5), "float32")
    >>> uniform(w, generator=0) is w
    True
    """
    return _torch03.fill(tensor, _torch03.preset("uniform", low=a, high=b), generator)


def normal(tensor: T, mean: float = 0, std: float = 1, generator: Generator = None) -> T:
    """N(mean, std²): see `fanin.Normal`.

    >>> import numpy as np
    >>> round(float(normal(np.empty((300, 500)), std=0.02, generator=0).std()), 3)
    0.02
    """
    return _torch03.fill(tensor, _torch03.preset("normal", mean=mean, std=std), generator)


def constant(tensor: T, val: complex) -> T:
    """`val` everywhere; in integers without its fraction. `val` is required, though the document's example omits it.

    >>> import numpy as np
    >>> constant(np.empty(3), 0.3)
    array([0.3, 0.3, 0.3])
    """
    return _torch03.place(tensor, _torch03.constant(val, getattr(tensor, "dtype", None), "val"))


def eye(tensor: T) -> T:
    """1 where row equals column, else 0, in a matrix, rectangular too.

    Raises:
        ValueError: not 2 dimensions.

    >>> import numpy as np
    >>> eye(np.empty((2, 3), int))
    array([[1, 0, 0],
           [0, 1, 0]])
    """
    _torch03.require_rank(_torch03.shape_of(tensor), 2, 2, "use dirac for a convolution")
    return _torch03.place(tensor, _torch03.preset("eye"))


def dirac(tensor: T) -> T:
    """The convolution that passes its input through; no groups yet: see `fanin.Dirac`.

    Raises:
        ValueError: not 3, 4 or 5 dimensions.

    >>> import numpy as np
    >>> dirac(np.empty((2, 2, 3)))[0]
    array([[0., 1., 0.],
           [0., 0., 0.]])
    """
    _torch03.require_rank(_torch03.shape_of(tensor), 3, 5, "use eye for a matrix")
    return _torch03.place(tensor, _torch03.preset("dirac"))


def xavier_uniform(tensor: T, gain: float = 1, generator: Generator = None) -> T:
    """U[-r, r), r = gain·√(6/(fan_in + fan_out)): see `fanin.VarianceScaling`.

    Args:
        gain: >= 0, a factor of the std.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> w = xavier_uniform(np.empty((3, 5)), gain=2 ** 0.5, generator=0)
    >>> bool(abs(w).max() <= 1.5 ** 0.5)
    True
    """
    _torch03.require_rank(_torch03.shape_of(tensor))
    return _torch03.fill(tensor, _torch03.preset("xavier_uniform", scale=_torch03.scale(gain)), generator)


def xavier_normal(tensor: T, gain: float = 1, generator: Generator = None) -> T:
    """N(0, gain²·2/(fan_in + fan_out)): see `fanin.VarianceScaling`. Arguments and errors as `xavier_uniform`.

    >>> import numpy as np
    >>> round(float(xavier_normal(np.empty((300, 500)), generator=0).std()), 2)
    0.05
    """
    _torch03.require_rank(_torch03.shape_of(tensor))
    return _torch03.fill(tensor, _torch03.preset("xavier_normal", scale=_torch03.scale(gain)), generator)


def kaiming_uniform(tensor: T, a: float = 0, mode: str = "fan_in", generator: Generator = None) -> T:
    """U[-r, r), r = √(6/((1 + a²)·fan)): see `fanin.VarianceScaling`. There is no nonlinearity but leaky_relu.

    Args:
        a: the rectifier's slope, 0 for relu.
        mode: "fan_in" or "fan_out", in any case: which fan.

    Raises:
        ValueError: fewer than 2 dimensions, another mode, a slope that is not an int or float.

    >>> import numpy as np
    >>> w = kaiming_uniform(np.empty((3, 5)), mode="fan_in", generator=0)
    >>> bool(abs(w).max() <= (6 / 5) ** 0.5)
    True
    """
    return _torch03.fill(tensor, _torch03.kaiming("kaiming_uniform", tensor, a, mode, "leaky_relu"), generator)


def kaiming_normal(tensor: T, a: float = 0, mode: str = "fan_in", generator: Generator = None) -> T:
    """N(0, 2/((1 + a²)·fan)). Not truncated. Arguments and errors as `kaiming_uniform`.

    >>> import numpy as np
    >>> w = kaiming_normal(np.empty((300, 500)), mode="fan_out", generator=0)
    >>> round(float(w.std()), 3), round((2 / 300) ** 0.5, 3)
    (0.082, 0.082)
    """
    return _torch03.fill(tensor, _torch03.kaiming("kaiming_normal", tensor, a, mode, "leaky_relu"), generator)


def orthogonal(tensor: T, gain: float = 1, generator: Generator = None) -> T:
    """gain·Q, Q a random (semi-)orthogonal matrix of as many rows as the first axis has: see `fanin.Orthogonal`.

    Mended: for fewer rows than columns the older releases padded a square matrix with columns of zeros; here, as in the
    later ones, no column is zero.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> q = orthogonal(np.empty((3, 5)), generator=0)
    >>> bool(abs(q @ q.T - np.eye(3)).max() < 1e-13), bool((q[:, -1] != 0).all())
    (True, True)
    """
    _torch03.require_rank(_torch03.shape_of(tensor))
    return _torch03.fill(tensor, _torch03.preset("orthogonal", gain=gain), generator)


def sparse(tensor: T, sparsity: float, std: float = 0.01, generator: Generator = None) -> T:
    """ceil(sparsity·rows) zeros in each column of a matrix, else N(0, std²): see `fanin.Sparse`.

    Mended: the zeros' rows, too, come from `generator`; torch took them from Python's `random`, whatever its own seed.

    Raises:
        ValueError: not 2 dimensions, or a sparsity outside of [0, 1].

    >>> import numpy as np
    >>> (sparse(np.empty((10, 3)), sparsity=0.1, generator=0) == 0).sum(axis=0)
    array([1, 1, 1])
    """
    _torch03.require_rank(_torch03.shape_of(tensor), 2, 2, "fill a matrix and reshape it")
    return _torch03.fill(tensor, _torch03.preset("sparse", sparsity=sparsity, std=std), generator)
