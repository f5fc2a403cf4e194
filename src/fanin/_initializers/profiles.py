"""Profiles: what one framework means by its names, with that framework's defaults and layout. Data only."""

from typing import Any

from .constant import Constant
from .dirac import Dirac
from .eye import Eye
from .normal import Normal, TruncatedNormal
from .orthogonal import DeltaOrthogonal, Orthogonal
from .presets import Parameters, Preset, glorot, he, lecun, torch_default
from .sparse import Sparse
from .uniform import Uniform
from .variance_scaling import VarianceScaling

_ZEROS = Preset(Constant, {"value": 0.0})
_ONES = Preset(Constant, {"value": 1.0})
_GIVEN = Preset(Constant, required=("value",))
_SPARSE = Preset(Sparse, required=("sparsity",))
_ABSOLUTE = Preset(TruncatedNormal, {"bounds": "absolute"})

# -- torch and those who follow it: weights are (out, in, *kernel), kaiming and xavier normals are not truncated ----

_XAVIER = {"xavier_uniform": glorot("uniform"), "xavier_normal": glorot("normal")}
_KAIMING = {"kaiming_uniform": he("uniform"), "kaiming_normal": he("normal")}

# torch.nn.init of the 0.2 and 0.3 releases
TORCH03 = {
    "uniform": Preset(Uniform), "normal": Preset(Normal), "constant": _GIVEN, "eye": Preset(Eye),
    "dirac": Preset(Dirac), **_XAVIER, **_KAIMING, "orthogonal": Preset(Orthogonal), "sparse": _SPARSE,
}

TORCH = TORCH03 | {"zeros": _ZEROS, "ones": _ONES, "trunc_normal": _ABSOLUTE, "torch_default": torch_default}

JITTOR = {
    "constant": Preset(Constant), "fill": Preset(Constant), "zero": _ZEROS, "one": _ONES, "eye": Preset(Eye),
    "uniform": Preset(Uniform), "random": Preset(Uniform), "gauss": Preset(Normal), "normal": Preset(Normal),
    "invariant_uniform": torch_default, "relu_invariant_gauss": he("normal"),
    "xavier_uniform": glorot("uniform"), "xavier_gauss": glorot("normal"), **_KAIMING, "trunc_normal": _ABSOLUTE,
}

FLINT = {
    "zeros": _ZEROS, "ones": _ONES, "constant": _GIVEN, "uniform": Preset(Uniform), "normal": Preset(Normal),
    **_XAVIER, **_KAIMING, "lecun_uniform": lecun("uniform"), "lecun_normal": lecun("normal"),
}

STORCH = {
    "uniform": Preset(Uniform), "normal": Preset(Normal, {"std": 0.0}), "constant": _GIVEN, "ones": _ONES,
    "zeros": _ZEROS, "eye": Preset(Eye), "dirac": Preset(Dirac), **_XAVIER, **_KAIMING,
    "orthogonal": Preset(Orthogonal), "sparse": _SPARSE,
}

# -- JAX and Keras: weights are (*kernel, in, out), all scaled normals are truncated ---------------------------------

_LAST = "*io"
_FANS = {"layout": _LAST}

JAX = {
    "zeros": _ZEROS, "ones": _ONES, "constant": _GIVEN,
    "uniform": Preset(Uniform, {"low": 0.0, "high": 0.01}, spellings={"scale": "high"}),
    "normal": Preset(Normal, {"std": 0.01}),
    "truncated_normal": Preset(TruncatedNormal, {"std": 0.01}),
    "variance_scaling": Preset(VarianceScaling, _FANS, required=("scale", "mode", "distribution")),
    "glorot_uniform": glorot("uniform", _LAST), "glorot_normal": glorot("truncated_normal", _LAST),
    "xavier_uniform": glorot("uniform", _LAST), "xavier_normal": glorot("truncated_normal", _LAST),
    "lecun_uniform": lecun("uniform", _LAST), "lecun_normal": lecun("truncated_normal", _LAST),
    "he_uniform": he("uniform", _LAST), "he_normal": he("truncated_normal", _LAST),
    "kaiming_uniform": he("uniform", _LAST), "kaiming_normal": he("truncated_normal", _LAST),
    "orthogonal": Preset(Orthogonal, {"axis": -1}, spellings={"column_axis": "axis"}),
    "delta_orthogonal": Preset(DeltaOrthogonal, _FANS),
}


def _keras_distribution(distribution: Any, _parameters: Parameters) -> dict[str, Any]:
    """Keras' "normal" is truncated; its plain one is spelled "untruncated_normal"."""
    meant = {"normal": "truncated_normal", "untruncated_normal": "normal"}
    return {"distribution": meant.get(distribution, distribution)}


_KERAS_UNIFORM = Preset(Uniform, {"low": -0.05, "high": 0.05})
_KERAS_NORMAL = Preset(Normal, {"std": 0.05})
_KERAS_EYE = Preset(Eye)

KERAS = {
    "zeros": _ZEROS, "zero": _ZEROS, "ones": _ONES, "one": _ONES, "constant": Preset(Constant),
    "identity": _KERAS_EYE, "eye": _KERAS_EYE,
    "random_uniform": _KERAS_UNIFORM, "uniform": _KERAS_UNIFORM,
    "random_normal": _KERAS_NORMAL, "normal": _KERAS_NORMAL,
    "truncated_normal": Preset(TruncatedNormal, {"std": 0.05}),
    "variance_scaling": Preset(VarianceScaling, _FANS, spellings={"distribution": _keras_distribution}),
    "glorot_uniform": glorot("uniform", _LAST), "glorot_normal": glorot("truncated_normal", _LAST),
    "lecun_uniform": lecun("uniform", _LAST), "lecun_normal": lecun("truncated_normal", _LAST),
    "he_uniform": he("uniform", _LAST), "he_normal": he("truncated_normal", _LAST),
    "orthogonal": Preset(Orthogonal, {"axis": -1}),
}

# What people call a framework whose profile has another name.
OTHER_NAMES = {"pytorch": "torch", "tf": "keras", "tensorflow": "keras"}

PROFILES = {
    "torch": TORCH, "torch03": TORCH03, "jittor": JITTOR, "flint": FLINT, "storch": STORCH,
    "jax": JAX, "flax": JAX, "keras": KERAS,
}
