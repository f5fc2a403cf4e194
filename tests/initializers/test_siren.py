"""Siren and SirenFirst: their bounds in every layout, and a network whose sines keep their variance through depth."""

import math

import numpy as np
import pytest

from fanin import FaninTypeError, FaninValueError, Registry, Siren, SirenFirst

PLACES = 2_000


def entering(width, depth, omega, hidden):
    """The variance of what enters each layer's sine, in a SIREN of one coordinate whose hidden weights are given."""
    x = np.linspace(-1, 1, PLACES)[None, :]
    x = np.sin(omega * SirenFirst()((width, 1), "float64", seed=0, name="first") @ x)
    found = []
    for layer in range(depth):
        x = omega * hidden((width, width), "float64", seed=0, name=f"hidden.{layer}") @ x
        found.append(x.var())
        x = np.sin(x)
    return found


def test_variance_through_depth():
    """E sin² of N(0, v) is (1 - exp(-2v))/2, so v becomes 1 - exp(-2v): 0.797 from the third hidden layer on, within 5
    of the 0.016 that it varies by. An omega of 27 in weights for 30, and he_uniform, are found to be off."""
    def settles(hidden):
        return all(abs(variance - 0.797) < 0.08 for variance in entering(512, 8, 30.0, hidden)[2:])

    assert settles(Siren())
    assert not settles(Siren(27.0)) and not settles(Registry.get("he_uniform"))


@pytest.mark.parametrize(("layout", "shape"), [("oi*", (64, 6, 5, 5)), ("*io", (5, 5, 6, 64)), ("o*i", (64, 5, 5, 6))])
def test_bounds(layout, shape):
    """|w| < bound for fan_in = 150 in each layout, and the largest of 9,600 comes within 1 % of it."""
    for scheme, bound in [(Siren(layout=layout), math.sqrt(6 / 150) / 30), (SirenFirst(layout), 1 / 150)]:
        w = scheme(shape, "float64", seed=0, name="w")
        assert 0.99 * bound < abs(w).max() <= bound
        assert scheme.describe(shape).std == pytest.approx(bound / math.sqrt(3))
        assert scheme.describe(shape).fan_in == 150


def test_names_and_errors():
    """The presets, other spellings of omega, and what is refused."""
    assert Registry.get("siren", w0=10) == Registry.get("siren_hidden", omega_0=10.0) == Siren(10.0)
    assert Registry.get("siren_first", layout="*io") == SirenFirst("*io")
    for wrong in (0, -1.0, math.inf):
        with pytest.raises(FaninValueError, match="`omega`"):
            Siren(wrong)
    with pytest.raises(FaninTypeError, match="`omega`"):
        Siren("30")
    with pytest.raises(FaninValueError, match="2 dimensions"):
        SirenFirst()(5)
