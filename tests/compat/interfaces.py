"""Five systems' interfaces as data, read in their sources and documents: nothing here is computed by fanin.

A row is (signature, what is returned, an array's shape or the shape argument, further arguments that it needs).
`generator` is fanin's addition: last in torch, torch03 and storch, keyword-only in flint and jittor.
"""

SAME, NEW, NOTHING, NUMBER = "the array that was given", "a new array", "None", "a number"

_G = "generator=None"
_PART = "*, index=None, shape=None"  # of a larger tensor: fanin's addition too
_MATRIX, _KERNEL = (6, 4), (6, 4, 3)
_KAIMING = "a=0, mode='fan_in', nonlinearity='leaky_relu'"

TORCH = {
    "calculate_gain": ("(nonlinearity, param=None)", NUMBER, None, ("relu",)),
    "uniform_": (f"(tensor, a=0.0, b=1.0, {_G}, {_PART})", SAME, _MATRIX, ()),
    "normal_": (f"(tensor, mean=0.0, std=1.0, {_G}, {_PART})", SAME, _MATRIX, ()),
    "trunc_normal_": (f"(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, {_G})", SAME, _MATRIX, ()),
    "constant_": ("(tensor, val)", SAME, _MATRIX, (0.5,)),
    "ones_": ("(tensor)", SAME, _MATRIX, ()),
    "zeros_": ("(tensor)", SAME, _MATRIX, ()),
    "eye_": ("(tensor)", SAME, _MATRIX, ()),
    "dirac_": ("(tensor, groups=1)", SAME, _KERNEL, ()),
    "xavier_uniform_": (f"(tensor, gain=1.0, {_G}, {_PART})", SAME, _MATRIX, ()),
    "xavier_normal_": (f"(tensor, gain=1.0, {_G}, {_PART})", SAME, _MATRIX, ()),
    "kaiming_uniform_": (f"(tensor, {_KAIMING}, {_G}, {_PART})", SAME, _MATRIX, ()),
    "kaiming_normal_": (f"(tensor, {_KAIMING}, {_G}, {_PART})", SAME, _MATRIX, ()),
    "orthogonal_": (f"(tensor, gain=1, {_G})", SAME, _MATRIX, ()),
    "sparse_": (f"(tensor, sparsity, std=0.01, {_G})", SAME, _MATRIX, (0.5,)),
}

# The names without underscore, which warn.
TORCH_DEPRECATED = ("uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal",
                    "kaiming_uniform", "kaiming_normal", "orthogonal", "sparse")

TORCH03 = {
    "calculate_gain": ("(nonlinearity, param=None)", NUMBER, None, ("relu",)),
    "uniform": (f"(tensor, a=0, b=1, {_G})", SAME, _MATRIX, ()),
    "normal": (f"(tensor, mean=0, std=1, {_G})", SAME, _MATRIX, ()),
    "constant": ("(tensor, val)", SAME, _MATRIX, (0.5,)),
    "eye": ("(tensor)", SAME, _MATRIX, ()),
    "dirac": ("(tensor)", SAME, _KERNEL, ()),
    "xavier_uniform": (f"(tensor, gain=1, {_G})", SAME, _MATRIX, ()),
    "xavier_normal": (f"(tensor, gain=1, {_G})", SAME, _MATRIX, ()),
    "kaiming_uniform": (f"(tensor, a=0, mode='fan_in', {_G})", SAME, _MATRIX, ()),
    "kaiming_normal": (f"(tensor, a=0, mode='fan_in', {_G})", SAME, _MATRIX, ()),
    "orthogonal": (f"(tensor, gain=1, {_G})", SAME, _MATRIX, ()),
    "sparse": (f"(tensor, sparsity, std=0.01, {_G})", SAME, _MATRIX, (0.5,)),
}

