"""The orthogonal matrices of torch's CUDA tensors, made by the same code on its CPU tensors."""

import numpy as np
import pytest
import torch

from device_matrices import BOUNDS, CASES, KEY, OnCPU, deviation
from fanin import Orthogonal
from fanin._backends.tasks import DeviceView
from fanin._drawing import matrix
from fanin._drawing.haar_device import algebra_of, torch_algebra
from fanin._plans import indexing


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("case", CASES)
def test_the_same_matrix_as_numpys(case, dtype):
    """Whole or in part, each element is numpy's within the promised bound."""
    assert deviation(case, dtype, lambda array: torch_algebra(torch, torch.from_numpy(array)),
                     lambda tensor: tensor.numpy()) < BOUNDS[dtype]


def test_memory_that_torch_rounds_into():
    """Half types are computed in float32 and rounded once, by torch's own conversion."""
    axes = indexing.whole((40, 30))
    wide, half = torch.zeros(40, 30), torch.zeros(40, 30, dtype=torch.bfloat16)
    for tensor, dtype in ((wide, "float32"), (half, "bfloat16")):
        plan = Orthogonal().describe((40, 30), dtype)
        view = DeviceView(0, (40, 30), (30 * tensor.element_size(), tensor.element_size()), plan.dtype, "cuda:0")
        matrix.write_device_matrix(plan, KEY, OnCPU(lambda made: made.numpy()), view, axes,
                                    torch_algebra(torch, tensor))
    assert torch.equal(half, wide.to(torch.bfloat16))


def test_a_block_of_a_tensor():
    """A part of a view is worked on in that part of the tensor's memory, wherever the tensor itself begins."""
    for dtype in (torch.float32, torch.bfloat16, torch.complex128):
        tensor = torch.zeros(3, 90, 40, dtype=dtype)[1, 5:65].T
        size = tensor.element_size()
        view = DeviceView(tensor.data_ptr(), tuple(tensor.shape), tuple(step * size for step in tensor.stride()),
                          np.dtype("uint8"), "cuda:0", owner=tensor)
        for part, wanted in ((view, tensor), (view.part((slice(3, 23), slice(10, 41))), tensor[3:23, 10:41])):
            array = algebra_of(part).array
            assert (array.data_ptr(), array.shape, array.stride()) == (wanted.data_ptr(), wanted.shape, wanted.stride())
            array.fill_(1)
            assert bool((wanted == 1).all()) and int(tensor.real.sum()) == wanted.numel()
            tensor.zero_()
