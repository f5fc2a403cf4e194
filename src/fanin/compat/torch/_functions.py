"""The functions of torch.nn.init."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._callers import warn
from . import _bounds
from ._call import Whole, fill, fill_part, whole_of
from ._call import system as _torch
from ._laws import Normal, Uniform
from ._matrices import Orthogonal, Sparse
from ._truncated import Truncated

if TYPE_CHECKING:
    from ..._types import Index, Shape
    from .._shared.types import Generator, T


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


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator = None, *, index: Index | None = None,
             shape: Shape | None = None) -> T:
    """U[a, b): see `fanin.Uniform`. `b` never comes out, in half types neither (pytorch #96947, mended in 2.12).

    `index` and `shape`: see the module's documentation, and likewise for the functions built on this one.

    >>> import numpy as np
    >>> w = np.empty((3, 5), "float32")
    >>> uniform_(w, -1, 1, generator=0) is w
    True
    """
    scheme = _torch.preset("uniform", low=a, high=b)
    return fill_part(tensor, scheme, Uniform(float(a), float(b)), generator, whole_of(tensor, index, shape))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator = None, *, index: Index | None = None,
            shape: Shape | None = None) -> T:
    """N(mean, std²): see `fanin.Normal`. Half types have float32's tails (pytorch #166853, mended in 2.13).

    `index` and `shape`: see the module's documentation, and likewise for the functions built on this one.

    >>> import numpy as np
    >>> round(float(normal_(np.empty((300, 500)), std=0.02, generator=0).std()), 3)
    0.02
    """
    scheme = _torch.preset("normal", mean=mean, std=std)
    return fill_part(tensor, scheme, Normal(float(mean), float(std)), generator, whole_of(tensor, index, shape))


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
    scheme = _torch.preset("trunc_normal", mean=mean, std=std, lower=a, upper=b)
    return fill(tensor, scheme, Truncated(float(mean), float(std), float(a), float(b)), generator)


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


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator = None, *, index: Index | None = None,
                    shape: Shape | None = None) -> T:
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
    whole = whole_of(tensor, index, shape)
    scheme = _torch.xavier("xavier_uniform", whole, gain)
    return fill_part(tensor, scheme, _bounds.uniform(_bounds.xavier_std(whole.shape, gain)), generator, whole)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator = None, *, index: Index | None = None,
                   shape: Shape | None = None) -> T:
    """N(0, gain²·2/(fan_in + fan_out)): see `fanin.VarianceScaling`. Arguments and errors as `xavier_uniform_`.

    >>> import numpy as np
    >>> round(float(xavier_normal_(np.empty((300, 500)), generator=0).std()), 2)
    0.05
    """
    whole = whole_of(tensor, index, shape)
    scheme = _torch.xavier("xavier_normal", whole, gain)
    return fill_part(tensor, scheme, Normal(0.0, _bounds.xavier_std(whole.shape, gain)), generator, whole)


def kaiming_uniform_(tensor: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Generator = None, *, index: Index | None = None, shape: Shape | None = None) -> T:
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
    return _kaiming("kaiming_uniform", tensor, a, mode, nonlinearity, generator, whole_of(tensor, index, shape))


def kaiming_normal_(tensor: T, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator = None, *, index: Index | None = None, shape: Shape | None = None) -> T:
    """N(0, gain²/fan), with the gain of `nonlinearity`. Not truncated. Arguments and errors as `kaiming_uniform_`.

    >>> import numpy as np
    >>> w = kaiming_normal_(np.empty((300, 500)), mode="fan_out", nonlinearity="relu", generator=0)
    >>> round(float(w.std()), 3), round((2 / 300) ** 0.5, 3)
    (0.082, 0.082)
    """
    return _kaiming("kaiming_normal", tensor, a, mode, nonlinearity, generator, whole_of(tensor, index, shape))


def _kaiming(name: str, tensor: T, a: float, mode: str, nonlinearity: str, generator: Generator, whole: Whole) -> T:
    if 0 in whole.shape:
        warn("Initializing zero-element tensors is a no-op", UserWarning)
        return tensor
    scheme = _torch.kaiming(name, whole, a, mode, nonlinearity)
    std = _bounds.kaiming_std(whole.shape, mode, calculate_gain(nonlinearity, a))
    law = _bounds.uniform(std) if name == "kaiming_uniform" else Normal(0.0, std)
    return fill_part(tensor, scheme, law, generator, whole)


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
    return fill(tensor, _torch.preset("orthogonal", gain=gain), Orthogonal(gain), generator)


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Generator = None) -> T:
    """ceil(sparsity·rows) zeros in each column of a matrix, else N(0, std²): see `fanin.Sparse`.

    Mended: the zeros' rows, too, come from `generator`; torch's come from its default generator always. (A `Generator`
    of this module stands for that one: it draws both.)

    Raises:
        ValueError: not 2 dimensions, or a sparsity outside of [0, 1] (torch makes of 1.5 the same as of 1).

    >>> import numpy as np
    >>> (sparse_(np.empty((10, 3)), sparsity=0.1, generator=0) == 0).sum(axis=0)
    array([1, 1, 1])
    """
    _torch.require_rank(_torch.shape_of(tensor), 2, 2, "fill a matrix and reshape it")
    scheme = _torch.preset("sparse", sparsity=sparsity, std=std)
    return fill(tensor, scheme, Sparse(float(sparsity), float(std)), generator)