JITTOR = {
    "calculate_gain": ("(nonlinearity, param=None)", NUMBER, None, ("relu",)),
    "calculate_std": ("(var, mode, nonlinearity, param=0.01)", NUMBER, _MATRIX, ("fan_in", "relu")),
    "constant": ("(shape, dtype='float32', value=0.0)", NEW, _MATRIX, ()),
    "constant_": ("(var, value=0.0)", SAME, _MATRIX, ()),
    "fill": ("(var, value=0.0)", SAME, _MATRIX, ()),
    "fill_": ("(var, value=0.0)", SAME, _MATRIX, ()),
    "zero": ("(shape, dtype='float32')", NEW, _MATRIX, ()),
    "zero_": ("(var)", SAME, _MATRIX, ()),
    "one": ("(shape, dtype='float32')", NEW, _MATRIX, ()),
    "one_": ("(var)", SAME, _MATRIX, ()),
    "eye": ("(shape, dtype='float32')", NEW, _MATRIX, ()),
    "eye_": ("(var)", SAME, _MATRIX, ()),
    "random_": (f"(var, *, {_G})", SAME, _MATRIX, ()),
    "uniform": (f"(shape, dtype='float32', low=0, high=1, *, {_G})", NEW, _MATRIX, ()),
    "uniform_": (f"(var, low=0, high=1, *, {_G})", SAME, _MATRIX, ()),
    "gauss": (f"(shape, dtype='float32', mean=0.0, std=1.0, *, {_G})", NEW, _MATRIX, ()),
    "gauss_": (f"(var, mean=0.0, std=1.0, *, {_G})", SAME, _MATRIX, ()),
    "normal_": (f"(var, mean=0.0, std=1.0, *, {_G})", SAME, _MATRIX, ()),
    "trunc_normal_": (f"(var, mean=0.0, std=1.0, a=-2.0, b=2.0, *, {_G})", SAME, _MATRIX, ()),
    "invariant_uniform": (f"(shape, dtype='float32', mode='fan_in', *, {_G})", NEW, _MATRIX, ()),
    "invariant_uniform_": (f"(var, mode='fan_in', *, {_G})", NOTHING, _MATRIX, ()),
    "relu_invariant_gauss": (f"(shape, dtype='float32', mode='fan_in', *, {_G})", NEW, _MATRIX, ()),
    "relu_invariant_gauss_": (f"(var, mode='fan_in', *, {_G})", SAME, _MATRIX, ()),
    "xavier_uniform": (f"(shape, dtype='float32', gain=1.0, *, {_G})", NEW, _MATRIX, ()),
    "xavier_uniform_": (f"(var, gain=1.0, *, {_G})", SAME, _MATRIX, ()),
    "xavier_gauss": (f"(shape, dtype='float32', gain=1.0, *, {_G})", NEW, _MATRIX, ()),
    "xavier_gauss_": (f"(var, gain=1.0, *, {_G})", SAME, _MATRIX, ()),
    "kaiming_uniform_": (f"(var, {_KAIMING}, *, {_G})", SAME, _MATRIX, ()),
    "kaiming_normal_": (f"(var, {_KAIMING}, *, {_G})", SAME, _MATRIX, ()),
}

_KAIMING_FLINT = "a=0.0, mode='fan_in', nonlinearity='leaky_relu'"

FLINT = {
    "calculate_gain": ("(nonlinearity, param=None)", NUMBER, None, ("relu",)),
    "zeros_": ("(tensor)", NOTHING, _MATRIX, ()),
    "ones_": ("(tensor)", NOTHING, _MATRIX, ()),
    "constant_": ("(tensor, val)", NOTHING, _MATRIX, (0.5,)),
    "uniform_": (f"(tensor, a=0.0, b=1.0, *, {_G})", NOTHING, _MATRIX, ()),
    "normal_": (f"(tensor, mean=0.0, std=1.0, *, {_G})", NOTHING, _MATRIX, ()),
    "xavier_uniform_": (f"(tensor, gain=1.0, *, {_G})", NOTHING, _MATRIX, ()),
    "xavier_normal_": (f"(tensor, gain=1.0, *, {_G})", NOTHING, _MATRIX, ()),
    "kaiming_uniform_": (f"(tensor, {_KAIMING_FLINT}, *, {_G})", NOTHING, _MATRIX, ()),
    "kaiming_normal_": (f"(tensor, {_KAIMING_FLINT}, *, {_G})", NOTHING, _MATRIX, ()),
    "lecun_uniform_": (f"(tensor, *, {_G})", NOTHING, _MATRIX, ()),
    "lecun_normal_": (f"(tensor, *, {_G})", NOTHING, _MATRIX, ()),
}

