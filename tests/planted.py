"""Tensors whose law is known, made by numpy and not by fanin."""

import math

import numpy as np


def square(size):
    """A shape with so many elements, near a square, each side even."""
    rows = 2 ** (int(math.log2(size)) // 2)
    return rows, size // rows


def normal(rng, size, dtype):
    return (0.02 * rng.standard_normal(size)).astype(dtype)


def uniform(rng, size, dtype):
    return rng.uniform(-0.05, 0.05, size).astype(dtype)


def truncated(cut):
    def make(rng, size, dtype):
        kept = np.empty(0)
        while len(kept) < size:
            drawn = rng.standard_normal(2 * size + 64)
            kept = np.concatenate([kept, drawn[np.abs(drawn) <= cut]])
        return (0.02 * kept[:size]).astype(dtype)

    return make


def redrawn(rng, size, dtype):
    """As Keras draws on torch: the first of four that lies inside of ±2 σ, and the first of all where none does."""
    drawn = rng.standard_normal((size, 4))
    return (0.02 * drawn[np.arange(size), (np.abs(drawn) < 2).argmax(1)]).astype(dtype)


def orthogonal(rng, size, dtype):
    rows, columns = square(size)
    q, _ = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    return (1.4 * (q if rows >= columns else q.T)).astype(dtype)


def sparse(rng, size, dtype):
    """As torch.nn.init.sparse_: the same number of zeros in each column."""
    rows, columns = square(size)
    values = 0.01 * rng.standard_normal((rows, columns))
    values[np.argsort(rng.random((rows, columns)), axis=0) < rows // 4] = 0.0
    return values.astype(dtype)


def sinusoid(rng, size, dtype):
    """Vaswani et al., 2017, with sines and cosines in turn."""
    rows, columns = square(size)
    angles = np.arange(rows)[:, None] / 10000 ** (np.arange(0, columns, 2) / columns)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(rows, -1).astype(dtype)


def identity(rng, size, dtype):
    return np.eye(*square(size), dtype=dtype)


def dirac(rng, size, dtype):
    side = max(2, int(math.sqrt(size // 9)))
    kernel = np.zeros((side, side, 3, 3), dtype)
    kernel[np.arange(side), np.arange(side), 1, 1] = 1
    return kernel


def delta_orthogonal(rng, size, dtype):
    side = max(2, int(math.sqrt(size // 9)))
    kernel = np.zeros((side, side, 3, 3), dtype)
    kernel[:, :, 1, 1] = np.linalg.qr(rng.standard_normal((side, side)))[0]
    return kernel


def arange(rng, size, dtype):
    return np.arange(size).reshape(1, -1).astype(np.int64)


def constant(rng, size, dtype):
    return np.full(size, 0.25, dtype)


RANDOM = {"uniform": uniform, "normal": normal, "truncated 1.5": truncated(1.5), "truncated 2": truncated(2.0),
          "truncated 2.5": truncated(2.5), "truncated 3": truncated(3.0), "truncated 2 redrawn": redrawn}
EXACT = {"orthogonal": orthogonal, "sinusoid": sinusoid, "identity": identity, "dirac": dirac, "arange": arange,
         "constant": constant}
OTHERS = {"laplace": lambda rng, size, dtype: rng.laplace(size=size).astype(dtype),
          "logistic": lambda rng, size, dtype: rng.logistic(size=size).astype(dtype),
          "student": lambda rng, size, dtype: rng.standard_t(4, size=size).astype(dtype),
          "two widths": lambda rng, size, dtype: (rng.standard_normal(size) *
                                                  np.where(np.arange(size) % 2, 0.02, 0.04)).astype(dtype),
          "beta": lambda rng, size, dtype: (rng.beta(0.5, 0.5, size) - 0.5).astype(dtype),
          "exponential": lambda rng, size, dtype: rng.exponential(size=size).astype(dtype)}


def name_of(kind):
    """The law's name for a planted kind."""
    return kind.split()[0]
