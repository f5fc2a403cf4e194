"""Haar-distributed matrices with orthonormal columns or rows, from Householder reflectors of Gaussian vectors.

The factor Q of a Gaussian matrix, with the diagonal of R positive, is Haar-distributed. Reflector k of that
factorization is built from a vector of m - k independent normals whatever came before it, so nothing need be
factorized: draw the vectors and multiply the reflectors (G. W. Stewart, "The efficient generation of random orthogonal
matrices", SIAM J. Numer. Anal. 17, 1980; F. Mezzadri, "How to generate random matrices from the classical compact
groups", Notices of the AMS 54, 2007).

Reflectors are multiplied a panel at a time, H_0 ... H_(b-1) = I - V T V^H with T^-1 = diag(1/tau) + striu(V^H V)
(C. Puglisi, "Modification of the Householder method based on the compact WY representation", SIAM J. Sci. Stat.
Comput. 13, 1992): 2 m n^2 - 2/3 n^3 operations in all, nearly all of them in BLAS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

PANEL = 192  # reflectors in a product, at most: fewer starve BLAS, more make the triangles T and V^H V cost
BLOCK = 64  # rows and columns that triangles are cut into
TILE = 1 << 21  # bytes of a product that wait, in cache, to be added to the matrix


def haar(rows: int, columns: int, normals: Callable[..., None], dtype: DTypeLike, gain: float = 1.0,
         row_index: NDArray[Any] | None = None, column_index: NDArray[Any] | None = None,
         out: NDArray[Any] | None = None) -> NDArray[Any]:
    """`gain` times a Haar-distributed matrix with orthonormal columns, or rows where there are fewer of them.

    For rows >= columns it is the m x n matrix Q = H_0 H_1 ... H_(n-1) D. Reflector H_k has H_k e_k D_k = x_k / |x_k|,
    where x_k is entries k to m - 1 of row k of an n x m matrix of normals, behind k zeros, and -D_k the sign (when
    complex the phase) of the first of them. A wide matrix is the transpose (not conjugated) of the tall one.

    Args:
        rows, columns: the whole shape; m is the larger of them and n the smaller.
        normals: normals(k, i, block) writes rows k and columns i (slices) of the n x m matrix of independent standard
            normals to `block`, C-contiguous and of dtype `dtype`. Their scale has no effect.
        dtype: float32, float64, complex64 or complex128, the type to compute in.
        gain: a finite real factor.
        row_index, column_index: one-dimensional arrays of nonnegative integers in any order, or None for all. Only
            those rows and columns are computed, in the memory of that block and a few panels; they agree with the
            whole to rounding.
        out: where to write, an array of the block's shape, of any dtype and strides. If it has dtype `dtype` and
            elements side by side along one axis it is worked in, and nothing else as large is allocated.
    """
    dtype = np.dtype(dtype)
    shape = (rows if row_index is None else len(row_index), columns if column_index is None else len(column_index))
    block = out if out is not None and _suits_blas(out, dtype) else np.empty(shape, dtype)
    if block.size:
        if rows >= columns:
            _fill(block, rows, columns, row_index, column_index, normals)
        else:
            _fill(block.T, columns, rows, column_index, row_index, normals)
        if gain != 1:
            block *= float(gain)
    if out is None or out is block:
        return block
    out[...] = block
    return out


def _suits_blas(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether BLAS can write to `array` itself: elements side by side along one axis, nothing overlapping."""
    (near, length), (far, _) = sorted(zip(array.strides, array.shape))
    size = dtype.itemsize
    return array.dtype == dtype and array.flags.aligned and near == size and far % size == 0 and far >= size * length


