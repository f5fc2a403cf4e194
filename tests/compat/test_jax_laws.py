"""The distributions of `fanin.compat.jax`, at a million elements and fixed keys.

Means, stds and bounds are within 5 sigma of the exact ones: a right sampler fails one such check in 1.7 million. The
same check refuses values that are 1 % too large, as the first test shows.
"""

import math

import numpy as np
import pytest
from scipy import stats

from fanin import VarianceScaling
from fanin.compat import jax as fj
from stats import assert_distribution

N = 1_000_000
SHAPE = (1000, 1000)  # fan_in = fan_out = 1000 in JAX's order of axes
CUT = 0.8796256610342398  # std of N(0, 1) cut at +-2
HALF = ("float32", "float16", "bfloat16")
layouts = pytest.mark.parametrize("partitionable", [True, False], ids=["partitionable", "original"])


def assert_five_sigma(x, std, kurtosis=3.0):
    """Mean 0 and std `std`, by their standard errors for a law of this kurtosis; real and imaginary part apart."""
    for part in (x.real, x.imag) if np.iscomplexobj(x) else (x,):
        part = part.astype(np.float64).ravel()
        each = std / math.sqrt(2) if np.iscomplexobj(x) else std
        assert abs(part.mean()) < 5 * each / math.sqrt(part.size)
        assert abs(part.std() / each - 1) < 5 * math.sqrt((kurtosis - 1) / 4 / part.size)


def test_the_check_sees_one_percent():
    """assert_five_sigma refuses values that are 1 % too large or small."""
    x = fj.normal(1.0)(fj.key(0), N)
    for factor in (0.99, 1.01):
        with pytest.raises(AssertionError):
            assert_five_sigma(factor * x, 1.0)


@layouts
def test_float32_laws(partitionable):
    """Uniform, normal and truncated draws pass Kolmogorov-Smirnov, smooth and chi-squared tests, in both layouts."""
    key = fj.key(1, partitionable=partitionable)

    assert_distribution(fj.uniform(3.0)(key, N), stats.uniform(0, 3).cdf)
    assert_distribution(fj.normal(0.5)(key, N), stats.norm(0, 0.5).cdf)
    assert_distribution(fj.truncated_normal(0.5)(key, N), stats.truncnorm(-2, 2, scale=0.5).cdf)
    assert_distribution(fj.truncated_normal(2.0, lower=-0.5, upper=3.0)(key, N), stats.truncnorm(-0.5, 3, scale=2).cdf)


PRESETS = {"glorot": 1.0, "xavier": 1.0, "lecun": 1.0, "he": 2.0, "kaiming": 2.0}


@pytest.mark.parametrize("dtype", [*HALF, "complex64"])
@pytest.mark.parametrize("family", PRESETS)
def test_presets_have_their_variance(family, dtype):
    """Std sqrt(scale/n), uniform within sqrt(3) of it (a disk of sqrt(2) when complex), normals cut at 2/CUT of it."""
    std = math.sqrt(PRESETS[family] / 1000)
    complex_type = dtype == "complex64"
    u = getattr(fj, f"{family}_uniform")()(fj.key(2), SHAPE, dtype)
    t = getattr(fj, f"{family}_normal")()(fj.key(3), SHAPE, dtype)
    rounding = 1 + 2.0**-8 if dtype == "bfloat16" else 1 + 2.0**-11

    assert_five_sigma(u, std, 2.0 if complex_type else 1.8)
    assert_five_sigma(t, std)
    radius = np.abs(u.astype(np.complex128)).max() / std, np.abs(t.astype(np.complex128)).max() / std
    bounds = (math.sqrt(2), 2 / 0.9619618280082136) if complex_type else (math.sqrt(3), 2 / CUT)
    assert 0.99 * bounds[0] < radius[0] < rounding * bounds[0]
    assert 0.99 * bounds[1] < radius[1] < rounding * bounds[1]


@pytest.mark.parametrize("dtype", HALF)
def test_plain_distributions_in_half_types(dtype):
    """uniform is one-sided, normal plain, truncated_normal not corrected; the signs of the factors count."""
    u, n, t = (init(fj.key(4), N, dtype) for init in (fj.uniform(-0.5), fj.normal(-2.0), fj.truncated_normal(0.25)))

    assert float(u.min()) > -0.5
    assert float(u.max()) <= 0
    assert_five_sigma(u.astype(np.float64) + 0.25, 0.5 / math.sqrt(12), 1.8)
    assert_five_sigma(n, 2.0)
    assert_five_sigma(t, 0.25 * CUT, 2.4)
    assert np.abs(t.astype(np.float64)).max() <= 0.5


def test_half_types_have_more_than_a_mantissa_of_values():
    """JAX's bfloat16 normal has 128 values; a rounded float32 one has thousands."""
    assert len(np.unique(fj.normal(1.0)(fj.key(0), 100_000, "bfloat16").view(np.uint16))) > 2000


