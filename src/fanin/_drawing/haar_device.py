"""Haar-distributed matrices with the array functions of torch or CuPy: haar.py for memory that numpy can't reach.

The same reflectors in the same panels, so that the same normals give the same matrix to rounding (see haar.py for the
method and the papers). What is written there for BLAS and one processor's cache, products into given memory, is
here the plain operators that numpy, CuPy and torch have in common: a GPU's memory is fast, and its libraries tile.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .haar import PANEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .._backends.tasks import DeviceView


class Algebra(NamedTuple):
    """An array of a library that can multiply where the array lies."""

    xp: Any  # the library: torch, cupy
    array: Any  # the array, over the memory that is to be filled
    zeros: Callable[..., Any]  # zeros(shape, dtype) on the same device
    address: Callable[[Any], int]  # of an array's element 0
    scope: Callable[[], Any]  # a context in which the library works on the array's device and stream


def algebra_of(view: DeviceView) -> Algebra | None:
    """The `Algebra` for an array in a GPU's memory: its own library's, else CuPy's where that is installed, or None."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(view.owner, torch.Tensor):
        return torch_algebra(torch, _part_of(view.owner, view))
    if importlib.util.find_spec("cupy") is None or view.dtype.name == "bfloat16":  # which CuPy does not know
        return None
    import cupy

    index = int(view.device.partition(":")[2])
    stream: Any = view.stream

    @contextlib.contextmanager
    def scope() -> Iterator[None]:
        with cupy.cuda.Device(index), cupy.cuda.ExternalStream(int(stream), index):
            yield

    with scope():
        array = cupy.asarray(_Interface(view))
    return Algebra(cupy, array, cupy.zeros, lambda made: made.data.ptr, scope)


def _part_of(tensor: Any, view: DeviceView) -> Any:
    """The part of a tensor's memory that a view of it covers: all, or a block."""
    size = tensor.element_size()
    start = tensor.storage_offset() + (view.address - tensor.data_ptr()) // size
    return tensor.detach().as_strided(view.shape, [stride // size for stride in view.strides], start)


def torch_algebra(torch: Any, tensor: Any) -> Algebra:
    def zeros(shape: Any, dtype: np.dtype[Any]) -> Any:
        return torch.zeros(shape, dtype=getattr(torch, np.dtype(dtype).name), device=tensor.device)

    return Algebra(torch, tensor.detach(), zeros, lambda made: made.data_ptr(), contextlib.nullcontext)


class _Interface:
    def __init__(self, view: DeviceView) -> None:
        self._owner = view.owner
        self.__cuda_array_interface__ = {
            "shape": view.shape, "strides": view.strides, "typestr": view.dtype.str, "data": (view.address, False),
            "version": 3, "stream": None}


def haar_columns(m: int, n: int, columns: NDArray[Any], normals: Callable[..., None], zeros: Callable[..., Any],
                 dtype: np.dtype[Any], xp: Any) -> Any:
    """The given columns (ascending numbers) of an m x n Haar-distributed matrix with orthonormal columns, m >= n.

    Args:
        normals: normals(rows, columns, block) writes that part (slices) of the n x m matrix of standard normals.
        zeros: zeros(shape, dtype) makes an array of the library `xp`.
        dtype: float32, float64, complex64 or complex128.
    """
    q = zeros((m, len(columns)), dtype)
    for start in reversed(range(0, int(columns[-1]) + 1 if len(columns) else 0, PANEL)):
        stop = min(start + PANEL, n)
        v = zeros((stop - start, m - start), dtype)
        normals(slice(start, stop), slice(start, m), v)
        t, signs = _reflectors(v, xp)
        first, later = np.searchsorted(columns, [start, stop]).tolist()
        unit = columns[first:later]
        q[xp.asarray(unit), first + xp.arange(len(unit))] = signs[xp.asarray(unit - start)]
        part = q[start:, first:]
        part -= v.T @ (t @ (v.conj() @ part))
    return q


def _reflectors(v: Any, xp: Any) -> tuple[Any, Any]:
    """Rows of normals to reflectors, in place: T and D, as `haar._Panels.draw` gives them but for T's sign."""
    b = len(v)
    i = xp.arange(b)
    v[:, :b] = xp.triu(v[:, :b])
    norm = xp.sqrt((v * v.conj()).real.sum(axis=1, dtype=xp.float64))
    v[i, i] = xp.where(norm == 0, xp.ones_like(v[i, i]), v[i, i])  # a vector of zeros has no direction: take e_k
    norm = xp.where(norm == 0, xp.ones_like(norm), norm)
    size = xp.asarray(abs(v[i, i]), dtype=xp.float64)
    signs = xp.where(size == 0, xp.ones_like(size), v[i, i] / xp.where(size == 0, xp.ones_like(size), size))
    v *= xp.asarray(signs.conj() / (norm + size), dtype=v.dtype)[:, None]
    v[i, i] = xp.ones_like(v[i, i])
    gram = v.conj() @ v.T
    gram[i, i] = xp.asarray(norm / (norm + size), dtype=v.dtype)
    return xp.linalg.inv(xp.triu(gram)), -xp.asarray(signs, dtype=v.dtype)
