"""Each scheme of the contract's section 4, each parameter of its row, against numpy, plain loops and closed forms.

Where only exactness counts the reference backend draws (it compiles nothing, and has the compiled kernels' bits).
"""

import itertools
import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import fanin
from fanin import (
    Constant,
    DeltaOrthogonal,
    Dirac,
    Eye,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)

REAL = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
EXACT = {"device": "reference", "seed": 1}
PARTS = {"complex64": "float32", "complex128": "float64"}


def units(count, dtype, seed=1):
    """Uniform's u for `count` real elements: k·2**-24, for float64 k·2**-53, from the raw words."""
    raw = fanin.stream.words(seed, None, 0, 2 * count).astype(np.uint64)
    if dtype == "float64":
        return ((raw[::2] + (raw[1::2] << np.uint64(32))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (raw[:count] >> np.uint64(8)).astype(np.float64) * 2.0**-24


# -- Constant -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "dtypes"), [
    (0, (*REAL, *COMPLEX, *WHOLE)), (1, (*REAL, *COMPLEX, *WHOLE)), (True, (*REAL, *COMPLEX, *WHOLE)),
    (-1, (*REAL, *COMPLEX, "int8", "int64")), (0.1, (*REAL, *COMPLEX)), (3.0, (*REAL, *COMPLEX, *WHOLE[1:])),
    (-0.0, (*REAL, *COMPLEX)), (math.nan, (*REAL, *COMPLEX)), (math.inf, (*REAL, *COMPLEX)),
    (1 + 2j, COMPLEX), (complex(math.nan, -math.inf), COMPLEX), (2**64 - 1, ("uint64", "float32")),
    (-(2**63), ("int64",)), (2**63 - 1, ("int64",)), (1e-310, ("float32", "float64")), (65504, ("float16",)),
    (0.1 + 2**-30, ("float16", "bfloat16")),
])
def test_constants_are_numpys(value, dtypes):
    """Constant(value) is numpy.full(shape, value, dtype): rounded once, whole where the dtype is."""
    for dtype in dtypes:
        w = Constant(value)((2, 3), dtype)
        with np.errstate(under="ignore"):
            wanted = np.full((2, 3), value).astype(dtype)
        assert w.dtype.name == dtype and w.tobytes() == wanted.tobytes()
        assert Constant(value).shard((2, 3), (1, slice(None, None, 2)), dtype).tobytes() == wanted[1, ::2].tobytes()


@pytest.mark.parametrize("value", [
    [1, 2, 3], [[1.5],
    [2.5]], np.arange(6).reshape(2, 3), np.array([[True, False, True]]), [[math.nan, math.inf, -0.0]],
    np.arange(3, dtype=np.float16), np.array([1, 2, 3], ml_dtypes.bfloat16), np.arange(6.0).reshape(3, 2).T,
    np.broadcast_to(np.float32(4), (2, 3)), [1j, 2, 3 - 1j],
])
def test_constant_arrays_broadcast(value):
    """Constant(array) is the array broadcast to the shape, in the dtype; a copy of it, so that it never changes."""
    dtype = "complex64" if np.iscomplexobj(np.asarray(value)) else "float32"
    wanted = np.broadcast_to(np.asarray(value).astype(dtype), (4, 2, 3))

    scheme = Constant(value)
    w = scheme((4, 2, 3), dtype)

    assert w.tobytes() == wanted.tobytes() and w.flags.writeable
    w[...] = 7
    for index in [1, (slice(None), slice(None), -1), (..., slice(None, None, -2)), (2, 1, 0)]:
        assert scheme.shard((4, 2, 3), index, dtype).tobytes() == wanted[index].tobytes()
    with pytest.raises(ValueError, match="read-only"):
        scheme.value[...] = 0


