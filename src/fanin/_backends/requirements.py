"""What keeps this machine from CUDA, as far as that is known without numba-cuda; the backend itself knows the rest."""

from __future__ import annotations

import ctypes
import importlib.util
import sys

import numpy as np

NO_DRIVER = "an NVIDIA driver, and none was found: install one (nvidia.com/drivers)"


def missing_packages() -> list[str]:
    """What has to be installed before the CUDA backend can be imported, each with the cure."""
    lacks = []
    # numba itself holds an older target of the same name, which is not the one that was tested
    if importlib.util.find_spec("numba_cuda") is None:
        lacks.append("the package numba-cuda, which is not installed: pip install 'fanin[cuda]'")
    if tuple(map(int, np.__version__.split(".")[:2])) >= (2, 5):
        lacks.append(f"a numpy older than 2.5, with which numba-cuda breaks (this is {np.__version__}): "
                     "pip install 'numpy<2.5'")
    return lacks


def missing_driver() -> list[str]:
    """The same of NVIDIA's driver, by loading its library."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return [NO_DRIVER]
    return []
