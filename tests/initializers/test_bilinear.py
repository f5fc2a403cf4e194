"""Bilinear: its weights by the definition and as an image is enlarged by them; layouts, groups, what is refused."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from fanin import Bilinear, FaninError, FaninTypeError, FaninValueError, Registry


def tent(k):
    """The weights of a kernel axis of length k, exactly: 1 - |x - (k - 1)/2|/f, f = ⌈k/2⌉."""
    f = math.ceil(k / 2)
    return [1 - abs(x - Fraction(k - 1, 2)) / f for x in range(k)]


@pytest.mark.parametrize("kernel", [(1,), (7,), (2, 3), (4, 5), (6, 1), (3, 2, 8)], ids=str)
def test_weights_are_the_definitions(kernel):
    """Each is the product of its axes' weights, correctly rounded in float64, between a channel and itself alone."""
    w = Bilinear()((3, 3, *kernel), "float64")

    for place in itertools.product(*map(range, (3, 3, *kernel))):
        exact = math.prod(tent(k)[x] for k, x in zip(kernel, place[2:], strict=True))
        assert w[place] == (float(exact) if place[0] == place[1] else 0)


@pytest.mark.parametrize("k", range(1, 12))
def test_no_checkerboard(k):
    """At a stride of ⌈k/2⌉ the weights that reach a pixel sum to 1, for every k, and the kernel is symmetric."""
    w = Bilinear()((1, 1, k), "float64")[0, 0]
    f = math.ceil(k / 2)

    assert (w == w[::-1]).all() and (w > 0).all()
    phases = [w[phase::f].sum() for phase in range(f)]
    if k == 2:  # a stride of 1: a mean of two neighbours
        assert phases == [1]
    np.testing.assert_allclose(phases, 1, rtol=0, atol=1e-15)


def test_layouts_and_groups():
    """The same weights in each order of axes; channels of their own, and groups, are blocks of the ungrouped weight."""
    w = Bilinear()((6, 6, 3, 4))
    assert (Bilinear("*oi")((3, 4, 6, 6)) == w.transpose(2, 3, 1, 0)).all()
    assert (Bilinear("o*i")((6, 3, 4, 6)) == w.transpose(1, 2, 3, 0)).all()

    apart, pairs = Bilinear()((6, 1, 3, 4)), Bilinear()((6, 2, 3, 4))
    assert all((apart[c, 0] == w[c, c]).all() for c in range(6))
    assert all((pairs[2 * g:2 * g + 2] == w[2 * g:2 * g + 2, 2 * g:2 * g + 2]).all() for g in range(3))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Bilinear("*io*"), "`layout` must"),
    (lambda: Bilinear("o*"), "`layout` must have one o, one i and a \\*"),
    (lambda: Bilinear("io"), "`layout` must have one o, one i and a \\*"),
    (lambda: Bilinear(3), "`layout` must be a string"),
    (lambda: Bilinear()((4, 4)), "one to three kernel axes"),
    (lambda: Bilinear()((4, 4, 1, 1, 1, 1)), "one to three kernel axes"),
    (lambda: Bilinear()((4, 3, 5)), "divides its in axis .*\\(got 3 and 4 in \\(4, 3, 5\\) for layout 'io\\*'\\)"),
    (lambda: Bilinear()((4, 4, 5), "complex64"), "must be real"),
    (lambda: Bilinear()((4, 4, 5), "int8"), "`dtype`"),
])
def test_refusals(make, message):
    """Each names what is wrong, in one line."""
    with pytest.raises((FaninValueError, FaninTypeError), match=message) as error:
        make()

    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


def test_names():
    """The names of other frameworks; ZerO, which is told from zeros by its letters' case alone, is refused."""
    assert Registry.get("bilinear") == Registry.get("UpsamplingDeconvFilter") == Bilinear()
    assert Registry.get("bilinear", layout="*oi") == Bilinear("*oi")
    assert Registry.get("zero") == Registry.get("Zero") == Registry.get("ZERO") == Registry.get("zeros")
    with pytest.raises(KeyError, match="'ZerO'.*Hadamard"):
        Registry.get("ZerO")
