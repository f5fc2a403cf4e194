"""fanin initializes the weights of neural networks: the same bits on every device, whole or one shard at a time.

A tensor, keyed by a seed and by its parameter's name:

>>> import fanin
>>> he = fanin.Registry.get("he_normal")
>>> weight = he((512, 256), seed=7, name="encoder.0.weight")
>>> weight.shape, weight.dtype
((512, 256), dtype('float32'))

and a part of it, the same bits without the rest:

>>> part = he.shard((512, 256), slice(0, 128), seed=7, name="encoder.0.weight")
>>> bool((part == weight[:128]).all())
True

Whole models: `fanin.torch.init_module`, `fanin.jax.init_model` and `fanin.keras.init_model` in memory,
`fanin.checkpoint.init` and the command `fanin` on disk, all by the same rules (`fanin.Rules`). Other frameworks' own
functions are in `fanin.compat`, what samplers may call in `fanin.math`, raw random words in `fanin.stream`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import math as math
from . import stream as stream
from ._backends import set_threading as set_threading
from ._errors import FaninAttributeError as FaninAttributeError
from ._errors import FaninError as FaninError
from ._errors import FaninImportError as FaninImportError
from ._errors import FaninIndexError as FaninIndexError
from ._errors import FaninKeyError as FaninKeyError
from ._errors import FaninMemoryError as FaninMemoryError
from ._errors import FaninRuntimeError as FaninRuntimeError
from ._errors import FaninTypeError as FaninTypeError
from ._errors import FaninValueError as FaninValueError
from ._errors import FaninWarning as FaninWarning
from ._initializers import ICNR as ICNR
from ._initializers import S4D as S4D
from ._initializers import Bilinear as Bilinear
from ._initializers import Blocks as Blocks
from ._initializers import Chrono as Chrono
from ._initializers import Constant as Constant
from ._initializers import ConvolutionOrthogonal as ConvolutionOrthogonal
from ._initializers import DeltaOrthogonal as DeltaOrthogonal
from ._initializers import Dirac as Dirac
from ._initializers import Eye as Eye
from ._initializers import HippoLegsA as HippoLegsA
from ._initializers import HippoLegsB as HippoLegsB
from ._initializers import Initializer as Initializer
from ._initializers import LogOfUniform as LogOfUniform
from ._initializers import LogUniform as LogUniform
from ._initializers import LSTMBias as LSTMBias
from ._initializers import MambaALog as MambaALog
from ._initializers import MambaDtBias as MambaDtBias
from ._initializers import Normal as Normal
from ._initializers import Orthogonal as Orthogonal
from ._initializers import Registry as Registry
from ._initializers import ScaledOrthogonal as ScaledOrthogonal
from ._initializers import Sinusoidal as Sinusoidal
from ._initializers import Siren as Siren
from ._initializers import SirenFirst as SirenFirst
from ._initializers import Sparse as Sparse
from ._initializers import TruncatedNormal as TruncatedNormal
from ._initializers import Uniform as Uniform
from ._initializers import VarianceScaling as VarianceScaling
from ._initializers.data import rebuild as _rebuild  # noqa: F401  # by this name pickles find it
from ._kernels.samplers import sampler as sampler
from ._namespace import listing as _listing
from ._namespace import on_demand as _on_demand
from ._plans.plan import Plan as Plan
from ._plans.spec import TensorSpec as TensorSpec
from ._seeding import STREAM_VERSION as STREAM_VERSION
from ._seeding import Stream as Stream
from ._seeding import seed as seed
from ._version import __version__ as __version__

__all__ = [
    "ICNR",
    "S4D",
    "STREAM_VERSION",
    "Bilinear",
    "Blocks",
    "Chrono",
    "Constant",
    "ConvolutionOrthogonal",
    "DeltaOrthogonal",
    "Dirac",
    "Eye",
    "FaninAttributeError",
    "FaninError",
    "FaninImportError",
    "FaninIndexError",
    "FaninKeyError",
    "FaninMemoryError",
    "FaninRuntimeError",
    "FaninTypeError",
    "FaninValueError",
    "FaninWarning",
    "HippoLegsA",
    "HippoLegsB",
    "Initializer",
    "LSTMBias",
    "LogOfUniform",
    "LogUniform",
    "MambaALog",
    "MambaDtBias",
    "Normal",
    "Orthogonal",
    "Plan",
    "Registry",
    "Rules",
    "ScaledOrthogonal",
    "Sinusoidal",
    "Siren",
    "SirenFirst",
    "Sparse",
    "Stream",
    "TensorSpec",
    "TruncatedNormal",
    "Uniform",
    "VarianceScaling",
    "audit",
    "sampler",
    "seed",
    "set_threading",
]

for _public in (Initializer, *Initializer.__subclasses__(), Stream, TensorSpec):
    _public.__module__ = __name__  # so that pickles hold, wherever the files lie

if _TYPE_CHECKING:
    from . import checkpoint as checkpoint
    from . import compat as compat
    from . import dask as dask
    from . import jax as jax
    from . import keras as keras
    from . import rules as rules
    from . import torch as torch
    from ._audit import audit as audit
    from .rules import Rules as Rules
else:
    # Loaded when they are first asked for: what whole models take, and the frameworks' modules.
    _ON_DEMAND = {"checkpoint": ".checkpoint", "compat": ".compat", "dask": ".dask", "jax": ".jax", "keras": ".keras",
                  "rules": ".rules", "torch": ".torch", "Rules": ".rules", "audit": "._audit"}
    __getattr__ = _on_demand(__name__, _ON_DEMAND)
    __dir__ = _listing(globals(), ("math", "stream", *_ON_DEMAND))
