"""jax.nn.initializers, with JAX's own numbers and without JAX: change the import line and go on.

Keys come from `key`, `split` and `fold_in` here, from jax.random, or are raw pairs of uint32. A key of JAX's makes a
JAX array, also inside jit, vmap, scan and eval_shape, so these initializers serve as `kernel_init=` in Flax; any other
key makes a numpy array.

float32 draws repeat those of JAX 0.10 on a CPU with fused multiply-add: random words and uniform numbers exactly,
normal and truncated ones within 2 ulp (the compiled loops of JAX's own random functions exactly; where XLA fuses them
into a larger jitted function, or folds constants, JAX differs from itself in the last bit), orthogonal matrices within
1e-4. Half and complex types have JAX's law and fanin's numbers: those of the scheme with the seed 2**32·k0 + k1, k0
and k1 being the key's words, in either layout.

Kept, as in JAX: `uniform` is one-sided, `truncated_normal` doesn't correct its std, orthogonal matrices have no half
types. Mended: the constant of complex truncated normals, NaN for a negative scale, and shapes without elements.

>>> he_uniform()(key(42, partitionable=False), (2, 3))
array([[ 0.79611576,  1.2789248 ,  1.2896855 ],
       [-1.0108745 , -1.0855657 ,  0.17398663]], dtype=float32)
"""

from ..._namespace import listing as _listing
from ._bits import bits as bits
from ._initializers import constant as constant
from ._initializers import delta_orthogonal as delta_orthogonal
from ._initializers import normal as normal
from ._initializers import ones as ones
from ._initializers import orthogonal as orthogonal
from ._initializers import truncated_normal as truncated_normal
from ._initializers import uniform as uniform
from ._initializers import zeros as zeros
from ._keys import Key as Key
from ._keys import fold_in as fold_in
from ._keys import key as key
from ._keys import split as split
from ._scaling import glorot_normal as glorot_normal
from ._scaling import glorot_uniform as glorot_uniform
from ._scaling import he_normal as he_normal
from ._scaling import he_uniform as he_uniform
from ._scaling import kaiming_normal as kaiming_normal
from ._scaling import kaiming_uniform as kaiming_uniform
from ._scaling import lecun_normal as lecun_normal
from ._scaling import lecun_uniform as lecun_uniform
from ._scaling import variance_scaling as variance_scaling
from ._scaling import xavier_normal as xavier_normal
from ._scaling import xavier_uniform as xavier_uniform
from ._types import Initializer as Initializer

__all__ = [
    "Initializer", "Key", "bits", "constant", "delta_orthogonal", "fold_in", "glorot_normal", "glorot_uniform",
    "he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform", "key", "lecun_normal", "lecun_uniform", "normal",
    "ones", "orthogonal", "split", "truncated_normal", "uniform", "variance_scaling", "xavier_normal",
    "xavier_uniform", "zeros",
]

__dir__ = _listing(globals())