def test_constant_arrays_shard_virtual_shapes():
    """A block of a tensor of 2**52 elements takes from the array what broadcasting would put there."""
    value = np.arange(12.0).reshape(3, 1, 4)
    part = Constant(value).shard((2**50, 3, 2, 4), (2**49, slice(None, None, -2), 1, slice(1, 3)))

    assert part.tolist() == value[::-2, 0, 1:3].tolist()


def test_constant_array_into_whole_numbers():
    """Integers from an array of floats are exact."""
    assert Constant([[0.0, 255.0]])((2, 2), "uint8").tolist() == [[0, 255], [0, 255]]
    assert Constant([0.0, 1.0])((2,), "bool").tolist() == [False, True]


# -- Uniform ------------------------------------------------------------------------------------------------------


@given(st.floats(-100, 100), st.floats(0.01, 2), st.sampled_from(REAL))
@settings(max_examples=40, deadline=None)
def test_uniform_is_low_plus_u_times_width(low, width, dtype):
    """value = low + u·(high - low), within rounding, u the contract's; and never outside [low, high)."""
    high = low + width * max(1.0, abs(low))  # wide enough to hold values of each dtype
    w = Uniform(low, high)(8, dtype, **EXACT).astype(np.float64)

    wanted = low + units(8, dtype) * (high - low)
    epsilon = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-23, "float64": 2.0**-52}[dtype]
    assert (np.abs(w - wanted) <= 4 * epsilon * max(abs(low), abs(high))).all()
    assert (w >= low).all() and (w < high).all()


@pytest.mark.parametrize("dtype", REAL)
def test_uniform_bounds_hold_in_narrow_intervals(dtype):
    """Where the interval holds few values of the dtype all of them come out, and neither high nor one below low."""
    one = np.array(1, dtype)
    up = [one]
    for _ in range(3):
        up.append(np.nextafter(up[-1], np.array(2, dtype)))
    step = float(up[1]) - 1
    down = np.nextafter(one, np.array(0, dtype))

    def values(low, high):
        return set(Uniform(low, high)(200, dtype, seed=1).astype(np.float64).tolist())

    assert values(1, float(up[3])) == {float(x) for x in up[:3]}
    if dtype != "float64":  # bounds that the dtype doesn't hold
        assert values(1 + 0.1 * step, 1 + 2.1 * step) == {float(up[1]), float(up[2])}
    assert values(float(down), 1) == {float(down)}
    assert values(-1, -float(down)) == {-1.0}
    assert values(1, 1) == {1.0}


