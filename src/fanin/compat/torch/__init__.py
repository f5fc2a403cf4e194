"""`torch.nn.init` of PyTorch 2: in place on torch tensors and numpy arrays, and returns what it filled.

    import fanin.compat.torch as init   # instead of: from torch.nn import init

Every function takes `tensor`, a torch tensor or a numpy array, of any stride and, as the schemes do, of float16,
bfloat16, float32, float64 or a complex dtype (the constant ones also of integers and bool). Nothing is recorded for
gradients, the tensor's version counter moves, and nothing happens to a tensor on the meta device. Torch need not be
installed.

`generator` is a `fanin.Stream`, a seed (the same values at each call), a `torch.Generator`, which gives one seed a
call, or None, fanin's default stream, which `fanin.seed` sets. With these, values are fanin's, not torch's, for the
same seed. `torch.manual_seed` sets torch's own generator: pass `generator=torch.default_generator` for seeds from it.

For **torch's own numbers**, bit for bit, `generator` is a `Generator` of this module, which is torch's without torch:
`Generator().manual_seed(0)`. `replay(0)` makes one the default inside a block, `Generator.follow` draws from a
torch.Generator, `reset_parameters` does whole modules, and `find_seed` tells the seed that a weight was drawn with.
The functions with `index` and `shape` then draw a part of a tensor alone: `index` (an int, slice, Ellipsis, or a tuple
of them) selects from a contiguous tensor of that `shape`, and `tensor` is what it selects. `trunc_normal_` can't: its
rounds go on until every number of the whole tensor is accepted. Nor can `orthogonal_` and `sparse_`, which are laws of
whole matrices.

A tensor's shape is (out, in, *kernel): fan_in is tensor.size(1) times the kernel, fan_out tensor.size(0) times it.

Exceptions are torch's: ValueError for a rank, mode or nonlinearity, RuntimeError for parameters that nothing can be
drawn with, NotImplementedError for a dtype. All are FaninErrors too.

Unlike torch, where fanin's numbers are drawn: a complex uniform is a disk, as in `fanin.Uniform`, not a square. Always:
tensors without elements work for every shape, and a tensor with two elements in one place (expanded) is refused.
"""

from ..._namespace import listing as _listing
from ._deprecated import constant as constant
from ._deprecated import dirac as dirac
from ._deprecated import eye as eye
from ._deprecated import kaiming_normal as kaiming_normal
from ._deprecated import kaiming_uniform as kaiming_uniform
from ._deprecated import normal as normal
from ._deprecated import orthogonal as orthogonal
from ._deprecated import sparse as sparse
from ._deprecated import uniform as uniform
from ._deprecated import xavier_normal as xavier_normal
from ._deprecated import xavier_uniform as xavier_uniform
from ._functions import calculate_gain as calculate_gain
from ._functions import constant_ as constant_
from ._functions import dirac_ as dirac_
from ._functions import eye_ as eye_
from ._functions import kaiming_normal_ as kaiming_normal_
from ._functions import kaiming_uniform_ as kaiming_uniform_
from ._functions import normal_ as normal_
from ._functions import ones_ as ones_
from ._functions import orthogonal_ as orthogonal_
from ._functions import sparse_ as sparse_
from ._functions import trunc_normal_ as trunc_normal_
from ._functions import uniform_ as uniform_
from ._functions import xavier_normal_ as xavier_normal_
from ._functions import xavier_uniform_ as xavier_uniform_
from ._functions import zeros_ as zeros_
from ._generator import Generator as Generator
from ._generator import replay as replay
from ._modules import reset_parameters as reset_parameters
from ._seeds import find_seed as find_seed

__all__ = [
    "Generator", "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "find_seed",
    "kaiming_normal", "kaiming_normal_", "kaiming_uniform", "kaiming_uniform_", "normal", "normal_", "ones_",
    "orthogonal", "orthogonal_", "replay", "reset_parameters", "sparse", "sparse_", "trunc_normal_", "uniform",
    "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform", "xavier_uniform_", "zeros_",
]

__dir__ = _listing(globals())
