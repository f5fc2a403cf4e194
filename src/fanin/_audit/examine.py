"""One tensor: read once, piece by piece, and what that shows."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .laws import FEWEST, Law, random_law
from .matrices import Matrix, epsilon, views
from .moments import Gather, Moments
from .patterns import Arange, Nonzero, Sinusoids

if TYPE_CHECKING:
    from .._types import Array
    from .sources import Tensor

FEW_VALUES = 300  # different numbers in a half type: JAX draws bfloat16 from seven random bits
ROWS = 16  # zero rows that are remembered
HEAD = 256  # numbers whose signs tell which random numbers a tensor was made of


class Seen(NamedTuple):
    """What was seen in one tensor.

    Attributes:
        moments: of its values, None where it was not read.
        law: the law that they follow.
        digest: of its bytes.
        signs: of its first numbers, for tensors that were drawn; else None.
        repeats: how the tensor repeats itself, or None.
        zero_rows: the first rows along axis 0 that are zero throughout.
    """

    moments: Moments | None
    law: Law
    digest: bytes = b""
    signs: bytes | None = None
    repeats: str | None = None
    zero_rows: tuple[int, ...] = ()


def examine(tensor: Tensor) -> Seen:
    """Read a tensor and tell what it holds."""
    if tensor.pieces is None:
        return Seen(None, Law("unread", note=f"values of {tensor.parameter.dtype} are not read"))
    shape, dtype = tensor.parameter.shape, tensor.parameter.dtype
    step = epsilon(dtype)
    parts = dtype.kind == "c"
    real = (*shape, 2) if parts else shape
    sizes = [] if parts else views(shape)
    matrices = [Matrix(*size) for size in sizes]
    sinusoids = [Sinusoids(*size, step) for size in sizes[-1:]]
    gather, arange, nonzero = Gather(dtype), Arange(real, step), Nonzero(real)
    digest, head = hashlib.blake2b(digest_size=16), np.empty(0)
    for piece in tensor.pieces(max([columns for _, columns in sizes], default=1)):
        digest.update(np.ascontiguousarray(piece).view(np.uint8).data)
        values = _as_float64(piece)
        if not len(head):
            head = values[:HEAD].copy()
        gather.add(values)
        with np.errstate(invalid="ignore", over="ignore"):  # with NaNs and infinities none of these holds
            arange.add(values)
            nonzero.add(values)
            for each in matrices:
                each.add(values.reshape(-1, each.columns))
            for waves in sinusoids:
                waves.add(values.reshape(-1, waves.columns))
    moments = gather.result()
    law = arange.law() or _of_values(moments, matrices, step) or nonzero.law(step)
    law = law or _first(each.law() for each in sinusoids) or _drawn(moments, matrices, dtype)
    first = matrices[0] if matrices and sizes[0][0] == shape[0] else None
    zero_rows = first.zero_rows() if first and moments.zeros else np.empty(0, np.int64)
    is_free = law.is_random or law.name in ("none", "few")
    repeats = _first(matrix.repeats() for matrix in matrices) if is_free and moments.finite >= FEWEST else None
    return Seen(moments, law, digest.digest(), _signs(head) if is_free else None, repeats,
                tuple(zero_rows[:ROWS].tolist()))


def _as_float64(piece: Array) -> Array:
    """The values as float64; the two parts of complex ones beside each other."""
    if piece.dtype.kind == "c":
        piece = piece.view(f"f{piece.dtype.itemsize // 2}")
    with np.errstate(invalid="ignore"):  # NaNs stay NaNs
        return piece.astype(np.float64)


def _first(options: Any) -> Any:
    return next((option for option in options if option), None)


def _of_values(moments: Moments, matrices: list[Matrix], step: float) -> Law | None:
    """A law that needs no test: constant, orthogonal."""
    if moments.is_constant:
        return Law("constant", {"value": moments.low})
    if moments.nonfinite or not moments.finite:
        return None
    gain = _first(matrix.orthogonal_gain(step) for matrix in matrices) if moments.zeros < moments.finite / 2 else None
    return None if gain is None else Law("orthogonal", {"gain": gain})


def _drawn(moments: Moments, matrices: list[Matrix], dtype: np.dtype[Any]) -> Law:
    """The law of independent numbers, perhaps with zeros among them."""
    if dtype.kind in "iub":
        return Law("few" if moments.finite < FEWEST else "none", note="integers")
    zeros = moments.zeros
    law = random_law(moments, narrow=dtype.itemsize == 2)
    if law.name in ("none", "few") and zeros and not moments.nonfinite and moments.finite - zeros >= FEWEST:
        return _with_zeros(moments, matrices) or law
    if law.name == "none" and dtype.itemsize == 2 and len(moments.counts) <= FEW_VALUES:
        return law._replace(note=f"only {len(moments.counts)} different values or so, as drawn in {dtype.name} itself")
    if law.is_random:
        uneven = _uneven(moments, matrices, law)
        if uneven:
            return Law("none", note=f"{law} by its histogram, but {uneven}")
    return law


def _with_zeros(moments: Moments, matrices: list[Matrix]) -> Law | None:
    """A law of what isn't zero: of an embedding but for its padding row, or of a sparse matrix."""
    if not matrices:
        return None
    first, others = matrices[0], moments.without_zeros(moments.zeros)
    rest = random_law(others)
    if len(first.zero_rows()) * first.columns == moments.zeros:
        return rest
    even = any(bool((counts == counts[0]).all()) for counts in (first.zeros_by_column, first.zeros_by_row))
    if rest.name not in (("uniform", "normal", "truncated", "few") if even else ("uniform", "normal", "truncated")):
        return None
    note = "" if even else "zeros of a sparse tensor are not spread evenly over its rows or columns"
    return Law("sparse", {"sparsity": moments.zeros / moments.finite, "std": others.std}, note)


def _uneven(moments: Moments, matrices: list[Matrix], law: Law) -> str | None:
    at = law.parameters
    mean = (at["low"] + at["high"]) / 2 if law.name == "uniform" else at.get("mean", 0.0)
    mean = 0.0 if abs(mean) <= 5 * moments.std / math.sqrt(moments.finite) else mean
    return _first(matrix.unevenness(mean, moments.std**2, moments.square_variance) for matrix in matrices)


def _signs(head: Array) -> bytes | None:
    """The signs of the first numbers, if there are enough of both to tell one draw from another."""
    is_negative = head < 0
    if len(head) < FEWEST or not 0.25 < is_negative.mean() < 0.75 or not head.all():
        return None
    return np.packbits(is_negative).tobytes()