_KAIMING_STORCH = "a=0.0, mode=Mode.FanIn, nonlinearity=NonLinearity.LeakyReLU"

STORCH = {
    "calculateGain": ("(nonlinearity=NonLinearity.LeakyReLU, param=0.01)", NUMBER, None, ()),
    "uniform_": (f"(t, a=0.0, b=1.0, {_G})", SAME, _MATRIX, ()),
    "normal_": (f"(t, mean=0.0, std=0.0, {_G})", SAME, _MATRIX, ()),
    "constant_": ("(t, fillValue)", SAME, _MATRIX, (0.5,)),
    "ones_": ("(t)", SAME, _MATRIX, ()),
    "zeros_": ("(t)", SAME, _MATRIX, ()),
    "eye_": ("(t)", SAME, _MATRIX, ()),
    "dirac_": ("(t)", SAME, _KERNEL, ()),
    "xavierNormal_": (f"(t, gain=1.0, {_G})", SAME, _MATRIX, ()),
    "xavierUniform_": (f"(t, gain=1.0, {_G})", SAME, _MATRIX, ()),
    "kaimingUniform_": (f"(t, {_KAIMING_STORCH}, {_G})", SAME, _MATRIX, ()),
    "kaimingNormal_": (f"(t, {_KAIMING_STORCH}, {_G})", SAME, _MATRIX, ()),
    "trunc_": ("(t)", SAME, _MATRIX, ()),
    "orthogonal_": (f"(t, gain=1.0, {_G})", SAME, _MATRIX, ()),
    "sparse_": (f"(t, sparsity, std=0.01, {_G})", SAME, _MATRIX, (0.5,)),
}

SYSTEMS = {"torch": TORCH, "torch03": TORCH03, "jittor": JITTOR, "flint": FLINT, "storch": STORCH}

# What else a module exports.
OTHERS = {"torch": (*TORCH_DEPRECATED, "Generator", "find_seed", "replay", "reset_parameters"),
          "storch": ("Mode", "NonLinearity")}

_CONVOLUTIONS = {f"conv{d}d": 1 for d in (1, 2, 3)}
_TRANSPOSED = {f"conv_transpose{d}d": 1 for d in (1, 2, 3)}
_COMMON = {"linear": 1, **_CONVOLUTIONS, "sigmoid": 1, "tanh": 5 / 3, "relu": 2**0.5}
_LEAKY = {"leaky_relu": (2 / (1 + 0.01**2)) ** 0.5}

# calculate_gain's values, and the first of the names that other systems have and this one refuses.
GAINS = {
    "torch": ({**_COMMON, **_TRANSPOSED, **_LEAKY, "selu": 0.75}, ("identity", "gelu", "ReLU", "")),
    "torch03": ({**_COMMON, **_TRANSPOSED, **_LEAKY}, ("selu", "identity", "gelu")),
    "jittor": ({**_COMMON, **_TRANSPOSED, **_LEAKY, "selu": 0.75}, ("identity", "gelu")),
    "flint": ({**_COMMON, **_LEAKY, "selu": 0.75}, ("conv_transpose1d", "conv_transpose2d", "identity")),
}


def functions(*returns):
    """(system, name, row) of all functions, or of those that return one of these."""
    return [(system, name, row) for system, table in SYSTEMS.items() for name, row in table.items()
            if not returns or row[1] in returns]
