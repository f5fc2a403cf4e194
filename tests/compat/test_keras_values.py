"""fanin.compat.keras without Keras: laws, fans, seeds and Fourier kernels."""

import math
import random
import threading

import numpy as np
import pytest
import scipy.signal

import fanin
from fanin import FaninError, Stream, TruncatedNormal, VarianceScaling
from keras_api import RANDOM, without_keras

N = 1000
CUT = 0.8796256610342398  # the std of a standard normal within ±2


@pytest.fixture(scope="module")
def initializers():
    with without_keras() as module:
        yield module


# (class, arguments) -> (mean, std, bound or None) of a (1000, 1000) matrix, exactly
LAWS = [
    ("RandomUniform", {}, 0.0, 0.1 / math.sqrt(12), 0.05),
    ("RandomUniform", {"minval": 1.0, "maxval": 3.0}, 2.0, 2 / math.sqrt(12), 1.0),
    ("RandomNormal", {}, 0.0, 0.05, None),
    ("RandomNormal", {"mean": 2.0, "stddev": 3.0}, 2.0, 3.0, None),
    ("TruncatedNormal", {}, 0.0, 0.05 * CUT, 0.1),
    ("TruncatedNormal", {"mean": 1.0, "stddev": 2.0}, 1.0, 2 * CUT, 4.0),
    ("VarianceScaling", {}, 0.0, math.sqrt(1 / N), 2 * math.sqrt(1 / N) / CUT),
    ("VarianceScaling", {"scale": 0.3, "mode": "fan_avg", "distribution": "uniform"}, 0.0, math.sqrt(0.3 / N),
     math.sqrt(3 * 0.3 / N)),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}, 0.0,
     math.sqrt(3 / N), None),
    ("GlorotUniform", {}, 0.0, math.sqrt(1 / N), math.sqrt(3 / N)),
    ("GlorotNormal", {}, 0.0, math.sqrt(1 / N), 2 * math.sqrt(1 / N) / CUT),
    ("LecunUniform", {}, 0.0, math.sqrt(1 / N), math.sqrt(3 / N)),
    ("LecunNormal", {}, 0.0, math.sqrt(1 / N), 2 * math.sqrt(1 / N) / CUT),
    ("HeUniform", {}, 0.0, math.sqrt(2 / N), math.sqrt(6 / N)),
    ("HeNormal", {}, 0.0, math.sqrt(2 / N), 2 * math.sqrt(2 / N) / CUT),
    ("Orthogonal", {"gain": 2.0}, 0.0, 2 / math.sqrt(N), None),
]


def within_5_sigma(x, mean, std):
    """Mean and variance of independent values are within 5 of their standard errors, which the values give."""
    square = (x - mean) ** 2
    return (abs(x.mean() - mean) <= 5 * std / math.sqrt(x.size)
            and abs(square.mean() - std**2) <= 5 * square.std() / math.sqrt(x.size))


@pytest.mark.parametrize(("name", "arguments", "mean", "std", "bound"), LAWS)
def test_law(initializers, name, arguments, mean, std, bound):
    """At n = 1e6: mean and std within 5 sigma of the exact ones, all values within the bound and some near it.

    False alarms: 1e-6 a case for the moments. A value within 1e-3 of the bound is missing with probability e^-50 or
    less. The assertion rejects values that are 1 % too large.
    """
    drawn = getattr(initializers, name)(**arguments, seed=11)((N, N)).astype(np.float64)

    assert within_5_sigma(drawn, mean, std)
    assert not within_5_sigma(mean + 1.01 * (drawn - mean), mean, std)
    if bound is not None:
        farthest = abs(drawn - mean).max()
        assert bound * (1 - 1e-3) <= farthest <= np.nextafter(np.float32(bound), np.float32(np.inf))


@pytest.mark.parametrize(("shape", "flat"), [((64, 48), (64, 48)), ((3, 3, 8, 16), (72, 16)), ((2, 3, 100), (6, 100))])
def test_orthogonal_flattens_all_axes_but_the_last(initializers, shape, flat):
    """The smaller side of the (rest, last) matrix is orthonormal times gain."""
    q = initializers.Orthogonal(gain=3.0, seed=1)(shape).astype(np.float64).reshape(flat)
    gram = q @ q.T if flat[0] < flat[1] else q.T @ q

    assert np.abs(gram - 9 * np.eye(min(flat))).max() < 1e-4


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), [
    ((), 1, 1), ((7,), 7, 7), ((5, 9), 5, 9), ((3, 4, 5), 12, 15), ((3, 3, 8, 16), 72, 144),
    ((2, 3, 4, 5, 6), 120, 144),
])
def test_fans(initializers, shape, fan_in, fan_out):
    """The last two axes are in and out, the others a kernel; a vector has its length twice, a scalar 1."""
    for mode, n in [("fan_in", fan_in), ("fan_out", fan_out), ("fan_avg", (fan_in + fan_out) / 2)]:
        drawn = initializers.VarianceScaling(2.0, mode, "untruncated_normal", seed=5)(shape)
        same = VarianceScaling(2.0, "fan_in", "normal", fan_in=n, fan_out=n)(shape, seed=5)

        assert np.array_equal(drawn, same)


