"""`torch.nn.init` of PyTorch 2: in place on torch tensors and numpy arrays, and returns what it filled.

    import fanin.compat.torch as init   # instead of: from torch.nn import init

Every function takes `tensor`, a torch tensor or a numpy array, of any stride and, as the schemes do, of float16,
bfloat16, float32, float64 or a complex dtype (the constant ones also of integers and bool). Nothing is recorded for
gradients, the tensor's version counter moves, and nothing happens to a tensor on the meta device. Torch need not be
installed.

`generator` is a `fanin.Stream`, a seed (the same values at each call), a `torch.Generator`, which gives one seed a
call, or None, fanin's default stream, which `fanin.seed` sets. `torch.manual_seed` sets torch's own generator: pass
`generator=torch.default_generator` to follow it. Values are fanin's, not torch's, for the same seed.

A tensor's shape is (out, in, *kernel): fan_in is tensor.size(1) times the kernel, fan_out tensor.size(0) times it.

Exceptions are torch's: ValueError for a rank, mode or nonlinearity, RuntimeError for parameters that nothing can be
drawn with, NotImplementedError for a dtype. All are FaninErrors too.

Unlike torch: half types are drawn in float32 and rounded once; a complex uniform is a disk, as in `fanin.Uniform`, not
a square; tensors without elements work for every shape; and a tensor with two elements in one place (expanded) is
refused.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from typing_extensions import deprecated

from ._shared.errors import TorchTypeError, TorchValueError
from ._shared.system import System

if TYPE_CHECKING:
    from ._shared.types import Generator, T

__all__ = [
    "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal", "kaiming_normal_",
    "kaiming_uniform", "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal", "orthogonal_", "sparse",
    "sparse_", "trunc_normal_", "uniform", "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform",
    "xavier_uniform_", "zeros_",
]

_torch = System("torch", "tensor", {"low": "a", "high": "b", "lower": "a", "upper": "b", "value": "val",
                                    "scale": "gain"}, TorchValueError, TorchTypeError)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the std that a nonlinearity asks for.

    1 for linear, conv1d to conv3d, conv_transpose1d to conv_transpose3d and sigmoid, 5/3 for tanh, √2 for relu,
    √(2/(1 + param²)) for leaky_relu, whose slope is 0.01 by default, 3/4 for selu.

    Raises:
        ValueError: another nonlinearity, "identity" too, or a slope that is not an int or float.

    >>> calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    return _torch.gain(nonlinearity, param)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> T:
    """U[a, b): see `fanin.Uniform`. `b` never comes out, in half types neither, where torch's does (pytorch #96947).

    >>> import numpy as np
    >>> w = np.empty((3, 5), "float32")
    >>> uniform_(w, -1, 1, generator=0) is w
    True
    """
    return _torch.fill(tensor, _torch.preset("uniform", low=a, high=b), generator)


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> T:
    """N(mean, std²): see `fanin.Normal`. bfloat16 has tails; torch's on the CPU ends at ±3.5 std (pytorch #166853).

    >>> import numpy as np
    >>> round(float(normal_(np.empty((300, 500)), std=0.02, generator=0).std()), 3)
    0.02
    """
    return _torch.fill(tensor, _torch.preset("normal", mean=mean, std=std), generator)


def trunc_normal_(tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Generator = None) -> T:
    """N(mean, std²) conditioned on [a, b]: see `fanin.TruncatedNormal`. `a` and `b` are absolute, not in std units.

    Mended: torch before 2.12 clamped, which piled values up at `a` (pytorch #145498, #155588), and torch since then
    makes temporaries of the tensor's size. The distribution is right for any mean, so there is no warning where `mean`
    lies far outside [a, b]; std = 0 gives the mean, if it lies inside.

    >>> import numpy as np
    >>> w = trunc_normal_(np.empty((300, 500)), std=0.02, a=-0.04, b=0.04, generator=0)
    >>> round(float(w.std()), 4), bool(abs(w).max() <= 0.04)
    (0.0176, True)
    """
    return _torch.fill(tensor, _torch.preset("trunc_normal", mean=mean, std=std, lower=a, upper=b), generator)


def constant_(tensor: T, val: complex) -> T:
    """`val` everywhere; in integers without its fraction, as in torch.

    >>> import numpy as np
    >>> constant_(np.empty(3), 0.3)
    array([0.3, 0.3, 0.3])
    """
    return _torch.place(tensor, _torch.constant(val, getattr(tensor, "dtype", None), "val"))


def ones_(tensor: T) -> T:
    """1 everywhere.

    >>> import numpy as np
    >>> ones_(np.empty(3, "int8"))
    array([1, 1, 1], dtype=int8)
    """
    return _torch.place(tensor, _torch.preset("ones"))


def zeros_(tensor: T) -> T:
    """0 everywhere.

    >>> import numpy as np
    >>> zeros_(np.ones(3, bool))
    array([False, False, False])
    """
    return _torch.place(tensor, _torch.preset("zeros"))


def eye_(tensor: T) -> T:
    """1 where row equals column, else 0, in a matrix, rectangular too.

    Raises:
        ValueError: not 2 dimensions.

    >>> import numpy as np
    >>> eye_(np.empty((2, 3)))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    _torch.require_rank(_torch.shape_of(tensor), 2, 2, "use dirac_ for a convolution")
    return _torch.place(tensor, _torch.preset("eye"))


def dirac_(tensor: T, groups: int = 1) -> T:
    """The convolution that passes its input through, in each of `groups` groups of channels: see `fanin.Dirac`.

    Raises:
        ValueError: not 3, 4 or 5 dimensions, or groups that don't divide tensor.size(0).

    >>> import numpy as np
    >>> dirac_(np.empty((2, 1, 3)), groups=2)[:, 0]
    array([[0., 1., 0.],
           [0., 1., 0.]])
    """
    _torch.require_rank(_torch.shape_of(tensor), 3, 5, "use eye_ for a matrix")
    return _torch.place(tensor, _torch.preset("dirac", groups=groups))


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """U[-r, r), r = gain·√(6/(fan_in + fan_out)): see `fanin.VarianceScaling`.

    Args:
        gain: >= 0, a factor of the std.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> w = xavier_uniform_(np.empty((3, 5)), gain=calculate_gain("relu"), generator=0)
    >>> bool(abs(w).max() <= 2 ** 0.5 * (6 / 8) ** 0.5)
    True
    """
    return _torch.fill(tensor, _torch.xavier("xavier_uniform", tensor, gain), generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator = None) -> T:
    """N(0, gain²·2/(fan_in + fan_out)): see `fanin.VarianceScaling`. Arguments and errors as `xavier_uniform_`.

    >>> import numpy as np
    >>> round(float(xavier_normal_(np.empty((300, 500)), generator=0).std()), 2)
    0.05
    """
    return _torch.fill(tensor, _torch.xavier("xavier_normal", tensor, gain), generator)


def kaiming_uniform_(tensor: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Generator = None) -> T:
    """U[-r, r), r = gain·√(3/fan), with the gain of `nonlinearity`: see `fanin.VarianceScaling`.

    Args:
        a: leaky_relu's slope; √5 gives the default of torch's layers, U[-1/√fan_in, 1/√fan_in).
        mode: "fan_in" or "fan_out", in any case: which fan.
        nonlinearity: one that `calculate_gain` knows.

    Kept: a tensor without elements is left alone, with a UserWarning, before anything is checked.

    Raises:
        ValueError: fewer than 2 dimensions, another mode or nonlinearity, a slope that is not an int or float.

    >>> import numpy as np
    >>> w = kaiming_uniform_(np.empty((3, 5)), mode="fan_in", nonlinearity="relu", generator=0)
    >>> bool(abs(w).max() <= (6 / 5) ** 0.5)
    True
    """
    return _kaiming(tensor, "kaiming_uniform", a, mode, nonlinearity, generator)


def kaiming_normal_(tensor: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator = None) -> T:
    """N(0, gain²/fan), with the gain of `nonlinearity`. Not truncated. Arguments and errors as `kaiming_uniform_`.

    >>> import numpy as np
    >>> w = kaiming_normal_(np.empty((300, 500)), mode="fan_out", nonlinearity="relu", generator=0)
    >>> round(float(w.std()), 3), round((2 / 300) ** 0.5, 3)
    (0.082, 0.082)
    """
    return _kaiming(tensor, "kaiming_normal", a, mode, nonlinearity, generator)


def _kaiming(tensor: T, name: str, a: float, mode: str, nonlinearity: str, generator: Generator) -> T:
    if 0 in _torch.shape_of(tensor):
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return tensor
    return _torch.fill(tensor, _torch.kaiming(name, tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: T, gain: float = 1, generator: Generator = None) -> T:
    """gain·Q, Q a random (semi-)orthogonal matrix of tensor.size(0) rows: see `fanin.Orthogonal`.

    Works for float16, bfloat16 and complex dtypes, which torch refuses on the CPU.

    Raises:
        ValueError: fewer than 2 dimensions.

    >>> import numpy as np
    >>> q = orthogonal_(np.empty((3, 5)), generator=0)
    >>> bool(abs(q @ q.T - np.eye(3)).max() < 1e-13)
    True
    """
    _torch.require_rank(_torch.shape_of(tensor))
    return _torch.fill(tensor, _torch.preset("orthogonal", gain=gain), generator)


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Generator = None) -> T:
    """ceil(sparsity·rows) zeros in each column of a matrix, else N(0, std²): see `fanin.Sparse`.

    Mended: the zeros' rows, too, come from `generator`; torch's come from its default generator always.

    Raises:
        ValueError: not 2 dimensions, or a sparsity outside of [0, 1] (torch makes of 1.5 the same as of 1).

    >>> import numpy as np
    >>> (sparse_(np.empty((10, 3)), sparsity=0.1, generator=0) == 0).sum(axis=0)
    array([1, 1, 1])
    """
    _torch.require_rank(_torch.shape_of(tensor), 2, 2, "fill a matrix and reshape it")
    return _torch.fill(tensor, _torch.preset("sparse", sparsity=sparsity, std=std), generator)


# -- the names of torch 0.3: as in torch, with a FutureWarning and no signature of their own ---------------------------


@deprecated("`nn.init.uniform` is now deprecated in favor of `nn.init.uniform_`.", category=FutureWarning)
def uniform(*args: Any, **kwargs: Any) -> Any:
    """`uniform_`, with a FutureWarning."""
    return uniform_(*args, **kwargs)


@deprecated("`nn.init.normal` is now deprecated in favor of `nn.init.normal_`.", category=FutureWarning)
def normal(*args: Any, **kwargs: Any) -> Any:
    """`normal_`, with a FutureWarning."""
    return normal_(*args, **kwargs)


@deprecated("`nn.init.constant` is now deprecated in favor of `nn.init.constant_`.", category=FutureWarning)
def constant(*args: Any, **kwargs: Any) -> Any:
    """`constant_`, with a FutureWarning."""
    return constant_(*args, **kwargs)


@deprecated("`nn.init.eye` is now deprecated in favor of `nn.init.eye_`.", category=FutureWarning)
def eye(*args: Any, **kwargs: Any) -> Any:
    """`eye_`, with a FutureWarning."""
    return eye_(*args, **kwargs)


@deprecated("`nn.init.dirac` is now deprecated in favor of `nn.init.dirac_`.", category=FutureWarning)
def dirac(*args: Any, **kwargs: Any) -> Any:
    """`dirac_`, with a FutureWarning."""
    return dirac_(*args, **kwargs)


@deprecated("`nn.init.xavier_uniform` is now deprecated in favor of `nn.init.xavier_uniform_`.", category=FutureWarning)
def xavier_uniform(*args: Any, **kwargs: Any) -> Any:
    """`xavier_uniform_`, with a FutureWarning."""
    return xavier_uniform_(*args, **kwargs)


@deprecated("`nn.init.xavier_normal` is now deprecated in favor of `nn.init.xavier_normal_`.", category=FutureWarning)
def xavier_normal(*args: Any, **kwargs: Any) -> Any:
    """`xavier_normal_`, with a FutureWarning."""
    return xavier_normal_(*args, **kwargs)


@deprecated("`nn.init.kaiming_uniform` is now deprecated in favor of `nn.init.kaiming_uniform_`.",
            category=FutureWarning)
def kaiming_uniform(*args: Any, **kwargs: Any) -> Any:
    """`kaiming_uniform_`, with a FutureWarning."""
    return kaiming_uniform_(*args, **kwargs)


@deprecated("`nn.init.kaiming_normal` is now deprecated in favor of `nn.init.kaiming_normal_`.", category=FutureWarning)
def kaiming_normal(*args: Any, **kwargs: Any) -> Any:
    """`kaiming_normal_`, with a FutureWarning."""
    return kaiming_normal_(*args, **kwargs)


@deprecated("`nn.init.orthogonal` is now deprecated in favor of `nn.init.orthogonal_`.", category=FutureWarning)
def orthogonal(*args: Any, **kwargs: Any) -> Any:
    """`orthogonal_`, with a FutureWarning."""
    return orthogonal_(*args, **kwargs)


@deprecated("`nn.init.sparse` is now deprecated in favor of `nn.init.sparse_`.", category=FutureWarning)
def sparse(*args: Any, **kwargs: Any) -> Any:
    """`sparse_`, with a FutureWarning."""
    return sparse_(*args, **kwargs)
