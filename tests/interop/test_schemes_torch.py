"""Schemes that have no random numbers, next to torch's own."""

import numpy as np
import pytest
import torch

from fanin import Dirac, Eye


@pytest.mark.parametrize(("shape", "groups"), [
    ((4, 4, 3), 1), ((6, 2, 4, 3), 3), ((2, 5, 3, 3), 1), ((5, 2, 3, 3, 3), 1), ((4, 6, 2, 3, 4), 2),
    ((6, 1, 3, 3), 6)])
def test_dirac_is_torchs(shape, groups):
    """The same ones as torch.nn.init.dirac_ puts, in 3, 4 and 5 dimensions, in groups, for even kernels too."""
    expected = torch.nn.init.dirac_(torch.empty(shape), groups)

    np.testing.assert_array_equal(Dirac(groups)(shape), expected.numpy())


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)])
def test_eye_is_torchs(shape):
    """The same rectangular identity as torch.nn.init.eye_."""
    np.testing.assert_array_equal(Eye()(shape), torch.nn.init.eye_(torch.empty(shape)).numpy())