@pytest.mark.parametrize(("axes", "fan_in", "fan_out"), [
    (([2], [3]), 8, 16), (([0, 1], [-1]), 9, 16), (([], [3]), 1, 16),
    ((None, [3]), 72, 144), (([2], None), 72, 144),  # one alone does nothing, as in Keras
])
def test_fans_of_named_axes(initializers, axes, fan_in, fan_out):
    """input_axes and output_axes multiply those axes alone, without the receptive field."""
    drawn = initializers.HeUniform(5, *axes)((3, 3, 8, 16))
    averaged = initializers.GlorotNormal(5, *axes)((3, 3, 8, 16))

    given = {"fan_in": fan_in, "fan_out": fan_out}
    assert np.array_equal(drawn, VarianceScaling(2.0, "fan_in", "uniform", **given)((3, 3, 8, 16), seed=5))
    assert np.array_equal(averaged, VarianceScaling(1.0, "fan_avg", **given)((3, 3, 8, 16), seed=5))


def test_values_are_the_schemes(initializers):
    """A seed gives the words of fanin's own draw with that seed, in every dtype."""
    for dtype in ("float16", "bfloat16", "float32", "float64", "complex64"):
        expected = TruncatedNormal(0.0, 0.05)((33, 5), dtype, seed=2**40)
        assert initializers.TruncatedNormal(seed=2**40)((33, 5), dtype).tobytes() == expected.tobytes()


# -- seeds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANDOM)
def test_int_and_none_repeat(initializers, name):
    """An int or no seed gives the same values in each call, as in Keras; without seeds, two instances differ."""
    cls = getattr(initializers, name)
    seeded, unseeded = cls(seed=1), cls()

    assert np.array_equal(seeded((4, 4)), cls(seed=1)((4, 4)))
    assert np.array_equal(seeded((4, 4)), seeded((4, 4)))
    assert np.array_equal(unseeded((4, 4)), unseeded((4, 4)))
    assert not np.array_equal(unseeded((4, 4)), cls()((4, 4)))
    assert not np.array_equal(unseeded((4, 4)), unseeded.clone()((4, 4)))
    assert not np.array_equal(seeded((4, 4)), cls(seed=2)((4, 4)))


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_generator_and_a_stream_advance(initializers, name):
    """Each call draws other values, those of a fanin Stream; the first are those of the int seed."""
    cls = getattr(initializers, name)
    by_generator, by_stream = cls(seed=initializers.SeedGenerator(9)), cls(seed=Stream(9))
    first, second = by_generator((4, 4)), by_generator((4, 4))

    assert np.array_equal(first, by_stream((4, 4)))
    assert np.array_equal(second, by_stream((4, 4)))
    assert np.array_equal(first, cls(seed=9)((4, 4)))
    assert not np.array_equal(first, second)


def test_two_initializers_share_a_seed_generator(initializers):
    """The generator advances, whoever uses it."""
    generator = initializers.SeedGenerator(9)
    a, b = initializers.RandomNormal(seed=generator), initializers.RandomNormal(seed=generator)

    assert not np.array_equal(a((8,)), b((8,)))
    assert generator.next().tolist() == [9, 2]


def test_a_refused_call_takes_no_seed(initializers):
    """After an error, a SeedGenerator and a Stream are where they were."""
    for seed in (initializers.SeedGenerator(9), Stream(9)):
        initializer = initializers.Orthogonal(seed=seed)
        for shape, dtype in [((3,), None), ((3, 3), "int32"), ((3, -1), None)]:
            with pytest.raises(FaninError):
                initializer(shape, dtype)

        assert np.array_equal(initializer((3, 3)), initializers.Orthogonal(seed=9)((3, 3)))


def test_none_is_drawn_from_the_default_stream(initializers):
    """Without Keras, `fanin.seed` repeats unseeded initializers, and Python's `random` isn't touched."""
    state = random.getstate()
    fanin.seed(4)
    first = [initializers.HeNormal()((4, 4)) for _ in range(3)]
    fanin.seed(4)
    again = [initializers.HeNormal()((4, 4)) for _ in range(3)]

    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert random.getstate() == state


