"""What names mean, in words: every one has a meaning, formulas hold the law's numbers, and pictures its form."""

import re

import numpy as np
import pytest

from fanin import Constant, Normal, Orthogonal, Registry, Sinusoidal, TruncatedNormal, Uniform
from fanin._catalogue import catalogue, entry, formula, histogram


@pytest.mark.parametrize("profile", [None, *Registry.profiles()])
def test_every_name_has_a_meaning(profile):
    """In general and in each framework: no name without words, and no message of an error in their place."""
    (grid,) = catalogue(profile).grids

    assert [row[0] for row in grid.rows] == Registry.names(profile)
    for row in grid.rows:
        assert row[1] and "pass " not in row[1], row


@pytest.mark.parametrize("name", [f"{family}_{law}" for family in ("he", "glorot", "lecun", "kaiming", "xavier")
                                  for law in ("normal", "uniform")])
def test_formulas_have_the_laws_numbers(name):
    """Read as arithmetic, the variance or the bound of a formula is what is drawn."""
    scheme = Registry.get(name)
    plan = scheme.describe((300, 200))
    kind, number = re.match(r"(U\(±√|N\(0, )\(?(.*?/(?:\([^)]*\)|\w+))", formula(scheme)).groups()

    value = eval(number, {"fan_in": 200, "fan_out": 300})

    variance = value / 3 if kind.startswith("U") else value
    assert plan.std == pytest.approx(variance**0.5, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (-1.0, 2.0), (-5.0, 5.0), (0.0, np.inf), (5.0, 6.0), (1.0, 1.001)])
def test_a_plan_says_what_is_drawn_not_how(bounds, dtype):
    """Each interval has its way of computing; all of them are one distribution to those who read a plan."""
    plan = TruncatedNormal(0.0, 0.02, *bounds).describe((3, 4), dtype)

    assert plan.distribution == "truncated normal" and "distribution=truncated normal," in repr(plan)


@pytest.mark.parametrize(("scheme", "dtype", "words"), [
    (Uniform(), "float32", "uniform"), (Uniform(-1.0, 3.0), "float32", "uniform"),
    (Uniform(), "complex64", "uniform in a disk"), (Normal(), "complex64", "complex normal"),
    (TruncatedNormal(), "complex128", "truncated complex normal"), (Constant(1j), "complex128", "constant"),
    (Constant([1.0, 2.0, 3.0, 4.0]), "float32", "fixed values"), (Sinusoidal(), "float32", "fixed values"),
    (Orthogonal(), "float32", "orthogonal"),
])
def test_the_words_for_what_is_drawn(scheme, dtype, words):
    """Real and complex, random and not: a plan says it in words."""
    assert scheme.describe((3, 4), dtype).distribution == words


def test_show_has_the_words_for_what_is_drawn():
    """`fanin show` with a shape has a plan's words."""
    drawn = entry("he_normal", None, Registry.get("he_normal"), (512, 256)).grids[1]

    assert dict(drawn.rows)["distribution"] == "truncated normal"


def test_pictures():
    """As many lines of one bar each; flat for a uniform law, in the middle for a normal one, none for constants."""
    flat = [line.count("█") for line in entry("uniform", None, Registry.get("uniform"), None).notes]
    hill = [line.count("█") for line in entry("normal", None, Registry.get("normal"), (512, 512, 9)).notes]

    assert min(flat) >= 39 and len(flat) == 11
    assert hill[5] == 40 and max(hill[0], hill[-1]) < 3
    assert histogram(np.ones(50)) == []
    assert entry("dirac", None, Registry.get("dirac"), None).notes == ()
