"""`keras.initializers` of Keras 3.15 as data: names, signatures, defaults, configs, results, errors and examples.

tests/compat holds fanin.compat.keras to it without Keras; tests/interop holds both it and Keras to it.
"""

import contextlib
import importlib
import inspect
import sys

_PRESET = "(seed=None, input_axes=None, output_axes=None)"

# Every public name of keras.initializers -> the class behind it (a function has its own name), and the signatures.
SIGNATURES = {
    "Initializer": "()",
    "Zeros": "()",
    "Ones": "()",
    "Constant": "(value=0.0)",
    "Identity": "(gain=1.0)",
    "STFT": "(side='real', window='hann', scaling='density', periodic=False)",
    "RandomUniform": "(minval=-0.05, maxval=0.05, seed=None)",
    "RandomNormal": "(mean=0.0, stddev=0.05, seed=None)",
    "TruncatedNormal": "(mean=0.0, stddev=0.05, seed=None)",
    "VarianceScaling": "(scale=1.0, mode='fan_in', distribution='truncated_normal', seed=None, input_axes=None, "
                       "output_axes=None)",
    "GlorotUniform": _PRESET,
    "GlorotNormal": _PRESET,
    "LecunUniform": _PRESET,
    "LecunNormal": _PRESET,
    "HeUniform": _PRESET,
    "HeNormal": _PRESET,
    "Orthogonal": "(gain=1.0, seed=None)",
    "get": "(identifier)",
    "serialize": "(initializer)",
    "deserialize": "(config, custom_objects=None)",
}


def signature_of(function):
    """Parameters and defaults as text, without annotations and keyword-only ones, which Keras has none of."""
    full = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in full.parameters.values()
            if parameter.kind is not parameter.KEYWORD_ONLY]
    return str(full.replace(parameters=bare, return_annotation=full.empty))


CALL = "(self, shape, dtype=None)"
CLASSES = [name for name in SIGNATURES if name[0].isupper()]
DRAWING = [name for name in CLASSES if name not in ("Initializer", "STFT")]
RANDOM = [name for name in DRAWING if "seed" in SIGNATURES[name]]

REPEATED = [name for name in RANDOM if name != "Orthogonal"]  # those with `backend=`

# The other names in the module.
ALIASES = {
    "zeros": "Zeros", "ones": "Ones", "constant": "Constant", "identity": "Identity",
    "IdentityInitializer": "Identity", "stft": "STFT", "STFTInitializer": "STFT",
    "random_uniform": "RandomUniform", "random_normal": "RandomNormal", "truncated_normal": "TruncatedNormal",
    "variance_scaling": "VarianceScaling", "glorot_uniform": "GlorotUniform", "glorot_normal": "GlorotNormal",
    "lecun_uniform": "LecunUniform", "lecun_normal": "LecunNormal", "he_uniform": "HeUniform", "he_normal": "HeNormal",
    "orthogonal": "Orthogonal", "OrthogonalInitializer": "Orthogonal",
}
# Every string that `get` knows: the names above, and these.
STRINGS = {name: name for name in CLASSES} | ALIASES | {
    "initializer": "Initializer", "zero": "Zeros", "one": "Ones", "uniform": "RandomUniform", "normal": "RandomNormal",
}

_FANS = {"seed": None, "input_axes": None, "output_axes": None}

