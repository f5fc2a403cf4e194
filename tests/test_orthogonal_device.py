"""The orthogonal matrices of a GPU's libraries, with numpy in their place: its operators are CuPy's."""

import contextlib

import numpy as np
import pytest

from device_matrices import BOUNDS, CASES, deviation
from fanin._drawing.haar_device import Algebra, haar_columns


def algebra(array):
    return Algebra(np, array, np.zeros, lambda made: made.ctypes.data, contextlib.nullcontext)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("case", CASES)
def test_the_same_matrix_as_on_the_cpu(case, dtype):
    """Whole or in part, each element is the CPU's within the promised bound."""
    assert deviation(case, dtype, algebra, lambda array: array) < BOUNDS[dtype]


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_vectors_without_a_direction(dtype):
    """Normals that are all zero still give a matrix with orthonormal columns."""
    q = haar_columns(5, 3, np.arange(3), lambda rows, columns, block: block.fill(0), np.zeros, dtype, np)
    np.testing.assert_allclose(q.conj().T @ q, np.eye(3), rtol=0, atol=1e-15)