@pytest.mark.parametrize("dtype", REAL)
def test_uniform_in_extreme_intervals(dtype):
    """The widest interval that the dtype holds works, also where high - low only just fits."""
    limit = 65504.0 if dtype == "float16" else float(ml_dtypes.finfo(dtype).max)
    half = limit / 2 if dtype != "float16" else limit

    for low, high in [(-half, half), (0, limit), (-limit, 0), (limit / 4, limit)]:
        w = Uniform(low, high)(200, dtype, seed=1).astype(np.float64)
        assert np.isfinite(w).all() and (w >= low).all() and (w < high).all()
        assert low / limit + 0.1 < (w / limit).mean() < high / limit


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_uniform_is_a_disk(dtype):
    """Centre (low + high)/2, radius (high - low)/2: |z - c|²/r² and the angle are both uniform."""
    w = (Uniform(-1, 3)(20000, dtype, seed=1) if dtype == "complex64" else Uniform(-1, 3)(400, dtype, **EXACT)) - 1

    assert (np.abs(w) <= 2 * (1 + 1e-6)).all()
    assert stats.kstest(np.abs(w) ** 2 / 4, "uniform").pvalue > 1e-6
    assert stats.kstest(np.angle(w) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-6
    assert Uniform(-1, 3).describe(2, dtype).std == pytest.approx(math.sqrt(2))
    assert w.std() == pytest.approx(math.sqrt(2), rel=2 / math.sqrt(len(w)))


# -- Normal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_normal_is_box_muller_of_its_words(dtype):
    """Even elements are mean + std·r·cos, odd ones r·sin; a complex element has both, divided by √2."""
    parts = PARTS.get(dtype, dtype)
    wide = parts == "float64"
    raw = fanin.stream.words(1, None, 0, 16 if wide else 8).astype(np.longdouble)
    x = raw[::2] + raw[1::2] * 2.0**32 if wide else raw
    scale = np.longdouble(2) ** (-64 if wide else -32)
    radius = np.sqrt(-2 * np.log((x[::2] + np.longdouble(0.5)) * scale))
    angle = 2 * np.longdouble(np.pi) * (x[1::2] * scale)
    cosine, sine = radius * np.cos(angle), radius * np.sin(angle)

    w = Normal(1.0, 3.0)(4 if dtype in COMPLEX else 8, dtype, **EXACT)

    if dtype in COMPLEX:
        wanted = 1 + 3 * (cosine + 1j * sine) / np.sqrt(np.longdouble(2))
    else:
        wanted = 1 + 3 * np.stack([cosine, sine], 1).ravel()
    tolerance = {"float16": 2e-3, "bfloat16": 1.6e-2, "float64": 1e-14, "complex128": 1e-14}.get(dtype, 2e-6)
    assert (np.abs(w.astype(wanted.dtype) - wanted) <= 3 * tolerance * np.maximum(1, np.abs(wanted))).all()


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_normal_without_spread_is_its_mean(dtype):
    """std=0 gives the mean everywhere, rounded once, and describes itself so."""
    w = Normal(0.1, 0.0)((2, 3), dtype, seed=1)

    assert w.tobytes() == np.full((2, 3), 0.1).astype(dtype).tobytes()
    assert Normal(0.1, 0.0).describe((2, 3), dtype).std == 0


# -- TruncatedNormal ----------------------------------------------------------------------------------------------

TRUNCATIONS = [
    # mean, std, lower, upper, bounds
    (0.0, 1.0, -2.0, 2.0, "std"), (1.0, 3.0, -2.0, 2.0, "std"), (1.0, 3.0, -2.0, 2.0, "absolute"),
    (0.0, 1.0, -math.inf, math.inf, "std"), (2.0, 0.5, -math.inf, 1.0, "std"), (2.0, 0.5, 1.0, math.inf, "absolute"),
    (0.0, 1.0, 5.0, 6.0, "std"), (0.0, 1.0, -6.0, -5.0, "std"), (0.0, 1.0, 0.0, math.inf, "std"),
    (0.0, 1.0, -math.inf, -4.0, "std"), (10.0, 1.0, -2.0, 2.0, "absolute"), (-100.0, 1.0, -2.0, 2.0, "absolute"),
    (0.0, 1.0, 0.5, 0.501, "std"), (0.0, 1e3, -2.0, 2.0, "absolute"), (0.0, 0.02, -2.0, 2.0, "absolute"),
    (0.0, 1.0, -1.0, 3.0, "std"),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mean", "std", "lower", "upper", "bounds"), TRUNCATIONS)
def test_truncated_normals_distribution(mean, std, lower, upper, bounds, dtype):
    """The law is scipy's truncnorm in both bounds modes, in tails, one-sided and narrow; the plan knows its moments."""
    scheme = TruncatedNormal(mean, std, lower, upper, bounds)
    a, b = (lower, upper) if bounds == "std" else ((lower - mean) / std, (upper - mean) / std)
    law = stats.truncnorm(a, b, mean, std)

    w = scheme(200, dtype, **EXACT).astype(np.float64)
    plan = scheme.describe(200, dtype)

    low, high = law.support()
    assert (w >= low - 1e-12 * abs(low)).all() and (w <= high + 1e-12 * abs(high)).all()
    assert stats.kstest(w, law.cdf).pvalue > 1e-6
    assert plan.mean == pytest.approx(law.mean(), rel=1e-6, abs=1e-9 * std)
    assert plan.std == pytest.approx(law.std(), rel=1e-4)


def test_truncated_normal_increases_in_its_word():
    """One word, one element, by the inverse of the distribution function."""
    scheme = TruncatedNormal(0.0, 1.0, -1.0, 3.0)
    w = scheme(64, **EXACT)
    words = fanin.stream.words(1, None, 0, 64)

    assert (np.argsort(w, kind="stable") == np.argsort(words, kind="stable")).all()
    u = (words.astype(np.float64) + 0.5) * 2.0**-32
    assert np.abs(w - stats.truncnorm(-1, 3).ppf(u)).max() <= 4e-6


@pytest.mark.parametrize("dtype", REAL)
def test_truncation_bounds_hold_after_rounding(dtype):
    """No value lies outside the unrounded bounds, and few at them: the edge bins hold what they should."""
    for lower, upper in [(-0.3, 0.3), (0.1, 0.7), (-math.inf, -0.1), (1 / 3, math.inf)]:
        scheme = TruncatedNormal(0.0, 1.0, lower, upper, "absolute")
        w = (scheme(4096, dtype, seed=1) if dtype == "float16" else scheme(400, dtype, **EXACT)).astype(np.float64)
        assert (w >= lower).all() and (w <= upper).all() and np.isfinite(w).all()
        assert len(np.unique(w)) > 40
        for bound in (lower, upper):
            if math.isfinite(bound):
                step = 2 * {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 2.0**-24)
                assert (np.abs(w - bound) <= step * 0.7).mean() < 0.05


def test_truncated_normal_without_room():
    """std=0 is the mean, equal bounds that bound, and std units scale with std."""
    assert set(TruncatedNormal(0.5, 0.0)(5, seed=1).tolist()) == {0.5}
    assert set(TruncatedNormal(0.5, 0.0, -1, 1, "absolute")(5, seed=1).tolist()) == {0.5}
    assert set(TruncatedNormal(0.0, 2.0, 0.5, 0.5)(5, seed=1).tolist()) == {1.0}
    assert set(TruncatedNormal(0.0, 2.0, 0.5, 0.5, "absolute")(5, seed=1).tolist()) == {0.5}
    wide, narrow = TruncatedNormal(0.0, 4.0), TruncatedNormal(0.0, 1.0)
    assert (wide(50, seed=1) == 4 * narrow(50, seed=1)).all()


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_truncation_is_by_modulus(dtype):
    """|z - mean| <= upper·std, |z - mean|² a truncated exponential, any angle; both bounds modes."""
    for scheme in (TruncatedNormal(1.0, 2.0, -1.5, 1.5), TruncatedNormal(1.0, 2.0, -2.0, 4.0, "absolute")):
        w = ((scheme(20000, dtype, seed=1) if dtype == "complex64" else scheme(400, dtype, **EXACT)) - 1) / 2
        assert (np.abs(w) <= 1.5 * (1 + 1e-6)).all()
        inside = -np.expm1(-(1.5**2))
        assert stats.kstest(-np.expm1(-(np.abs(w.astype(complex)) ** 2)) / inside, "uniform").pvalue > 1e-6
        assert stats.kstest(np.angle(w) / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-6
        assert (2 * w).std() == pytest.approx(scheme.describe(2, dtype).std, rel=2 / math.sqrt(len(w)))
    assert TruncatedNormal().describe(2, dtype).std == pytest.approx(0.9619618280082136, rel=1e-14)
    whole = TruncatedNormal(0.0, 1.0, -math.inf, math.inf)
    assert whole.describe(9, dtype) == Normal().describe(9, dtype)


# -- VarianceScaling ----------------------------------------------------------------------------------------------

SHAPES = [  # shape, keywords, fan_in, fan_out
    ((64, 32), {}, 32, 64), ((32, 64), {"layout": "*io"}, 32, 64), ((16, 8, 3), {}, 24, 48),
    ((3, 3, 8, 16), {"layout": "*io"}, 72, 144), ((16, 3, 8), {"layout": "o*i"}, 24, 48),
    ((8, 4, 6), {"layout": "ioo"}, 8, 24), ((5, 16, 8), {"layout": "boi"}, 8, 16), ((16, 2, 3), {"groups": 4}, 6, 12),
    ((8, 16, 3), {"layout": "io*", "transposed": True}, 24, 48),
    ((8, 4, 3), {"layout": "io*", "transposed": True, "groups": 4}, 6, 12),
    ((64, 32), {"fan_in": 5}, 5, 64), ((64, 32), {"fan_out": 5.5}, 32, 5.5), ((7,), {"fan_in": 5, "fan_out": 6}, 5, 6),
    ((), {"fan_in": 5, "fan_out": 6}, 5, 6), ((2, 3, 4), {"layout": "oi", "fan_in": 5, "fan_out": 6}, 5, 6),
]
MODES = {"fan_in": lambda i, o: i, "fan_out": lambda i, o: o, "fan_avg": lambda i, o: (i + o) / 2,
         "fan_geo_avg": lambda i, o: math.sqrt(i * o)}
CUT = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


def equivalent(distribution, std):
    """The plain scheme with that std of its values."""
    if distribution == "normal":
        return Normal(0.0, std)
    if distribution == "uniform":
        return Uniform(-math.sqrt(3) * std, math.sqrt(3) * std)
    return TruncatedNormal(0.0, std / CUT)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("shape", "keywords", "fan_in", "fan_out"), SHAPES)
def test_variance_is_scale_over_n(shape, keywords, fan_in, fan_out, mode):
    """std² = scale/n for every mode, layout, grouping and distribution, and the plan is the plain scheme's."""
    std = math.sqrt(1.7 / MODES[mode](fan_in, fan_out))

    for distribution in ("truncated_normal", "normal", "uniform"):
        scheme = VarianceScaling(1.7, mode, distribution, **keywords)
        plan, plain = scheme.describe(shape), equivalent(distribution, std).describe(shape)
        assert (plan.fan_in, plan.fan_out) == (fan_in, fan_out)
        assert plan.std == pytest.approx(std, rel=1e-12) and plan.mean == 0
        assert plan.sampler is plain.sampler
        assert np.allclose(plan.params, plain.params, rtol=1e-6, atol=0)


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_variance_scaling_draws_the_plain_schemes_values(distribution):
    """Its values are those of the plain scheme with the same std, to rounding; uniform ones within √3 std."""
    std = math.sqrt(2 / 32)
    w = VarianceScaling(2.0, "fan_in", distribution)((8, 32), seed=1)

    assert np.allclose(w, equivalent(distribution, std)((8, 32), seed=1), rtol=1e-5, atol=1e-7)
    bound = {"truncated_normal": 2 / CUT, "uniform": math.sqrt(3), "normal": 6.8}[distribution] * std
    assert (np.abs(w) <= bound).all()


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_complex_variance(distribution, dtype="complex64"):
    """E|z|² = scale/n: uniform on a disk of radius √2 std, truncated at modulus 2 std of the parent."""
    scheme = VarianceScaling(2.0, "fan_in", distribution)
    w = scheme((200, 100), dtype, seed=1)
    std = math.sqrt(2 / 100)

    assert scheme.describe((200, 100), dtype).std == pytest.approx(std, rel=1e-12)
    assert math.sqrt((np.abs(w.astype(complex)) ** 2).mean()) == pytest.approx(std, rel=0.02)
    assert w.real.std() == pytest.approx(std / math.sqrt(2), rel=0.03)
    limit = {"uniform": math.sqrt(2), "truncated_normal": 2 / 0.9619618280082136, "normal": 4.8}[distribution] * std
    assert np.abs(w).max() <= limit * (1 + 1e-6) and np.abs(w).max() > 0.95 * min(limit, 2 * std)


def test_zero_scale_and_empty_fans_are_zeros():
    """scale=0 draws zeros, a fan of 0 belongs to an empty tensor."""
    assert not VarianceScaling(0.0)((3, 4), seed=1).any()
    assert VarianceScaling(mode="fan_out")((0, 4), seed=1).shape == (0, 4)
    assert VarianceScaling(mode="fan_geo_avg")((4, 0), seed=1).shape == (4, 0)


# -- Orthogonal, DeltaOrthogonal ----------------------------------------------------------------------------------


def gram_error(w, rows):
    """The largest deviation of the smaller side's Gram matrix from the identity, in float64."""
    q = w.reshape(rows, -1).astype(np.complex128)
    gram = q @ q.conj().T if q.shape[0] <= q.shape[1] else q.conj().T @ q
    return np.abs(gram - np.eye(len(gram))).max()


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (16, 16), (6, 4, 5), (30, 2, 3), (1, 7), (7, 1), (1, 1)])
def test_the_smaller_side_is_orthonormal(shape, dtype):
    """Gram matrix gain²·I within 1e-5·gain² (1e-13 for 8-byte types); half types within their rounding."""
    tolerance = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float64": 1e-13, "complex128": 1e-13}.get(dtype, 1e-5)

    for axis in range(-len(shape), len(shape)):
        w = Orthogonal(-3.0, axis)(shape, dtype, seed=1)
        assert gram_error(np.moveaxis(w, axis, 0) / np.array(3, w.dtype), shape[axis]) <= tolerance


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_orthogonal_parameters(dtype):
    """gain is a factor; a negative axis counts from the end; half types are roundings of the float32 matrix."""
    w = Orthogonal()((5, 4, 3), dtype, seed=1)

    assert np.allclose(Orthogonal(-2.0)((5, 4, 3), dtype, seed=1), -2 * w, rtol=0, atol=2e-5)
    assert (Orthogonal(axis=-3)((5, 4, 3), dtype, seed=1) == w).all()
    assert not Orthogonal(0.0)((5, 4, 3), dtype, seed=1).any()
    assert gram_error(Orthogonal(axis=1)((5, 4, 3), dtype, seed=1).transpose(1, 0, 2), 4) < 1e-5
    if dtype == "float32":
        for half in ("float16", "bfloat16"):
            assert np.abs(Orthogonal()((5, 4, 3), half, seed=1).astype(np.float32) - w).max() <= 2.0**-8


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_orthogonal_is_haar(dtype):
    """E tr Q = 0 and E |tr Q|² = 1, the first moments of Haar measure, over 500 small matrices; signs are fair."""
    traces = np.array([np.trace(Orthogonal()((4, 4), dtype, seed=seed)) for seed in range(500)])

    assert abs(traces.mean()) < 5 / math.sqrt(500)
    assert (np.abs(traces) ** 2).mean() == pytest.approx(1, abs=5 * math.sqrt(2 / 500))
    corners = np.array([Orthogonal()((2, 2), dtype, seed=seed)[0, 0].real for seed in range(200)])
    assert 60 < (corners > 0).sum() < 140
    if dtype == "float64":  # the determinant's sign is fair, too
        signs = [np.linalg.det(Orthogonal()((3, 3), dtype, seed=seed)) > 0 for seed in range(200)]
        assert 60 < sum(signs) < 140


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "bfloat16"])
@pytest.mark.parametrize(("shape", "layout", "centre"), [
    ((6, 4, 3), "oi*", (slice(None), slice(None), 1)), ((6, 4, 4), "oi*", (slice(None), slice(None), 1)),
    ((6, 4, 1), "oi*", (slice(None), slice(None), 0)), ((3, 4, 5, 6), "*io", (1, 1)), ((2, 5, 4, 6), "*io", (0, 2)),
    ((6, 3, 4), "o*i", (slice(None), 1)), ((4, 6, 5, 2), "io*", (slice(None), slice(None), 2, 0)),
    ((4, 6, 3), "oi*", (slice(None), slice(None), 1)), ((2, 3, 3, 4), "oo*i", (slice(None), slice(None), 1)),
])
def test_delta_orthogonal(shape, layout, centre, dtype):
    """All zeros but the centre (k - 1)//2, which is gain·Q with rows the out axes."""
    w = DeltaOrthogonal(2.0, layout)(shape, dtype, seed=1).astype(np.complex128)
    middle = w[centre]
    letters = [letter for letter in layout if letter != "*"]
    matrix = middle.transpose([d for role in "oi" for d, letter in enumerate(letters) if letter == role])
    out = math.prod(dim for dim, letter in zip(middle.shape, letters, strict=True) if letter == "o")

    assert np.count_nonzero(w) == np.count_nonzero(middle) == middle.size
    assert gram_error(matrix / 2, out) <= {"float64": 1e-13, "bfloat16": 2.0**-7}.get(dtype, 1e-5)
    rms = DeltaOrthogonal(2.0, layout).describe(shape).std
    assert math.sqrt((np.abs(w) ** 2).mean()) == pytest.approx(rms, rel=1e-2)


