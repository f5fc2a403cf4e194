"""`flint.nn.init`: in place, and returns None.

    import fanin.compat.flint as init   # instead of: from flint.nn import init

Every function takes `tensor`, a numpy array or a flint Tensor (an object whose `data` is one), of any stride and, as
the schemes do, of float16, bfloat16, float32, float64 or a complex dtype (the constant ones also of integers and bool).

Mended: flint's random functions put a new float64 array in the place of `tensor.data`. Here the array is filled, so it
keeps its dtype, and its views see the values.

`generator` is new and given by name: a `fanin.Stream`, a seed (the same values at each call), or None, fanin's default
stream, which `fanin.seed` sets. `np.random.seed`, which flint follows, has no effect.

A tensor's shape is (out, in, *kernel): fan_in is its second axis times the kernel, fan_out its first times it.

Exceptions are ValueError for ranks, modes, nonlinearities and parameters that nothing can be drawn with, and TypeError.
All are FaninErrors too.
"""

from ..._namespace import listing as _listing
from ._functions import calculate_gain as calculate_gain
from ._functions import constant_ as constant_
from ._functions import kaiming_normal_ as kaiming_normal_
from ._functions import kaiming_uniform_ as kaiming_uniform_
from ._functions import lecun_normal_ as lecun_normal_
from ._functions import lecun_uniform_ as lecun_uniform_
from ._functions import normal_ as normal_
from ._functions import ones_ as ones_
from ._functions import uniform_ as uniform_
from ._functions import xavier_normal_ as xavier_normal_
from ._functions import xavier_uniform_ as xavier_uniform_
from ._functions import zeros_ as zeros_

__all__ = [
    "calculate_gain", "constant_", "kaiming_normal_", "kaiming_uniform_", "lecun_normal_", "lecun_uniform_",
    "normal_", "ones_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]

__dir__ = _listing(globals())
