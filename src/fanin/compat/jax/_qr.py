"""The orthogonal factor of a float32 matrix, as fast as BLAS allows: numpy's own factorization computes in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..._types import Array

PANEL = 48  # columns factorized at a time, in float64
SMALL = 128  # columns below which LAPACK on the whole is faster


def orthogonal_factor(a: Array) -> Array:
    """Q of a = QR with the diagonal of R positive, for a float32 matrix with rows >= columns, which is overwritten.

    Householder's reflections in panels: H_0 … H_(b-1) = I - V T V^T with T^-1 = diag(1/tau) + striu(V^T V) (C. Puglisi,
    SIAM J. Sci. Stat. Comput. 13, 1992). The products, nearly all of the work, are float32's, as in JAX.
    """
    columns = a.shape[1]
    if columns < SMALL:
        q, r = np.linalg.qr(a)
        return q * np.sign(np.diagonal(r))
    panels, product = [], np.empty(a.size, np.float32)
    for k in range(0, columns, PANEL):
        v, t, signs = _panel(a[k:, k:k + PANEL])
        _reflect(a[k:, k + PANEL:], v, t.T, product)
        panels.append((k, v, t, signs))
    q = a
    q[...] = 0
    np.fill_diagonal(q, 1)
    for k, v, t, _ in reversed(panels):
        _reflect(q[k:, k:], v, t, product)
    q *= np.concatenate([signs for _, _, _, signs in panels])
    return q


def _reflect(a: Array, v: Array, t: Array, product: Array) -> None:
    """a - V T V^T a in place; `product` is reused, because new memory costs a page fault for each 4 KiB."""
    inner = t @ (v.T @ a)
    a -= np.matmul(v, inner, out=product[:a.size].reshape(a.shape))


def _panel(a: Array) -> tuple[Array, Array, Array]:
    """V, T and the signs of R's diagonal, of the panel's factorization."""
    h, tau = np.linalg.qr(a, mode="raw")
    v = np.tril(h.T, -1)
    np.fill_diagonal(v, 1)
    # (diag(1/tau) + S)^-1 in a form that allows tau = 0, of a reflection that changes nothing
    t = np.linalg.solve(np.eye(len(tau)) + tau[:, None] * np.triu(v.T @ v, 1), np.diag(tau))
    return v.astype(np.float32), t.astype(np.float32), np.sign(np.diagonal(h)).astype(np.float32)
