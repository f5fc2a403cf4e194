"""What names mean, as data: presets by bare name, and profiles, each one framework's names with its defaults.

A name's spelling (case, `-`, `_`, spaces, a trailing `_`, the endings _init and _initializer) doesn't matter. Bare
names follow the family of their spelling: he_*, glorot_* and lecun_* normals are truncated, as in JAX, Keras and
TensorFlow, kaiming_* and xavier_* normals are not, as in torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from .._checks import finite
from .._errors import FaninTypeError
from .._gains import as_gain
from .base import Initializer
from .bilinear import Bilinear
from .constant import Constant
from .dirac import Dirac
from .eye import Eye
from .hippo import S4D, HippoLegsA, HippoLegsB
from .logarithmic import LogOfUniform, LogUniform
from .lstm import Chrono, LSTMBias
from .normal import Normal, TruncatedNormal
from .orthogonal import ConvolutionOrthogonal, DeltaOrthogonal, Orthogonal, ScaledOrthogonal
from .parameters import signature
from .sinusoidal import Sinusoidal
from .siren import Siren, SirenFirst
from .sparse import Sparse
from .state_space import MambaALog, MambaDtBias
from .uniform import Uniform
from .variance_scaling import VarianceScaling

Parameters: TypeAlias = Mapping[str, Any]
Meaning: TypeAlias = str | Callable[[Any, Parameters], dict[str, Any]]


class Preset(NamedTuple):
    """A scheme with parameters; which ones the caller must give; how other frameworks spell some of them."""

    scheme: type[Initializer]
    parameters: dict[str, Any] = {}
    required: tuple[str, ...] = ()
    spellings: dict[str, Meaning] = {}  # other spelling -> parameter, or a function of the value -> parameters

    def make(self, name: str, overrides: Parameters) -> Initializer:
        """The scheme, with `overrides` under any of their spellings."""
        spellings = SPELLINGS[self.scheme] | self.spellings
        parameters = dict(self.parameters)
        given: dict[str, str] = {}
        for key, value in overrides.items():
            meaning = spellings.get(key, key if key in signature(self.scheme) else None)
            if meaning is None:
                known = ", ".join(signature(self.scheme))
                raise FaninTypeError(f"{name!r} takes the parameters {known} (got {key!r})")
            for parameter, setting in (meaning(value, parameters) if callable(meaning) else {meaning: value}).items():
                if parameter in given:
                    raise FaninTypeError(f"{name!r} was given `{parameter}` twice (by {given[parameter]!r} and "
                                         f"{key!r})")
                given[parameter] = key
                parameters[parameter] = setting
        missing = [parameter for parameter in self.required if parameter not in parameters]
        if missing:
            raise FaninTypeError(f"{name!r} needs a value for {', '.join(f'`{m}`' for m in missing)}: pass "
                                 f"{missing[0]}=...")
        return self.scheme(**parameters)


# -- other spellings of parameters (PEERS.md, section 4) -----------------------------------------------------------


def gain_to_scale(gain: Any, parameters: Parameters) -> dict[str, Any]:
    """torch's gain multiplies the std, `scale` the variance."""
    return {"scale": parameters.get("scale", 1.0) * as_gain("gain", gain) ** 2}


def nonlinearity_to_scale(activation: Any, _parameters: Parameters) -> dict[str, Any]:
    """torch's nonlinearity says what the whole gain is."""
    return {"scale": as_gain("nonlinearity", activation) ** 2}


def numbers_for(activations: Parameters, profile: str | None) -> dict[str, Any]:
    """Parameters with the numbers of a profile for the activations that `gain` and `nonlinearity` name.

    A slope beside a leaky rectifier's name, in any of its spellings, belongs to it.
    """
    resolved = dict(activations)
    for key in {"gain", "nonlinearity"} & resolved.keys():
        value = resolved[key]
        if isinstance(value, str):
            slopes = [spelling for spelling in _SLOPES if spelling in resolved]
            resolved[key] = as_gain(key, value, resolved.pop(slopes[0]) if len(slopes) == 1 else None, profile)
        elif isinstance(value, (list, tuple)) or callable(value):
            resolved[key] = as_gain(key, value, profile=profile)
    return resolved


def slope_to_scale(slope: Any, _parameters: Parameters) -> dict[str, Any]:
    """The gain of a leaky rectifier, √(2/(1 + slope²)), as a scale of the variance."""
    return {"scale": 2.0 / (1.0 + finite("slope", slope) ** 2)}


