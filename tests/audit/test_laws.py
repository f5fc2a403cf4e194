"""Planted laws get their names.

Seeds are fixed. Of 1,000 tensors of 4,096 elements or more at most one may get a wrong name, so among the few here none
should; tests/exactness/test_planted_laws.py has thousands of each. Each test of power stands beside it: what is none of
the laws is called so.
"""

import ml_dtypes
import numpy as np
import pytest

import fanin
import planted
from fanin._audit.laws import visible_cut


def law_of(array):
    """The law that audit finds."""
    return fanin.audit({"w": array})[0].law


def generator(kind, size):
    return np.random.Generator(np.random.SFC64([size, *kind.encode()]))


@pytest.mark.parametrize("size", [4096, 65536, 10**6])
@pytest.mark.parametrize("kind", planted.RANDOM)
def test_random_laws_from_4096_elements_on(kind, size):
    """Uniform, normal and normal cut at up to 3 σ are told apart."""
    for _ in range(5):
        law = law_of(planted.RANDOM[kind](generator(kind, size), size, np.float32))

        assert law.name == planted.name_of(kind)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
@pytest.mark.parametrize("kind", planted.RANDOM)
def test_rounding_to_a_narrower_type_keeps_the_law(kind, dtype):
    """A half type's number stands for all that is rounded to it."""
    values = planted.RANDOM[kind](generator(kind, 10**5), 10**5, np.float64) * 50  # float8 has no small numbers

    assert law_of(values.astype(dtype)).name == planted.name_of(kind)


@pytest.mark.parametrize("size", [64, 1024, 4096, 65536])
@pytest.mark.parametrize("kind", planted.EXACT)
def test_laws_that_follow_from_places_need_few_elements(kind, size):
    """Orthogonal, sinusoid, identity, dirac, arange and constant are known from 64 elements on."""
    assert law_of(planted.EXACT[kind](generator(kind, size), size, np.float32)).name == kind


@pytest.mark.parametrize("size", [4096, 65536, 10**6])
def test_sparse(size):
    """As many zeros in each column, and a normal law of the others."""
    law = law_of(planted.sparse(generator("sparse", size), size, np.float32))

    assert law.name == "sparse"
    assert law.parameters["sparsity"] == 0.25
    assert law.parameters["std"] == pytest.approx(0.01, rel=4 / (1.5 * size) ** 0.5)
    assert not law.note


def test_delta_orthogonal():
    """An orthogonal matrix at the centre of a kernel that is zero elsewhere."""
    law = law_of(planted.delta_orthogonal(generator("delta", 9 * 64**2), 9 * 64**2, np.float32))

    assert law.name == "delta_orthogonal" and law.parameters["gain"] == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(("kind", "size"), [(kind, size) for kind in planted.OTHERS for size in (4096, 65536, 10**6)
                                            if (kind, size) != ("logistic", 4096)])  # one in ten of so few looks normal
def test_other_laws_are_none_of_these(kind, size):
    """The power: heavy tails, two peaks and mixtures are none of the laws from 4,096 elements on."""
    assert law_of(planted.OTHERS[kind](generator(kind, size), size, np.float32)).name == "none"


@pytest.mark.parametrize("size", [64, 128, 384, 768, 1536, 3072])
@pytest.mark.parametrize("kind", [*planted.RANDOM, *planted.OTHERS])
def test_too_few_rather_than_wrong(kind, size):
    """Below 4,096 elements a law's name is right, or it is "few" or "none", or normal where no cut can show."""
    right = {planted.name_of(kind), "few", "none"}
    if kind == "truncated 3" or kind == "truncated 2.5" and size < 1000:
        right.add("normal")
    make = (planted.RANDOM | planted.OTHERS)[kind]
    names = [law_of(make(generator(kind, size + at), size, np.float32)).name for at in range(20)]

    assert [name for name in names if name not in right] == []


@pytest.mark.parametrize("size", [4096, 10**5, 10**6])
def test_a_cut_that_so_many_elements_cannot_show_is_called_normal(size):
    """Beyond the visible cut a truncated law is normal, and the note says from where on; well inside it is seen."""
    visible = visible_cut(size)
    beyond = law_of(planted.truncated(visible + 0.4)(generator("beyond", size), size, np.float32))
    inside = law_of(planted.truncated(visible - 0.4)(generator("inside", size), size, np.float32))

    assert beyond.name == "normal" and f"{visible:.3g} σ" in beyond.note
    assert inside.name == "truncated"


