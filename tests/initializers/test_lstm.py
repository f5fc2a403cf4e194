"""Biases of an LSTM: of a constant forget gate (LSTMBias), and of an input gate that is minus it (Chrono)."""

import numpy as np
import pytest

from fanin import Blocks, Chrono, FaninError, FaninTypeError, FaninValueError, LogOfUniform, LSTMBias, Registry

KEY = {"seed": 3, "name": "lstm.bias_ih_l0"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "int8"])
def test_the_forget_gate_is_a_constant(dtype):
    """Input, forget, cell, output: zeros, the constant, zeros, zeros; also of a shard, and of no units."""
    b = LSTMBias(2.0)(4 * 5, dtype)

    assert b.tolist() == [0] * 5 + [2] * 5 + [0] * 10
    assert (LSTMBias(2.0).shard(20, slice(3, 12, 2), dtype) == b[3:12:2]).all()
    assert LSTMBias()(0, dtype).shape == (0,)
    assert LSTMBias(2.0).describe(20).mean == 0.5 and LSTMBias(2.0).describe(20).std == pytest.approx(0.75**0.5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_gates(dtype):
    """Input, forget, cell, output: minus LogOfUniform's values of the same seed and name, they, zeros, zeros."""
    h = 301
    b = Chrono(784)(4 * h, dtype, **KEY)
    forget = LogOfUniform(1, 783)(h, dtype, **KEY)

    assert (b[h:2 * h] == forget).all() and (b[:h] == -forget).all() and not b[2 * h:].any()
    assert len(np.unique(forget)) > 50


def test_the_times():
    """1 + exp(forget) is uniform on (2, t_max): Kolmogorov's distance of 20000 is below 0.0138, at 1e-3; that of
    log-uniform times is not."""
    h, t_max = 20_000, 100
    times = np.sort(1 + np.exp(Chrono(t_max)(4 * h, "float64", **KEY)[h:2 * h]))

    def distance(values):
        return np.abs((values - 2) / (t_max - 2) - (np.arange(h) + 0.5) / h).max()

    assert times[0] >= 2 and times[-1] <= t_max
    assert distance(times) < 0.0138 < distance(1 + np.geomspace(1, t_max - 1, h))


@pytest.mark.parametrize("index", [slice(3, 9), slice(None, None, -5), 13, slice(39, 0, -7), slice(0, 0), slice(9, 11)])
def test_shards(index):
    """A shard is the block of the whole, also where it begins or ends within a gate."""
    whole = Chrono(50)(40, **KEY)

    assert (Chrono(50).shard(40, index, **KEY) == whole[index]).all()


def test_as_a_block():
    """In a Blocks the gates keep their relation, with words of their own."""
    b = Blocks(["zeros", Chrono(50)], sizes=[-1, 40])(50, **KEY)

    assert not b[:10].any() and (b[10:20] == -b[20:30]).all() and (b[20:30] > 0).all() and not b[30:].any()
    assert (b[10:] != Chrono(50)(40, **KEY)).any()


def test_moments():
    """The plan's mean and std are those of all four gates."""
    plan, b = Chrono(100).describe(400_000), Chrono(100)(400_000, **KEY)

    assert plan.mean == 0 and plan.std == pytest.approx(b.std(), rel=0.01)


def test_the_shortest_time():
    """t_max = 2 is no memory: all zeros; no units, no elements."""
    assert not Chrono(2)(8, **KEY).any()
    assert Chrono(5)(0, **KEY).shape == (0,)


def test_refusals_and_the_name():
    """Parameters, shapes and dtypes that are none, in one line; `chrono` takes the paper's spelling."""
    assert Registry.get("chrono", T_max=100) == Registry.get("chrono", t_max=100) == Chrono(100)
    cases = [(lambda: Chrono(1.5), "`t_max` must be >= 2"), (lambda: Chrono(float("inf")), "`t_max`"),
             (lambda: Registry.get("chrono"), "needs a value for `t_max`"),
             (lambda: LSTMBias()(10), r"`shape` must be \(4h,\).*LSTMBias \(got \(10,\)"),
             (lambda: LSTMBias(float("nan")), "`forget_bias`"),
             (lambda: Chrono(9)(10), r"`shape` must be \(4h,\).*\(10,\)"), (lambda: Chrono(9)((4, 4)), r"\(4h,\)"),
             (lambda: Chrono(9)(8, "complex64"), "must be real"), (lambda: Chrono(9)(8, "int32"), "floating")]
    for refused, message in cases:
        with pytest.raises((FaninTypeError, FaninValueError), match=message) as error:
            refused()
        assert isinstance(error.value, FaninError) and "\n" not in str(error.value)