def mode(value: Any, _parameters: Parameters) -> dict[str, Any]:
    """MXNet's, Caffe's and Chainer's words for the mode."""
    words = {"in": "fan_in", "out": "fan_out", "avg": "fan_avg", "average": "fan_avg"}
    return {"mode": words.get(value.lower(), value.lower()) if isinstance(value, str) else value}


_STD: dict[str, Meaning] = {"stddev": "std", "sigma": "std", "loc": "mean"}
_SLOPES: dict[str, Meaning] = {"a": slope_to_scale, "slope": slope_to_scale, "negative_slope": slope_to_scale}
_GAIN: dict[str, Meaning] = {"scale": "gain", "nonlinearity": "gain"}
_FACTOR: dict[str, Meaning] = {"factor": gain_to_scale}

_BOUNDS: dict[str, Meaning] = {"minval": "low", "min": "low", "a": "low", "maxval": "high", "max": "high", "b": "high"}
SPELLINGS: dict[type, dict[str, Meaning]] = {
    Constant: {"val": "value", "fill_value": "value", "fillValue": "value", "constant": "value"},
    Uniform: _BOUNDS, LogUniform: _BOUNDS, LogOfUniform: _BOUNDS,
    Normal: _STD,
    TruncatedNormal: _STD | {"a": "lower", "lo": "lower", "b": "upper", "hi": "upper"},
    VarianceScaling: {"gain": gain_to_scale, "fan_option": mode, "factor_type": mode, "variance_norm": mode,
                      "rnd_type": "distribution", "rand_type": "distribution",
                      "nonlinearity": nonlinearity_to_scale},
    Orthogonal: _GAIN,
    ScaledOrthogonal: {"nonlinearity": "gain"},
    DeltaOrthogonal: _GAIN,
    ConvolutionOrthogonal: _GAIN,
    Dirac: {},
    Sparse: {"stddev": "std", "sigma": "std"},
    Eye: {"scale": "gain"},
    MambaALog: {},
    MambaDtBias: {"dt_min": "low", "dt_max": "high", "dt_init_floor": "floor"},
    HippoLegsA: {}, HippoLegsB: {}, S4D: {},
    Sinusoidal: {"base": "max_timescale"},
    Siren: {"w0": "omega", "omega_0": "omega", "hidden_omega_0": "omega"}, SirenFirst: {},
    Bilinear: {}, LSTMBias: {},
    Chrono: {"T": "t_max", "T_max": "t_max"},
}

# -- building blocks ----------------------------------------------------------------------------------------------


def scaled(scale: float, mode: str, distribution: str, layout: str = "oi*",
           spellings: dict[str, Meaning] | None = None) -> Preset:
    return Preset(VarianceScaling, {"scale": scale, "mode": mode, "distribution": distribution, "layout": layout},
                  spellings=spellings or {})


def he(distribution: str, layout: str = "oi*") -> Preset:
    return scaled(2.0, "fan_in", distribution, layout, _SLOPES)


def glorot(distribution: str, layout: str = "oi*") -> Preset:
    return scaled(1.0, "fan_avg", distribution, layout)


def lecun(distribution: str, layout: str = "oi*") -> Preset:
    return scaled(1.0, "fan_in", distribution, layout)


# Linear's and Conv's default in torch: kaiming_uniform with a = √5, so U(±√(1/fan_in)), of variance 1/(3·fan_in).
torch_default = scaled(1.0 / 3.0, "fan_in", "uniform")

_ZEROS = Preset(Constant, {"value": 0.0})
_ONES = Preset(Constant, {"value": 1.0})
_GIVEN = Preset(Constant, required=("value",))

# -- bare names ---------------------------------------------------------------------------------------------------