def test_complex_normals():
    """E|z|² = stddev², real and imaginary parts independent."""
    z = fj.normal(3.0)(fj.key(5), N, "complex64")

    assert_five_sigma(z, 3.0)
    assert abs(np.mean(z.real * z.imag, dtype=np.float64)) < 5 * 4.5 / math.sqrt(N)


def test_the_complex_truncated_normal_has_its_variance():
    """JAX divides by 0.9531 instead of 0.9620, and gets a variance 1.87 % too large: that would be 60 sigma here."""
    z = fj.variance_scaling(1.0, "fan_in", "truncated_normal")(fj.key(6), SHAPE, "complex64")
    square = np.abs(z.astype(np.complex128)) ** 2 * 1000

    assert abs(square.mean() - 1) < 5 * square.std() / math.sqrt(N)
    with pytest.raises(AssertionError):
        assert abs(1.0187 * square.mean() - 1) < 5 * square.std() / math.sqrt(N)


def test_other_types_are_the_schemes_of_the_keys_seed():
    """Their seed is 2**32·k0 + k1, in either layout: `key(7)` draws what seed 7 draws."""
    expected = VarianceScaling(2.0, fan_in=30, fan_out=40)((30, 40), "bfloat16", seed=7)

    assert (fj.he_normal()(fj.key(7), (30, 40), "bfloat16") == expected).all()
    assert (fj.he_normal()(fj.key(7, partitionable=False), (30, 40), "bfloat16") == expected).all()
    assert fj.Key((3, 5)).seed == 3 * 2**32 + 5


@pytest.mark.parametrize(("shape", "column_axis"), [((40, 30), -1), ((30, 40), -1), ((40, 30), 0), ((3, 4, 5), 1),
                                                    ((2, 3, 4, 5), -2)])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_orthogonal_matrices_are_orthogonal(shape, column_axis, dtype):
    """The smaller side is orthonormal: rows are the other axes, columns shape[column_axis]."""
    w = fj.orthogonal(3.0, column_axis)(fj.key(8), shape, dtype)
    matrix = np.moveaxis(w, column_axis, -1).reshape(-1, shape[column_axis]).astype(np.complex128) / 3
    gram = matrix.conj().T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.conj().T

    assert w.dtype == dtype
    assert np.abs(gram - np.eye(len(gram))).max() < 1e-5


def test_orthogonal_matrices_are_haar_distributed():
    """The signs of diagonal elements are fair, which a factorization without the sign fix would not give."""
    traces = np.array([np.trace(fj.orthogonal()(key, (4, 4))) for key in fj.split(fj.key(9), 2000)])

    # the trace of a Haar matrix has mean 0 and variance 1
    assert abs(traces.mean()) < 5 / math.sqrt(len(traces))
    assert abs(traces.var() - 1) < 5 * math.sqrt(2 / len(traces))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", [(3, 4, 6), (4, 2, 5, 5), (2, 3, 4, 1, 2)])
def test_delta_orthogonal_kernels_are_orthogonal_at_their_centre(shape, dtype):
    """The matrix stands at (k - 1)//2 of each kernel axis, all else is zero."""
    w = fj.delta_orthogonal(2.0)(fj.key(10), shape, dtype)
    centre = w[tuple((k - 1) // 2 for k in shape[:-2])].astype(np.complex128) / 2

    assert np.count_nonzero(w) == np.count_nonzero(centre) == centre.size
    assert np.abs(centre @ centre.conj().T - np.eye(len(centre))).max() < 1e-5


def test_fans_are_those_of_jax():
    """The receptive field multiplies both fans; batch axes count in neither."""
    for kwargs, shape, fan_in, fan_out in (
        ({}, (3, 3, 50, 40), 450, 360), ({"in_axis": (0, 1), "out_axis": 2}, (16, 32, 256), 512, 256),
        ({"batch_axis": 0}, (9, 100, 200), 100, 200), ({"in_axis": 0, "out_axis": -1}, (100, 3, 50), 300, 150),
        ({"in_axis": 0, "out_axis": 0}, (100,), 1, 1),
    ):
        for mode, n in (("fan_in", fan_in), ("fan_out", fan_out), ("fan_avg", (fan_in + fan_out) / 2),
                        ("fan_geo_avg", math.sqrt(fan_in * fan_out))):
            w = fj.variance_scaling(1.0, mode, "uniform", **kwargs)(fj.key(0), shape)
            unit = fj.variance_scaling(1.0, "fan_in", "uniform", 0, 0, tuple(range(1, len(shape))))(fj.key(0), shape)
            assert np.allclose(w, unit * math.sqrt(1 / n), rtol=1e-6), (kwargs, mode)


def test_a_scale_of_zero_gives_zeros():
    """In every type, without a warning."""
    for dtype in (*HALF, "complex64"):
        assert not fj.variance_scaling(0.0, "fan_in", "normal")(fj.key(0), (3, 3), dtype).any()
        assert not fj.normal(0.0)(fj.key(0), (3, 3), dtype).any()
    assert not fj.orthogonal(0.0)(fj.key(0), (3, 3)).any()