@pytest.mark.parametrize("seed", ["a", 1.5, -1, 2**64, True, [1], {"class_name": "Other", "config": {}}, {"seed": 1}])
def test_refused_seeds(initializers, seed):
    """What is neither an int in [0, 2**64), a SeedGenerator, a Stream nor None is a ValueError, as in Keras."""
    with pytest.raises(ValueError, match="`seed`"):
        initializers.RandomNormal(seed=seed)


def test_seed_generator(initializers):
    """State, config and steps are those of keras.random.SeedGenerator."""
    generator = initializers.SeedGenerator(7, name="mine")

    assert generator.get_config() == {"seed": 7, "name": "mine"}
    assert [generator.next().tolist() for _ in range(3)] == [[7, 0], [7, 1], [7, 2]]
    assert generator.next(ordered=False).tolist() == [7, 3]
    assert generator.state.tolist() == [8 * 5387 % 933199, 4 * 5387 % 933199]
    again = initializers.SeedGenerator.from_config(generator.get_config())
    assert again.next().tolist() == [7, 0]
    assert initializers.SeedGenerator(3).name != initializers.SeedGenerator(3).name
    unseeded = initializers.SeedGenerator()
    assert unseeded.get_config()["seed"] is None
    assert unseeded.state[0] != initializers.SeedGenerator().state[0]


@pytest.mark.parametrize("seed", ["a", -1, 2**32, 1.0, True])
def test_seed_generator_refuses(initializers, seed):
    """Its state holds 32 bits."""
    with pytest.raises(ValueError, match="`seed` must be an int in"):
        initializers.SeedGenerator(seed)