@pytest.mark.parametrize("size", [10**5, 10**6])
def test_a_cut_by_repeated_draws(size):
    """A few values beyond 2 σ, as Keras leaves on torch, keep the law's name; more of them, or farther out, don't.

    They are 4.3 in a million. A right tensor is refused once in 1,000,000 (a fifth of the budget for their number, one
    for the farthest).
    """
    rng = generator("redrawn", size)
    seen = []
    for _ in range(20):
        values = planted.redrawn(rng, size, np.float32)
        law = law_of(values)
        seen.append(law.note)
        assert law.name == "truncated" and law.parameters["cut"] == pytest.approx(2.0, rel=0.02)
    assert any("values beyond the cut" in note for note in seen)

    many, far = values.copy(), values.copy()
    many[:30] = 0.05
    far[0] = 0.2
    assert law_of(many).name == law_of(far).name == "none"


@pytest.mark.parametrize(("kind", "parameter", "value"), [
    ("normal", "std", 0.02), ("uniform", "high", 0.05), ("truncated 2", "std", 0.02), ("truncated 2", "cut", 2.0),
])
def test_parameters(kind, parameter, value):
    """A law's parameters are the planted ones, within a few standard errors."""
    size = 10**6
    law = law_of(planted.RANDOM[kind](generator(kind, size), size, np.float32))

    assert law.parameters[parameter] == pytest.approx(value, rel=5e-3)


def test_rows_and_columns_of_unequal_size_are_none_of_these():
    """A normal histogram isn't enough: trained weights have uneven rows, columns and spectra, which are told."""
    rng = generator("uneven", 0)
    plain = rng.standard_normal((512, 256))
    low_rank = plain + rng.standard_normal((512, 2)) @ rng.standard_normal((2, 256))
    rows = plain * (1 + 0.05 * rng.standard_normal((512, 1)))

    assert law_of(plain.astype(np.float32)).name == "normal"
    assert law_of(low_rank.astype(np.float32)).name == "none"
    uneven = law_of(rows.astype(np.float32))
    assert uneven.name == "none" and "rows" in uneven.note and "columns" in law_of(rows.T.copy()).note


def test_a_zero_row_does_not_hide_the_law():
    """An embedding with a zero padding row is normal."""
    values = planted.normal(generator("padding", 0), (1000, 64), np.float32)
    values[3] = 0.0
    found = fanin.audit({"embed.weight": values})[0]

    assert found.law.name == "normal" and found.seen.zero_rows == (3,)


@pytest.mark.parametrize("shape", [(5000,), (50, 100), (25, 50, 4)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_named(bad, shape):
    """A NaN or an infinity makes a tensor none of these, with a count, and statistics of the others."""
    values = planted.normal(generator("bad", 0), shape, np.float32)
    values.reshape(-1)[7] = bad
    result = fanin.audit({"w": values})
    row = result.to_dicts()[0]

    assert row["law"] == "none" and row["nonfinite"] == 1
    assert row["std"] == pytest.approx(0.02, rel=0.05)
    assert "1 of its values are NaN or infinite" in str(result)


@pytest.mark.parametrize("array", [np.full((3, 70), np.nan, np.float32), np.full((64, 64), 3e38, np.float32),
                                   np.eye(64) * 1e300, np.zeros((0, 3), np.float32), np.float32(2), np.ones(1),
                                   np.zeros(5, bool), np.arange(3), np.full(3, np.nan, np.float32)])
def test_small_and_empty_tensors(array):
    """No shape or dtype stops an audit, and tensors without a spread or values are never called random."""
    assert not law_of(np.asarray(array)).is_random


def test_complex_tensors_are_told_by_their_parts():
    """A complex normal law is a normal law of the parts."""
    rng = generator("complex", 0)
    values = (rng.standard_normal((100, 100)) + 1j * rng.standard_normal((100, 100))).astype(np.complex64)

    assert law_of(values).name == "normal"