PRESETS = {
    "zeros": _ZEROS,
    "ones": _ONES,
    "constant": Preset(Constant),
    "nan": Preset(Constant, {"value": math.nan}),
    "array": _GIVEN,
    "uniform": Preset(Uniform),
    "normal": Preset(Normal),
    "truncated_normal": Preset(TruncatedNormal),
    "variance_scaling": Preset(VarianceScaling),
    "he_normal": he("truncated_normal"),
    "he_uniform": he("uniform"),
    "glorot_normal": glorot("truncated_normal"),
    "glorot_uniform": glorot("uniform"),
    "lecun_normal": lecun("truncated_normal"),
    "lecun_uniform": lecun("uniform"),
    "kaiming_normal": he("normal"),
    "kaiming_uniform": he("uniform"),
    "xavier_normal": glorot("normal"),
    "xavier_uniform": glorot("uniform"),
    "torch_default": torch_default,
    # TensorFlow 1 and Haiku: U(±factor·√(3/n)), n the product of all axes but the last
    "uniform_unit_scaling": scaled(1.0, "fan_in", "uniform", "*io", _FACTOR),
    "orthogonal": Preset(Orthogonal),
    "scaled_orthogonal": Preset(ScaledOrthogonal),
    "delta_orthogonal": Preset(DeltaOrthogonal),
    "convolution_orthogonal": Preset(ConvolutionOrthogonal),
    "dirac": Preset(Dirac),
    "sparse": Preset(Sparse, required=("sparsity",)),
    "eye": Preset(Eye),
    "log_uniform": Preset(LogUniform),
    "log_of_uniform": Preset(LogOfUniform),
    "mamba_a_log": Preset(MambaALog),
    "mamba2_a_log": Preset(LogOfUniform, {"low": 1.0, "high": 16.0}),
    "mamba_dt_bias": Preset(MambaDtBias),
    "hippo_legs_a": Preset(HippoLegsA),
    "hippo_legs_b": Preset(HippoLegsB),
    "s4d": Preset(S4D),
    "s4d_log_dt": Preset(Uniform, {"low": math.log(0.001), "high": math.log(0.1)}),
    "sinusoidal": Preset(Sinusoidal),
    "siren": Preset(Siren),
    "siren_first": Preset(SirenFirst),
    "lstm_bias": Preset(LSTMBias),
    "chrono": Preset(Chrono, required=("t_max",)),
    "bilinear": Preset(Bilinear),
    "whisper_sinusoids": Preset(Sinusoidal, {"halves": True, "endpoint": True}),
}

ALIASES = {
    "zeros": ("zero",),
    "ones": ("one",),
    "constant": ("const", "fill", "full"),
    "array": ("assign", "numpyarray"),
    "uniform": ("random_uniform", "random", "rand"),
    "normal": ("gauss", "gaussian", "random_normal", "randn"),
    "truncated_normal": ("trunc_normal", "trunc_normal_tf"),
    "xavier_uniform": ("xavier",),
    "xavier_normal": ("xavier_gauss",),
    "kaiming_normal": ("relu_invariant_gauss", "msra", "msraprelu"),
    "torch_default": ("invariant_uniform", "kaiming_uniform_sqrt5"),
    "uniform_unit_scaling": ("uniform_scaling",),
    "delta_orthogonal": ("convolutional_delta_orthogonal",),
    "convolution_orthogonal": ("convolutional_orthogonal", "convolutional_orthogonal_1d", "convolutional_orthogonal_2d",
                               "convolutional_orthogonal_3d"),
    "eye": ("identity",),
    "sinusoidal": ("sinusoidal_positions",),
    "siren": ("siren_hidden",),
    "bilinear": ("upsampling_deconv_filter",),
    "lstm_bias": ("unit_forget_bias",),
}

# Names that users of other frameworks know and that none of the schemes serves: each with the reason.
UNSERVED = {
    "stft": "it is a Fourier basis",
    "pissa": "it factorizes weights that exist",
    "erk": "it is a rule for the sparsity of each layer; give each layer its 'sparse'",
    "lru": "it draws two parameters of a layer together",
    "u_mup": "it is a rule for whole models",
    "positive_unitball": "it normalizes over rows",
    "unitball": "it normalizes over rows",
    "scaled_uniform": "its bound is 1/√(number of elements); use Uniform with that bound",
    "trunc": "storch's trunc_ rounds toward zero; a truncated normal is 'truncated_normal'",
    "mixed": "it chooses among initializers by name; the rules of `fanin init` do that",
    "load": "it reads a file; use Constant(array)",
    "mup": "it is a recipe for whole models: fanin.Rules.read('mup')",
    "completep": "it is a recipe for whole models: fanin.Rules.read('completep')",
    "fixup": "it is a recipe for whole models: fanin.Rules.read('fixup', blocks=...)",
    "deepnorm": "it is a recipe for whole models: fanin.Rules.read('deepnorm')",
    "lora": "it is a recipe for whole models: fanin.Rules.read('lora')",
    "lsuv": "it measures a batch in the model and scales by what it finds; `fanin.torch.signal` measures, 'orthogonal' "
            "is where it starts",
    "ZerO": "Hadamard matrices are not served; 'zeros' is all zeros, 'identity' has ones on the diagonal",
    "fused_rnn": "it fills a packed weight",
}