def test_a_seed_generator_gives_each_thread_its_own_positions(initializers):
    """No position is taken twice when threads draw at once."""
    generator, taken = initializers.SeedGenerator(1), []
    threads = [threading.Thread(target=lambda: taken.extend(generator.next()[1] for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == list(range(2000))


# -- parameters ----------------------------------------------------------------------------------------------------


def test_scalars_of_numpy_are_numbers(initializers):
    """A scalar array is taken for its number, and the config holds that."""
    made = initializers.RandomNormal(mean=np.float32(0.5), stddev=np.array(2.0), seed=1)

    assert made.get_config() == {"mean": 0.5, "stddev": 2.0, "seed": 1}
    assert type(made.mean) is float


def test_changed_attributes_count(initializers):
    """As in Keras, an initializer draws with the attributes that it has when it is called."""
    made = initializers.RandomNormal(stddev=1.0, seed=1)
    before = made((100,))
    made.stddev = 3.0

    assert np.array_equal(made((100,)), initializers.RandomNormal(stddev=3.0, seed=1)((100,)))
    assert not np.array_equal(made((100,)), before)


@pytest.mark.parametrize("dtype", [float, "float32", np.float32, np.dtype("float32"), None])
def test_dtypes_as_keras_reads_them(initializers, dtype):
    """Python's float is float32."""
    assert initializers.Zeros()((2,), dtype).dtype == np.float32


@pytest.mark.parametrize(("value", "dtype", "drawn"), [
    (2.7, "int32", 2), (-2.7, "int8", -2), (2.7, "bool", True), (0, "bool", False), (1e30, "bfloat16", None),
    (True, "float32", 1.0), (1 + 2j, "complex64", 1 + 2j), (float("-inf"), "float16", float("-inf")),
])
def test_constants_are_cast_as_in_keras(initializers, value, dtype, drawn):
    """Integers lose fractions toward zero, bool says whether a number is not 0."""
    result = initializers.Constant(value)((2,), dtype)

    assert (result == (result.dtype.type(value) if drawn is None else drawn)).all()


@pytest.mark.parametrize(("value", "dtype"), [(1e39, "float32"), (300, "uint8"), (1j, "float32"), (np.nan, "int32")])
def test_constants_that_a_dtype_cannot_hold(initializers, value, dtype):
    """Where Keras writes an infinity, wraps around or drops a part, a ValueError says so."""
    with pytest.raises(ValueError, match="`value` must be"):
        initializers.Constant(value)((2,), dtype)


def test_an_array_as_constant_keeps_the_shape_asked_for(initializers):
    """An array broadcasts to the shape or is refused; Keras returns the array's shape."""
    assert np.array_equal(initializers.Constant([[1], [2]])((2, 2), "int64"), [[1, 1], [2, 2]])
    with pytest.raises(ValueError, match="broadcast"):
        initializers.Constant([1.0, 2.0, 3.0])((2, 1))


def test_identity_keeps_its_dtype(initializers):
    """An integer identity is of integers; in Keras it is of floats."""
    assert np.array_equal(initializers.Identity(3)((2, 3), "int32"), [[3, 0, 0], [0, 3, 0]])
    assert initializers.Identity(3)((2, 3), "int32").dtype == np.int32
    assert initializers.Identity()((2, 2), "bool").tolist() == [[True, False], [False, True]]


# -- STFT ----------------------------------------------------------------------------------------------------------


def exact_kernel(frames, bins, side, window, scaling):
    """Keras' formula in float64 with the phase reduced in integers."""
    t, f = np.arange(frames)[:, None], np.arange(bins)[None, :]
    period = 2 * (bins - 1)
    angle = -2 * np.pi * (t * f % period) / period
    kernel = np.cos(angle) if side == "real" else np.sin(angle)
    if window is not None:
        norm = {"density": np.sqrt((window**2).sum()), "spectrum": np.abs(window).sum(), None: 1.0}[scaling]
        kernel = kernel * window[:, None] / norm
    return kernel[:, None, :]


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "nuttall", "blackmanharris", "flattop", "boxcar",
                                    "cosine", "bartlett", None])
@pytest.mark.parametrize("periodic", [False, True])
def test_stft_windows_are_scipys(initializers, window, periodic):
    """Every window is scipy's of this name, those that need no scipy too."""
    weights = None if window is None else scipy.signal.get_window(window, 20, fftbins=periodic)
    for side in ("real", "imag"):
        for scaling in ("density", "spectrum", None):
            made = initializers.STFT(side, window, scaling, periodic)
            expected = exact_kernel(20, 17, side, weights, scaling)

            assert np.abs(made((20, 1, 17), "float64") - expected).max() < 1e-14
            assert np.array_equal(made((20, 1, 17)), made((20, 1, 17), "float64").astype(np.float32))


def test_stft_computes_a_spectrum(initializers):
    """The two kernels, multiplied with a frame, are the parts of its windowed Fourier transform."""
    frame = np.random.default_rng(0).normal(size=400)
    real, imag = (np.einsum("t,tcf->f", frame, initializers.STFT(side, "hann", "spectrum", True)((400, 1, 257), float))
                  for side in ("real", "imag"))
    window = scipy.signal.get_window("hann", 400)

    assert np.abs(real + 1j * imag - np.fft.rfft(frame * window / window.sum(), 512)).max() < 1e-6


def test_stft_of_a_long_frame_is_exact(initializers):
    """float32 is off by half an ulp, where Keras multiplies phases in float32 and is off by 1e-4."""
    expected = exact_kernel(2048, 1025, "real", None, None)

    assert np.abs(initializers.STFT("real", None, None)((2048, 1, 1025)) - expected).max() < 2.0**-24


@pytest.mark.parametrize("shape", [(0, 1, 5), (5, 1, 0), (1, 1, 5), (5, 1, 1)])
def test_stft_of_small_shapes(initializers, shape):
    """No frame, no bin, a frame of one sample and a single bin work; Keras gives NaN for the last."""
    kernel = initializers.STFT()(shape)

    assert kernel.shape == shape
    assert np.isfinite(kernel).all()


def test_stft_refuses(initializers):
    """A window of zeros can't be scaled (NaN in Keras), channels and dtypes are checked, a window is a vector."""
    with pytest.raises(ValueError, match="`window` must not be zero everywhere"):
        initializers.STFT()((2, 1, 5))
    assert np.array_equal(initializers.STFT(scaling=None)((2, 1, 5)), np.zeros((2, 1, 5)))
    with pytest.raises(ValueError, match="`shape` must be"):
        initializers.STFT()((8, 2, 5))
    for dtype in ("int32", "complex64"):
        with pytest.raises(ValueError, match="`dtype` must be a floating-point type"):
            initializers.STFT()((8, 1, 5), dtype)
    for window in ([[1.0]], [float("nan")]):
        with pytest.raises(ValueError, match="`window` must be a list of finite numbers"):
            initializers.STFT(window=window)
    with pytest.raises(TypeError, match="`window` must be a name"):
        initializers.STFT(window=object())
    with pytest.raises(TypeError, match="`periodic` must be"):
        initializers.STFT(periodic="no")


def test_stft_without_scipy(initializers, monkeypatch):
    """The windows of the docstring need no scipy; another one says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "scipy.signal", None)

    assert initializers.STFT(window="hamming")((8, 1, 5)).shape == (8, 1, 5)
    with pytest.raises(RuntimeError, match="needs scipy, which is not installed: pip install scipy"):
        initializers.STFT(window="bartlett")
