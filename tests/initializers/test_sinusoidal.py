"""Sinusoidal: the tables of the papers and frameworks that have one, at any position, and what is refused."""

import mpmath
import numpy as np
import pytest

from fanin import Blocks, FaninError, Registry, Sinusoidal

DTYPES = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}  # half an ulp below 1


def paper(positions, channels):
    """Vaswani et al., section 3.5: PE(p, 2j) = sin(p/10000^(2j/d)), PE(p, 2j + 1) = cos(p/10000^(2j/d))."""
    table = np.zeros((positions, channels))
    for j in range(0, channels, 2):
        angles = np.arange(positions) / 10000 ** (j / channels)
        table[:, j] = np.sin(angles)
        table[:, j + 1:j + 2] = np.cos(angles)[:, None][:, :channels - j - 1]
    return table


def tensor2tensor(positions, channels, largest=1e4):
    """Its get_timing_signal_1d, in float64: a geometric progression with both ends, sines, then cosines, then zeros."""
    count = channels // 2
    rates = np.exp(np.arange(count) * -(np.log(largest) / max(count - 1, 1)))
    angles = np.arange(positions)[:, None] * rates
    return np.pad(np.concatenate([np.sin(angles), np.cos(angles)], axis=1), [(0, 0), (0, channels % 2)])


TABLES = {
    "paper": (Sinusoidal(), paper),
    "tensor2tensor": (Sinusoidal(halves=True, endpoint=True), tensor2tensor),
    "tensor2tensor, 500": (Sinusoidal(500.0, halves=True, endpoint=True), lambda p, d: tensor2tensor(p, d, 500.0)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 2), (64, 16), (3000, 10), (9, 7), (4, 1), (7, 3)], ids=str)
@pytest.mark.parametrize("table", TABLES)
def test_published_tables(table, shape, dtype):
    """Within the documented error of the formula in float64, and half an ulp."""
    scheme, formula = TABLES[table]

    error = np.abs(scheme(shape, dtype).astype(np.float64) - formula(*shape))

    # the formula's own powers and angles are off as much
    allowed = 1e-15 + np.arange(shape[0]) * 4e-15
    assert (error <= 2 * allowed[:, None] + DTYPES[dtype]).all()


def test_far_positions():
    """At position 2**40, within the documented error of the exact angle, which float32 could not hold."""
    position = 2**40
    row = Sinusoidal(halves=True).shard((position + 1, 2), position, "float64")

    with mpmath.workdps(40):
        exact = [float(mpmath.sin(position)), float(mpmath.cos(position))]
    assert row == pytest.approx(exact, abs=position * 4e-15)


def test_leading_axes_repeat_the_table():
    """(1, positions, channels), as vision models have it, and any batch."""
    table = Sinusoidal()((6, 8))
    assert (Sinusoidal()((1, 6, 8))[0] == table).all()
    assert (Sinusoidal()((2, 3, 6, 8)) == table).all()


def test_a_padding_row_as_fairseq_has_it():
    """Blocks are tensors of their own: a row of zeros, and positions from 0 after it."""
    table = Blocks(["zeros", "whisper_sinusoids"], sizes=[1, -1])((6, 8))
    assert (table[0] == 0).all()
    assert (table[1:] == Sinusoidal(halves=True, endpoint=True)((5, 8))).all()


def test_presets():
    """The paper's table by the plain name, the others' by Whisper's; `base` is what RoPE calls the timescale."""
    assert Registry.get("sinusoidal") == Registry.get("sinusoidal_positions") == Sinusoidal()
    assert Registry.get("whisper_sinusoids", base=500) == Sinusoidal(500.0, halves=True, endpoint=True)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Sinusoidal(0), r"`max_timescale` must be > 0 \(got 0\)"),
    (lambda: Sinusoidal(float("inf")), "`max_timescale` must be finite"),
    (lambda: Sinusoidal(halves="yes"), "`halves` must be True or False"),
    (lambda: Sinusoidal()(5), "`shape` must have at least 2 dimensions for Sinusoidal"),
    (lambda: Sinusoidal()((5, 4), "complex64"), "`dtype` must be real for Sinusoidal"),
    (lambda: Sinusoidal()((5, 4), "int32"), "`dtype` must be a floating-point"),
])
def test_refused(make, message):
    """What is no such table is an error that names the parameter."""
    with pytest.raises(FaninError, match=message):
        make()