# (class, arguments) -> its config.
CONFIGS = [
    ("Zeros", {}, {}),
    ("Ones", {}, {}),
    ("Constant", {}, {"value": 0.0}),
    ("Constant", {"value": 3}, {"value": 3}),
    ("STFT", {}, {"side": "real", "window": "hann", "scaling": "density", "periodic": False}),
    ("STFT", {"side": "imag", "window": None, "scaling": None, "periodic": True},
     {"side": "imag", "window": None, "scaling": None, "periodic": True}),
    ("RandomUniform", {}, {"minval": -0.05, "maxval": 0.05, "seed": None}),
    ("RandomUniform", {"minval": 0, "maxval": 1, "seed": 5}, {"minval": 0, "maxval": 1, "seed": 5}),
    ("RandomNormal", {}, {"mean": 0.0, "stddev": 0.05, "seed": None}),
    ("TruncatedNormal", {"mean": 1.0, "seed": 2}, {"mean": 1.0, "stddev": 0.05, "seed": 2}),
    ("VarianceScaling", {}, {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", **_FANS}),
    ("VarianceScaling", {"distribution": "Normal", "input_axes": [0], "output_axes": [1, 2]},
     {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "input_axes": [0],
      "output_axes": [1, 2]}),
    *((name, {}, _FANS) for name in CLASSES if SIGNATURES[name] == _PRESET),
    ("HeNormal", {"seed": 3, "input_axes": [0], "output_axes": [1]},
     {"seed": 3, "input_axes": [0], "output_axes": [1]}),
    ("Orthogonal", {"gain": 2.0, "seed": 1}, {"gain": 2.0, "seed": 1}),
]

# (class, arguments, shape, dtype): what Keras draws on all of its backends, in this shape and dtype.
DRAWS = [
    *((name, {}, shape, dtype) for name in DRAWING for shape in [(3, 4), (0, 3)] for dtype in (None, "float32")),
    *((name, {}, (2, 3, 4, 5), "float32") for name in DRAWING if name != "Identity"),
    *((name, {}, shape, "float32") for name in DRAWING if name not in ("Identity", "Orthogonal")
      for shape in [(), (6,), [2, 3]]),
    *((name, {}, (3, 4), dtype) for name in DRAWING if name != "Orthogonal" for dtype in ("float16", "bfloat16")),
    *((name, {}, (2, 3), dtype) for name in ("Zeros", "Ones", "Constant")
      for dtype in ("int8", "int32", "uint8", "bool", "complex64")),
    ("Constant", {"value": 2.7}, (2,), "int32"),
    ("Constant", {"value": -2.7}, (2,), "int32"),
    ("Constant", {"value": float("inf")}, (2,), None),
    ("Constant", {"value": [1.0, 2.0, 3.0]}, (2, 3), None),
    ("Zeros", {}, 3, None),
    ("Identity", {"gain": 3.0}, (2, 3), None),
    ("RandomUniform", {"minval": 1.0, "maxval": 1.0}, (2,), None),
    ("HeNormal", {"input_axes": [0], "output_axes": [1, 2]}, (8, 2, 4), None),
    ("HeNormal", {"input_axes": [0], "output_axes": [1]}, (0, 3), None),
    ("STFT", {}, (8, 1, 5), None),
    ("STFT", {"side": "imag", "scaling": "spectrum", "periodic": True}, (8, 1, 5), "float32"),
]

# (class, arguments, error): refused when made.
REFUSED_ARGUMENTS = [
    ("VarianceScaling", {"scale": 0}, ValueError),
    ("VarianceScaling", {"scale": -1.0}, ValueError),
    ("VarianceScaling", {"scale": "a"}, TypeError),
    ("VarianceScaling", {"mode": "fan_geo_avg"}, ValueError),
    ("VarianceScaling", {"distribution": "laplace"}, ValueError),
    ("RandomNormal", {"seed": "a"}, ValueError),
    ("HeNormal", {"seed": 1.5}, ValueError),
    ("HeNormal", {"scale": 1.0}, TypeError),
    ("Zeros", {"seed": 1}, TypeError),
    ("STFT", {"side": "left"}, ValueError),
    ("STFT", {"window": "no such window"}, ValueError),
    ("STFT", {"scaling": "L2"}, ValueError),
]

# (class, arguments, shape, dtype, error): refused when called.
REFUSED_CALLS = [
    ("Identity", {}, (3,), None, ValueError),
    ("Identity", {}, (2, 2, 2), None, ValueError),
    ("Orthogonal", {}, (3,), None, ValueError),
    ("Ones", {}, (2,), "float33", ValueError),
    ("Ones", {}, (2, None), None, TypeError),
    ("HeNormal", {"input_axes": [5], "output_axes": [0]}, (3, 3), None, IndexError),
    ("STFT", {}, (4, 3), None, ValueError),
    ("STFT", {"window": [1.0, 2.0]}, (4, 1, 3), None, ValueError),
]

# (identifier, error): refused by `get`.
REFUSED_IDENTIFIERS = [
    ("HENORMAL", ValueError), ("no such name", ValueError), (0.5, ValueError), (3, ValueError), ([1.0], ValueError),
    ({"config": {}}, ValueError), ({"class_name": "NoSuch", "config": {}}, ValueError),
    ({"class_name": "VarianceScaling", "config": {"mode": "no such mode"}}, ValueError),
    ({"class_name": "VarianceScaling", "config": {"no_such": 1}}, TypeError),
]

# The examples of Keras' documentation: the first half draws, the second, for all but STFT, makes a layer.
EXAMPLES = {
    "Zeros": "Zeros()",
    "Ones": "Ones()",
    "Constant": "Constant(10.)",
    "Identity": "Identity()",
    "RandomUniform": "RandomUniform(minval=0.0, maxval=1.0)",
    "RandomNormal": "RandomNormal(mean=0.0, stddev=1.0)",
    "TruncatedNormal": "TruncatedNormal(mean=0., stddev=1.)",
    "VarianceScaling": "VarianceScaling(scale=0.1, mode='fan_in', distribution='uniform')",
    "GlorotUniform": "GlorotUniform()",
    "GlorotNormal": "GlorotNormal()",
    "LecunUniform": "LecunUniform()",
    "LecunNormal": "LecunNormal()",
    "HeUniform": "HeUniform()",
    "HeNormal": "HeNormal()",
    "Orthogonal": "Orthogonal()",
}


@contextlib.contextmanager
def without_keras():
    """fanin.compat.keras as it is where Keras isn't installed, also where it is."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules)
              if name == "keras" or name.startswith(("keras.", "fanin.compat.keras"))}
    sys.modules["keras"] = None
    try:
        yield importlib.import_module("fanin.compat.keras")
    finally:
        for name in [name for name in sys.modules if name == "keras" or name.startswith("fanin.compat.keras")]:
            del sys.modules[name]
        sys.modules.update(hidden)
        sys.modules["fanin.compat"].__dict__.pop("keras", None)
        if "fanin.compat.keras" in hidden:
            sys.modules["fanin.compat"].keras = hidden["fanin.compat.keras"]
