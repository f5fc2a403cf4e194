"""The orthogonal matrices of torch's CUDA tensors, made by the same code on its CPU tensors."""

import pytest
import torch

from device_matrices import BOUNDS, CASES, KEY, OnCPU, deviation
from fanin import Orthogonal, _index, _matrix
from fanin._orthogonal_device import torch_algebra
from fanin.backends._tasks import DeviceView


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("case", CASES)
def test_the_same_matrix_as_numpys(case, dtype):
    """Whole or in part, each element is numpy's within the promised bound."""
    assert deviation(case, dtype, lambda array: torch_algebra(torch, torch.from_numpy(array)),
                     lambda tensor: tensor.numpy()) < BOUNDS[dtype]


def test_memory_that_torch_rounds_into():
    """Half types are computed in float32 and rounded once, by torch's own conversion."""
    axes = _index.whole((40, 30))
    wide, half = torch.zeros(40, 30), torch.zeros(40, 30, dtype=torch.bfloat16)
    for tensor, dtype in ((wide, "float32"), (half, "bfloat16")):
        plan = Orthogonal().describe((40, 30), dtype)
        view = DeviceView(0, (40, 30), (30 * tensor.element_size(), tensor.element_size()), plan.dtype, "cuda:0")
        _matrix.write_device_matrix(plan, KEY, OnCPU(lambda made: made.numpy()), view, axes,
                                    torch_algebra(torch, tensor))
    assert torch.equal(half, wide.to(torch.bfloat16))
