"""`fanin.math`: functions for samplers, the same bits on every backend.

Each takes float32 or float64 scalars and computes in that type. They are for functions marked with `fanin.sampler`,
where `math`'s and `numpy`'s own differ between a CPU's and a GPU's libraries.
"""

from ._kernels.device import fma as fma
from ._kernels.device import sqrt as sqrt
from ._kernels.elementary import exp as exp
from ._kernels.elementary import expm1 as expm1
from ._kernels.elementary import log as log
from ._kernels.elementary import log1p as log1p
from ._kernels.elementary import ndtri as ndtri
from ._kernels.elementary import sincospi as sincospi
