"""`torch.nn.init` of PyTorch 0.2 and 0.3: names without underscore, in place, and returns what it filled.

    import fanin.compat.torch03 as init   # instead of: from torch.nn import init

Every function takes `tensor`, a numpy array or a torch tensor (a Variable is one today), of any stride and, as the
schemes do, of float16, bfloat16, float32, float64 or a complex dtype (the constant ones also of integers and bool).
Nothing is recorded for gradients.

`generator` is new: a `fanin.Stream`, a seed (the same values at each call), a `torch.Generator`, which gives one seed a
call, or None, fanin's default stream, which `fanin.seed` sets.

A tensor's shape is (out, in, *kernel): fan_in is its second axis times the kernel, fan_out its first times it.

Exceptions are torch's: ValueError for a rank, mode or nonlinearity, RuntimeError for parameters that nothing can be
drawn with. All are FaninErrors too. What that document writes as N(mean, std) has the standard deviation `std`.
"""

from ..._namespace import listing as _listing
from ._functions import calculate_gain as calculate_gain
from ._functions import constant as constant
from ._functions import dirac as dirac
from ._functions import eye as eye
from ._functions import kaiming_normal as kaiming_normal
from ._functions import kaiming_uniform as kaiming_uniform
from ._functions import normal as normal
from ._functions import orthogonal as orthogonal
from ._functions import sparse as sparse
from ._functions import uniform as uniform
from ._functions import xavier_normal as xavier_normal
from ._functions import xavier_uniform as xavier_uniform

__all__ = [
    "calculate_gain", "constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal",
    "sparse", "uniform", "xavier_normal", "xavier_uniform",
]

__dir__ = _listing(globals())
