"""Tests for whoever has a GPU: `pytest -m gpu`. Without one they fail; they never skip for want of it.

test_bits.py needs numba-cuda alone and also runs under its simulator; the others need a device, and those of torch and
CuPy their libraries.
"""

import pytest

from fanin import FaninRuntimeError
from fanin._backends import require_cuda


@pytest.fixture(scope="session", autouse=True)
def backend():
    """The CUDA backend."""
    try:
        return require_cuda("`pytest -m gpu`")
    except FaninRuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def torch():
    import torch as library

    if not library.cuda.is_available():
        pytest.fail("this torch was built without CUDA, or does not start it", pytrace=False)
    return library


@pytest.fixture
def cupy():
    import cupy as library

    return library
