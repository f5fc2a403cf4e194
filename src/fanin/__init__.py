"""fanin initializes the weights of neural networks: the same bits on every device, whole or one shard at a time."""

from . import math as math
from . import stream as stream
from ._errors import FaninError as FaninError
from ._plan import TensorSpec as TensorSpec
from ._seeding import STREAM_VERSION as STREAM_VERSION
from ._seeding import Stream as Stream
from ._seeding import seed as seed
from ._version import __version__ as __version__
from .initializers import Constant as Constant
from .initializers import DeltaOrthogonal as DeltaOrthogonal
from .initializers import Dirac as Dirac
from .initializers import Eye as Eye
from .initializers import Initializer as Initializer
from .initializers import Normal as Normal
from .initializers import Orthogonal as Orthogonal
from .initializers import Registry as Registry
from .initializers import Sparse as Sparse
from .initializers import TruncatedNormal as TruncatedNormal
from .initializers import Uniform as Uniform
from .initializers import VarianceScaling as VarianceScaling
from .kernels.samplers import sampler as sampler
