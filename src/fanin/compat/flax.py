"""flax.nnx.initializers (and flax.linen.initializers): `fanin.compat.jax`, with Flax's `zeros_init` and `ones_init`.

>>> zeros_init()(None, (2, 3), "float32").tolist()
[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
"""

from .._namespace import listing as _listing
from .jax import Initializer as Initializer
from .jax import Key as Key
from .jax import bits as bits
from .jax import constant as constant
from .jax import delta_orthogonal as delta_orthogonal
from .jax import fold_in as fold_in
from .jax import glorot_normal as glorot_normal
from .jax import glorot_uniform as glorot_uniform
from .jax import he_normal as he_normal
from .jax import he_uniform as he_uniform
from .jax import kaiming_normal as kaiming_normal
from .jax import kaiming_uniform as kaiming_uniform
from .jax import key as key
from .jax import lecun_normal as lecun_normal
from .jax import lecun_uniform as lecun_uniform
from .jax import normal as normal
from .jax import ones as ones
from .jax import orthogonal as orthogonal
from .jax import split as split
from .jax import truncated_normal as truncated_normal
from .jax import uniform as uniform
from .jax import variance_scaling as variance_scaling
from .jax import xavier_normal as xavier_normal
from .jax import xavier_uniform as xavier_uniform
from .jax import zeros as zeros

__all__ = [
    "Initializer", "Key", "bits", "constant", "delta_orthogonal", "fold_in", "glorot_normal", "glorot_uniform",
    "he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform", "key", "lecun_normal", "lecun_uniform", "normal",
    "ones", "ones_init", "orthogonal", "split", "truncated_normal", "uniform", "variance_scaling", "xavier_normal",
    "xavier_uniform", "zeros", "zeros_init",
]

__dir__ = _listing(globals())


def zeros_init() -> Initializer:
    """`zeros`, for symmetry with the factories.

    >>> zeros_init()(None, 2).tolist()
    [0.0, 0.0]
    """
    return zeros


def ones_init() -> Initializer:
    """`ones`, for symmetry with the factories.

    >>> ones_init()(None, 2).tolist()
    [1.0, 1.0]
    """
    return ones