# -- Dirac --------------------------------------------------------------------------------------------------------


def dirac_loop(shape, groups, layout, dtype):
    """One at [g·out/groups + d, d, centre], d < min(out/groups, in), by loops; torch's layout moved to `layout`."""
    letters = layout.replace("*", "*" * (len(shape) - len(layout) + 1))
    order = [letters.index("o"), letters.index("i"), *(d for d, letter in enumerate(letters) if letter == "*")]
    w = np.zeros([shape[d] for d in order], dtype)
    out, channels, *kernel = w.shape
    for group in range(groups):
        for d in range(min(out // groups, channels)):
            w[(group * (out // groups) + d, d, *(k // 2 for k in kernel))] = 1
    return w.transpose(np.argsort(order))


@pytest.mark.parametrize(("shape", "groups", "layout"), [
    ((4, 4, 3), 1, "oi*"), ((4, 2, 3), 1, "oi*"), ((2, 4, 4), 1, "oi*"), ((6, 2, 3, 5), 3, "oi*"),
    ((6, 3, 3), 2, "oi*"),
    ((6, 1, 2, 2), 6, "oi*"), ((3, 3, 2, 4), 2, "*io"), ((4, 3, 3, 2), 2, "o*i"), ((2, 4, 3), 2, "io*"),
    ((2, 2, 3, 3, 3), 1, "oi*"), ((2, 2, 2, 3, 2, 3), 1, "oi*"), ((4, 8, 1), 2, "oi*"),
])
def test_dirac_is_the_plain_loop(shape, groups, layout):
    """Exactly torch's pattern, in any layout, number of kernel axes, and dtype."""
    for dtype in ("float32", "bfloat16", "complex64", "int8"):
        w = Dirac(groups, layout)(shape, dtype)
        assert w.tobytes() == dirac_loop(shape, groups, layout, dtype).tobytes()


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX, *WHOLE])
def test_dirac_has_every_dtype(dtype):
    """Integers and bool included; drawn by the reference."""
    assert Dirac(2)((4, 2, 3), dtype, **EXACT).tobytes() == dirac_loop((4, 2, 3), 2, "oi*", dtype).tobytes()


def test_dirac_passes_its_input_through():
    """The convolution with it is the identity, group by group."""
    w, x = Dirac(2)((4, 2, 3), "float64"), np.arange(4.0 * 7).reshape(4, 7)

    padded = np.pad(x, ((0, 0), (1, 1)))
    y = np.array([[sum((w[o, i] * padded[o // 2 * 2 + i, t:t + 3]).sum() for i in range(2)) for t in range(7)]
                  for o in range(4)])

    assert (y == x).all()


def test_dirac_with_batch_and_joined_axes():
    """A batch axis repeats the pattern; two out axes count as one in C order."""
    assert (Dirac(layout="boi*")((3, 2, 2, 3)) == dirac_loop((2, 2, 3), 1, "oi*", "float32")).all()
    joined = Dirac(layout="ooi*")((2, 2, 4, 3)).reshape(4, 4, 3)
    assert (joined == dirac_loop((4, 4, 3), 1, "oi*", "float32")).all()


# -- Sparse -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize(("shape", "axis"), [((10, 7), 0), ((10, 7), 1), ((7, 10), -1), ((4, 10, 3), 1), ((10,), 0),
                                             ((3, 1, 2), 1), ((13, 2, 2, 2), -4)])
def test_sparse_counts(shape, axis, dtype):
    """Exactly ceil(sparsity·rows) zeros in each column of any axis; the others are Normal's values at their places."""
    for sparsity in (0.0, 0.01, 0.1, 0.3, 0.5, 0.77, 0.9, 1.0):
        w = Sparse(sparsity, 0.5, axis)(shape, dtype, seed=1)
        zeros = (w == 0).sum(axis=axis)
        assert (zeros == math.ceil(sparsity * shape[axis])).all()
        dense = Normal(0.0, 0.5)(shape, dtype, seed=1)
        assert (w[w != 0] == dense[w != 0]).all()


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_sparse_has_every_dtype(dtype):
    """A complex zero is zero in both parts; half types keep the count."""
    for sparsity in (0.3, 0.5):
        w, dense = Sparse(sparsity, 0.5)((7, 3), dtype, **EXACT), Normal(0.0, 0.5)((7, 3), dtype, **EXACT)
        assert ((w == 0).sum(axis=0) == math.ceil(sparsity * 7)).all() and (w[w != 0] == dense[w != 0]).all()


def test_every_subset_of_rows_is_equally_likely():
    """All 20 choices of 3 zero rows out of 6 come up equally often: chi-squared over 5000 columns."""
    w = Sparse(0.5)((6, 5000), seed=1)
    patterns, counts = np.unique(w == 0, axis=1, return_counts=True)

    assert {tuple(np.flatnonzero(column)) for column in patterns.T} == set(itertools.combinations(range(6), 3))
    assert stats.chisquare(counts).pvalue > 1e-6


def test_sparse_std_is_that_of_the_others():
    """std is of the elements that are not zero; the plan's is of all."""
    scheme = Sparse(0.75, std=2.0)
    w = scheme((64, 512), seed=1)

    assert w[w != 0].std() == pytest.approx(2.0, rel=0.03)
    assert scheme.describe((64, 512)).std == pytest.approx(1.0) and w.std() == pytest.approx(1.0, rel=0.03)
    assert not Sparse(0.5, std=0.0)((4, 4), seed=1).any()
    assert not Sparse(1.0)((4, 4), seed=1).any() and Sparse(1.0).describe((4, 4)).std == 0


# -- Eye ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX, *WHOLE])
def test_eye_is_numpys(dtype):
    """gain·numpy.eye(rows, columns) in every dtype, square or not."""
    gain = {"b": 1, "u": 3, "i": -3, "f": -2.5, "c": 1 - 2j}.get(np.dtype(dtype).kind, -2.5)
    for shape in [(3, 3), (2, 5), (5, 2), (1, 1), (1, 4)]:
        wanted = np.where(np.eye(*shape, dtype=bool), gain, 0).astype(dtype)
        assert Eye(gain)(shape, dtype, **EXACT).tobytes() == wanted.tobytes()
    assert (Eye()((3, 4), dtype, **EXACT) == np.eye(3, 4)).all()


def test_eye_compiled():
    """The compiled kernels of each element size place the same diagonal, also where it leaves a block midway."""
    for dtype in ("float32", "complex128"):
        assert (Eye()((33, 7), dtype) == np.eye(33, 7)).all()
        assert (Eye().shard((33, 7), (slice(1, 9), slice(2, None)), dtype) == np.eye(33, 7)[1:9, 2:]).all()
