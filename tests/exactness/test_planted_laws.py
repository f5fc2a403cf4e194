"""Planted laws by the thousand: of 1,000 tensors of 4,096 elements at most one gets a wrong name; and by the size.

Of 3,000 tensors, of which 1 in 1,000 may be wrong, 12 or more wrong ones come once in 10,000 runs (Poisson).
"""

import numpy as np
import pytest

import fanin
import planted

pytestmark = pytest.mark.slow


def law_of(array):
    return fanin.audit({"w": array})[0].law.name


@pytest.mark.parametrize("kind", planted.RANDOM)
def test_thousands_of_tensors_of_4096_elements(kind):
    """The right name 999 times of 1,000."""
    rng = np.random.Generator(np.random.SFC64([1, *kind.encode()]))
    names = [law_of(planted.RANDOM[kind](rng, 4096, np.float32)) for _ in range(3000)]

    assert sum(name != planted.name_of(kind) for name in names) < 12


@pytest.mark.parametrize("kind", [*planted.RANDOM, "constant", "arange", "sparse", "sinusoid"])
def test_ten_million_elements(kind):
    """Large tensors show more than the law: rounding to float32 must not."""
    make = planted.RANDOM.get(kind) or getattr(planted, kind)
    values = make(np.random.Generator(np.random.SFC64([2, *kind.encode()])), 10**7, np.float32)

    assert law_of(values) == planted.name_of(kind)
