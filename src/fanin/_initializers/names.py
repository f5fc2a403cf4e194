"""Names for type checkers and editors, never imported when fanin runs; a test holds them to the registry."""

from typing import Literal, TypeAlias

Profile: TypeAlias = Literal[
    "flax", "flint", "jax", "jittor", "keras", "pytorch", "storch", "tensorflow", "tf", "torch", "torch03",
]
Name: TypeAlias = Literal[
    "array", "assign", "bilinear", "blocks", "chrono", "const", "constant", "convolution_orthogonal",
    "convolutional_delta_orthogonal", "convolutional_orthogonal", "convolutional_orthogonal_1d",
    "convolutional_orthogonal_2d", "convolutional_orthogonal_3d", "delta_orthogonal", "dirac", "eye", "fill", "full",
    "gauss", "gaussian", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "hippo_legs_a", "hippo_legs_b",
    "icnr", "identity", "invariant_uniform", "kaiming_normal", "kaiming_uniform", "kaiming_uniform_sqrt5",
    "lecun_normal", "lecun_uniform", "log_of_uniform", "log_uniform", "lstm_bias", "mamba2_a_log", "mamba_a_log",
    "mamba_dt_bias", "msra", "msraprelu", "nan", "normal", "numpyarray", "one", "ones", "orthogonal", "rand", "randn",
    "random", "random_normal", "random_uniform", "relu_invariant_gauss", "s4d", "s4d_log_dt", "scaled_orthogonal",
    "sinusoidal", "sinusoidal_positions", "siren", "siren_first", "siren_hidden", "sparse", "torch_default",
    "trunc_normal", "trunc_normal_tf", "truncated_normal", "uniform", "uniform_scaling", "uniform_unit_scaling",
    "unit_forget_bias", "upsampling_deconv_filter", "variance_scaling", "whisper_sinusoids", "xavier", "xavier_gauss",
    "xavier_normal", "xavier_uniform", "zero", "zeros",
]
