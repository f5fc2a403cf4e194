"""`torch.nn.init` of storch, the Scala 3 binding of torch: camelCase, in place, and returns what it filled.

    import fanin.compat.storch as init   # instead of: import torch.nn.init

Every function takes `t`, a numpy array or a torch tensor, of any stride and, as the schemes do, of float16, bfloat16,
float32, float64 or a complex dtype (the constant ones also of integers and bool). Nothing is recorded for gradients.

`generator` is new: a `fanin.Stream`, a seed (the same values at each call), a `torch.Generator`, which gives one seed a
call, or None, fanin's default stream, which `fanin.seed` sets.

A tensor's shape is (out, in, *kernel): fan_in is its second axis times the kernel, fan_out its first times it.

Exceptions are RuntimeErrors, as libtorch's; all are FaninErrors and ValueErrors or TypeErrors too.
"""

from ..._namespace import listing as _listing
from ._functions import Mode as Mode
from ._functions import NonLinearity as NonLinearity
from ._functions import calculateGain as calculateGain
from ._functions import constant_ as constant_
from ._functions import dirac_ as dirac_
from ._functions import eye_ as eye_
from ._functions import kaimingNormal_ as kaimingNormal_
from ._functions import kaimingUniform_ as kaimingUniform_
from ._functions import normal_ as normal_
from ._functions import ones_ as ones_
from ._functions import orthogonal_ as orthogonal_
from ._functions import sparse_ as sparse_
from ._functions import trunc_ as trunc_
from ._functions import uniform_ as uniform_
from ._functions import xavierNormal_ as xavierNormal_
from ._functions import xavierUniform_ as xavierUniform_
from ._functions import zeros_ as zeros_

__all__ = [
    "Mode", "NonLinearity", "calculateGain", "constant_", "dirac_", "eye_", "kaimingNormal_", "kaimingUniform_",
    "normal_", "ones_", "orthogonal_", "sparse_", "trunc_", "uniform_", "xavierNormal_", "xavierUniform_", "zeros_",
]

__dir__ = _listing(globals())
