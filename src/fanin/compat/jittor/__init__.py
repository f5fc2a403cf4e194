"""`jittor.init`: new arrays, and with an underscore in place.

    import fanin.compat.jittor as init   # instead of: from jittor import init

`var` is a numpy array of any stride and, as the schemes do, of float16, bfloat16, float32, float64 or a complex dtype
(the constant ones also of integers and bool); `shape` an int or a tuple of ints. The methods that jittor attaches to
its Vars, `fill_` and `normal_` among them, are functions here. Each returns the array, but for `invariant_uniform_`.

`generator` is new and given by name: a `fanin.Stream`, a seed (the same values at each call), or None, fanin's default
stream, which `fanin.seed` sets.

A shape is (out, in, *kernel): fan_in is its second axis times the kernel, fan_out its first times it. Kept: a
transposed convolution's weight in jittor is (in, out/groups, *kernel), so that its "fan_in" is really its fan_out.

Kept: uniform numbers are in (low, high], as jittor's formula makes them; `fanin.Uniform` has [low, high).
Exceptions are jittor's: AssertionError for ranks, modes and slopes, KeyError for the nonlinearity of the kaiming
functions, ValueError for that of `calculate_gain` and for parameters that nothing can be drawn with. All are
FaninErrors too.
"""

from ..._namespace import listing as _listing
from ._functions import calculate_gain as calculate_gain
from ._functions import calculate_std as calculate_std
from ._functions import constant as constant
from ._functions import constant_ as constant_
from ._functions import eye as eye
from ._functions import eye_ as eye_
from ._functions import fill as fill
from ._functions import fill_ as fill_
from ._functions import gauss as gauss
from ._functions import gauss_ as gauss_
from ._functions import invariant_uniform as invariant_uniform
from ._functions import invariant_uniform_ as invariant_uniform_
from ._functions import kaiming_normal_ as kaiming_normal_
from ._functions import kaiming_uniform_ as kaiming_uniform_
from ._functions import normal_ as normal_
from ._functions import one as one
from ._functions import one_ as one_
from ._functions import random_ as random_
from ._functions import relu_invariant_gauss as relu_invariant_gauss
from ._functions import relu_invariant_gauss_ as relu_invariant_gauss_
from ._functions import trunc_normal_ as trunc_normal_
from ._functions import uniform as uniform
from ._functions import uniform_ as uniform_
from ._functions import xavier_gauss as xavier_gauss
from ._functions import xavier_gauss_ as xavier_gauss_
from ._functions import xavier_uniform as xavier_uniform
from ._functions import xavier_uniform_ as xavier_uniform_
from ._functions import zero as zero
from ._functions import zero_ as zero_

__all__ = [
    "calculate_gain", "calculate_std", "constant", "constant_", "eye", "eye_", "fill", "fill_", "gauss", "gauss_",
    "invariant_uniform", "invariant_uniform_", "kaiming_normal_", "kaiming_uniform_", "normal_", "one", "one_",
    "random_", "relu_invariant_gauss", "relu_invariant_gauss_", "trunc_normal_", "uniform", "uniform_",
    "xavier_gauss", "xavier_gauss_", "xavier_uniform", "xavier_uniform_", "zero", "zero_",
]

__dir__ = _listing(globals())