def _fill(block: NDArray[Any], m: int, n: int, row_index: NDArray[Any] | None, column_index: NDArray[Any] | None,
          normals: Callable[..., None]) -> None:
    """A block of the tall Q, by the cheaper of two ways: from unit columns, last reflector first, or from unit rows."""
    columns = np.arange(n) if column_index is None else np.asarray(column_index)
    if row_index is None and np.all(columns[1:] >= columns[:-1]):
        _from_columns(block, columns, normals)
        return
    rows = np.arange(m) if row_index is None else np.asarray(row_index)
    reflectors = int(columns.max()) + 1  # H_k leaves the columns before k alone
    chunk = max(4 * PANEL, block.size // m)  # each chunk draws the panels again, for less than 1/5 of its products
    if np.sum((columns + 1.0) * (m - columns / 2)) <= len(rows) * reflectors * (m - reflectors / 2):
        order = np.argsort(columns)
        for part in np.split(order, range(chunk, len(order), chunk)):
            slab = np.empty((m, len(part)), block.dtype)
            _from_columns(slab, columns[part], normals)
            block[:, part] = slab[rows]
    else:
        for i in range(0, len(rows), chunk):
            part = rows[i : i + chunk]
            slab = np.zeros((len(part), m), block.dtype)
            slab[np.arange(len(part)), part] = 1
            signs = _from_rows(slab, reflectors, normals)
            block[i : i + chunk] = slab[:, columns] * signs[columns]


def _from_columns(q: NDArray[Any], columns: NDArray[Any], normals: Callable[..., None]) -> None:
    """H_0 H_1 ... D e_j for each j of `columns`, which ascend, into the columns of q.

    When the panel of reflectors start .. stop - 1 has its turn, the columns from stop on are in place below row stop
    and zero above; those of the panel are unit vectors, and earlier ones untouched. So q needs no initial values.
    """
    panels = _Panels(len(q), int(columns[-1]) + 1, normals, q.dtype)
    w_store, tw_store = np.empty((2, panels.width * len(columns)), q.dtype)
    for start in reversed(panels.starts):
        v, t, signs = panels.draw(start)
        b = len(t)
        top, below = v[:, :b], v[:, b:]
        stop = start + b
        first, later = np.searchsorted(columns, [start, stop])
        unit = columns[first:later] - start
        units, active = len(unit), len(columns) - first
        w, tw = (store[: b * active].reshape(b, active) for store in (w_store, tw_store))

        np.multiply(top[:, unit].conj(), signs[unit], out=w[:, :units])
        np.matmul(below.conj(), q[stop:, later:], out=w[:, units:])
        for i in range(0, b, BLOCK):  # T is upper triangular, and so are the columns of T V^H e_j put together
            np.matmul(t[i : i + BLOCK, i:], w[i:], out=tw[i : i + BLOCK])
        panel = q[start:stop, first:]
        for i in range(0, b, BLOCK):  # V is lower triangular
            np.matmul(top[: i + BLOCK, i : i + BLOCK].T, tw[: i + BLOCK], out=panel[i : i + BLOCK])
        q[start + unit, np.arange(first, later)] += signs[unit]
        for i in range(0, units, BLOCK):
            j = min(i + BLOCK, units)
            reach = unit[j - 1] + 1
            np.matmul(below[:reach].T, tw[:reach, i:j], out=q[stop:, first + i : first + j])
        _add_product(q[stop:, later:], below.T, tw[:, units:])


def _from_rows(x: NDArray[Any], reflectors: int, normals: Callable[..., None]) -> NDArray[Any]:
    """x H_0 H_1 ... in place, for the rows of x; returns D, by which its columns remain to be multiplied."""
    panels = _Panels(x.shape[1], reflectors, normals, x.dtype)
    diagonal = np.empty(reflectors, x.dtype)
    for start in panels.starts:
        v, t, signs = panels.draw(start)
        diagonal[start : start + len(t)] = signs
        _add_product(x[:, start:], x[:, start:] @ v.T @ t, v.conj())
    return diagonal


def _add_product(target: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> None:
    """target += left @ right by tiles: numpy has no product that accumulates, and a temporary would be as large."""
    if target.strides[0] < target.strides[1]:
        target, left, right = target.T, right.T, left.T
    rows, columns = target.shape
    step = max(64, TILE // (target.itemsize * max(columns, 1)))
    product = np.empty((min(step, rows), columns), target.dtype)
    for i in range(0, rows, step):
        tile = target[i : i + step]
        tile += np.matmul(left[i : i + step], right, out=product[: len(tile)])


class _Panels:
    """Reflectors 0 .. count - 1 of vectors of length m, some at a time; all panels share one piece of memory."""

    def __init__(self, m: int, count: int, normals: Callable[..., None], dtype: np.dtype[Any]) -> None:
        self.m, self.count, self.normals, self.dtype = m, count, normals, dtype
        self.width = min(max(64, -(-count // 3)), PANEL, count)
        self.starts = range(0, count, self.width)
        self.store = np.empty(self.width * m, dtype)

    def draw(self, start: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """V^T, -T and D of the panel at `start`, without the first `start` columns of V^T, which are zero.

        v = x + sign(x_0) |x| e_0, a sum that never cancels, divided by its own first entry; 1/tau = |v|^2 / 2.
        """
        stop = min(start + self.width, self.count)
        b = stop - start
        v = self.store[: b * (self.m - start)].reshape(b, self.m - start)
        self.normals(slice(start, stop), slice(start, self.m), v)
        v[:, :b] *= np.tri(b, dtype=bool).T
        diagonal = np.einsum("ii->i", v[:, :b])  # a view
        first = diagonal.copy()
        diagonal[...] = 0
        rest = np.vecdot(v, v).real.astype(np.float64)
        first[(first == 0) & (rest == 0)] = 1  # a vector of zeros has no direction: take e_k, a reflector too
        size = np.abs(first).astype(np.float64)
        norm = np.sqrt(rest + size**2)
        signs = np.where(size == 0, 1, first / np.where(size == 0, 1, size))
        v *= (signs.conj() / (norm + size)).astype(self.dtype)[:, None]
        diagonal[...] = 1
        gram = v.conj() @ v.T
        np.einsum("ii->i", gram)[...] = norm / (norm + size)
        return v, -_invert_upper(gram), -signs.astype(self.dtype)


def _invert_upper(u: NDArray[Any]) -> NDArray[Any]:
    """The inverse of the upper triangle of u, by halves: a general inverse of 192 rows takes four times as long."""
    if len(u) <= 32:
        return np.linalg.inv(np.triu(u))
    half = len(u) // 2
    inverse = np.zeros_like(u)
    inverse[:half, :half] = first = _invert_upper(u[:half, :half])
    inverse[half:, half:] = last = _invert_upper(u[half:, half:])
    inverse[:half, half:] = -first @ u[:half, half:] @ last
    return inverse
