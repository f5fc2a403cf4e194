"""The schemes. Importing this package enters each under the name that its configs carry."""

from . import schemes as _schemes
from .base import Initializer as Initializer
from .bilinear import Bilinear as Bilinear
from .blocks import Blocks as Blocks
from .constant import Constant as Constant
from .dirac import Dirac as Dirac
from .eye import Eye as Eye
from .hippo import S4D as S4D
from .hippo import HippoLegsA as HippoLegsA
from .hippo import HippoLegsB as HippoLegsB
from .icnr import ICNR as ICNR
from .logarithmic import LogOfUniform as LogOfUniform
from .logarithmic import LogUniform as LogUniform
from .lstm import Chrono as Chrono
from .lstm import LSTMBias as LSTMBias
from .normal import Normal as Normal
from .normal import TruncatedNormal as TruncatedNormal
from .orthogonal import ConvolutionOrthogonal as ConvolutionOrthogonal
from .orthogonal import DeltaOrthogonal as DeltaOrthogonal
from .orthogonal import Orthogonal as Orthogonal
from .orthogonal import ScaledOrthogonal as ScaledOrthogonal
from .registry import Registry as Registry
from .sinusoidal import Sinusoidal as Sinusoidal
from .siren import Siren as Siren
from .siren import SirenFirst as SirenFirst
from .sparse import Sparse as Sparse
from .state_space import MambaALog as MambaALog
from .state_space import MambaDtBias as MambaDtBias
from .uniform import Uniform as Uniform
from .variance_scaling import VarianceScaling as VarianceScaling

_BUILT_IN: dict[str, type[Initializer]] = {
    "constant": Constant, "uniform": Uniform, "normal": Normal, "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling, "orthogonal": Orthogonal, "delta_orthogonal": DeltaOrthogonal, "dirac": Dirac,
    "sparse": Sparse, "eye": Eye, "blocks": Blocks, "log_uniform": LogUniform, "log_of_uniform": LogOfUniform,
    "mamba_a_log": MambaALog, "mamba_dt_bias": MambaDtBias, "hippo_legs_a": HippoLegsA, "hippo_legs_b": HippoLegsB,
    "convolution_orthogonal": ConvolutionOrthogonal, "s4d": S4D, "sinusoidal": Sinusoidal,
    "siren": Siren, "siren_first": SirenFirst, "scaled_orthogonal": ScaledOrthogonal,
    "icnr": ICNR, "chrono": Chrono, "lstm_bias": LSTMBias, "bilinear": Bilinear,
}
for _name, _class in _BUILT_IN.items():
    _schemes.add(_name, _class)
