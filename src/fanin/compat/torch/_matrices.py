"""Laws of whole matrices: orthogonal ones, and sparse ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._shared.errors import TorchTypeError
from ._laws import Normal

if TYPE_CHECKING:
    from ..._types import Array
    from ._state import State

BATCH = 2**22  # row numbers that are permuted at a time


class Orthogonal(NamedTuple):
    """gain·Q of the QR decomposition of a normal matrix, the signs those that make R's diagonal positive."""

    gain: float

    def check(self, dtype: np.dtype[Any]) -> None:
        """Refuse what torch fails at."""
        if dtype.itemsize == 2:
            raise TorchTypeError("`tensor` must be of float32 or float64 for orthogonal_ under a fanin.compat.torch."
                                 f"Generator, as in torch (got {dtype.name}): fill one of float32 and cast it")

    def write(self, state: State, view: Array) -> None:
        """Fill an array, of which the first axis has the rows."""
        if not view.size:
            return
        rows = view.shape[0]
        matrix = np.empty((rows, view.size // rows), view.dtype)
        Normal(0.0, 1.0).write(state, matrix)
        wide = rows < matrix.shape[1]
        q, r = np.linalg.qr(matrix.T if wide else matrix)
        q *= np.sign(np.diagonal(r))
        view[...] = (q.T if wide else q).reshape(view.shape)
        view *= view.dtype.type(self.gain)


class Sparse(NamedTuple):
    """N(0, std²), and in each column zeros in so many rows of a random permutation."""

    sparsity: float
    std: float

    def write(self, state: State, view: Array) -> None:
        """Fill a matrix."""
        Normal(0.0, self.std).write(state, view)
        rows, columns = view.shape
        zeros = math.ceil(self.sparsity * rows)
        batch = max(1, BATCH // max(1, rows))
        for start in range(0, columns, batch):
            part = view[:, start:start + batch]
            chosen = _permutations(state, rows, part.shape[1], zeros)
            np.put_along_axis(part, chosen, part.dtype.type(0), axis=0)


def _permutations(state: State, rows: int, count: int, first: int) -> Array:
    """The first numbers of `count` permutations of range(rows), in columns, as torch.randperm makes them.

    For i = 0, 1, … the numbers at i and at i + w mod (rows - i) are swapped; each permutation takes rows - 1 words.
    """
    words = state.place.words(count * max(0, rows - 1)).reshape(count, max(0, rows - 1))
    numbers = np.repeat(np.arange(rows)[:, None], count, axis=1)
    each = np.arange(count)
    for i in range(min(first, rows - 1)):
        j = i + words[:, i] % np.uint32(rows - i)
        numbers[i], numbers[j, each] = numbers[j, each], numbers[i].copy()
    return numbers[:first]
