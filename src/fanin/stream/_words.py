"""`words`: the raw random words that draws are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._backends import check_device
from .._checks import integer
from .._drawing import arrays
from .._drawing.execute import materialize_range
from .._errors import FaninMemoryError, FaninValueError, shown
from .._graphs import outside_graphs
from .._kernels.samplers import word
from .._plans.plan import SamplerPlan
from .._seeding import check_name, check_source, take_key

WORDS = 2**63  # as many as the elements of the largest tensor take: two for each part of a complex128 number

if TYPE_CHECKING:
    from .._types import Array, Device, Seed


@outside_graphs
def words(seed: Seed | None = None, name: str | None = None, start: int = 0, count: int = 1, *,
          device: Device | None = None) -> Array:
    """The random 32-bit words that a draw uses: word j of block b of the key's Philox stream is number 4b + j.

    Args:
        seed: an int in [0, 2**64), a `Stream` (without a name: its next stream id), or None: the default stream.
        name: the parameter's name, or None.
        start: the number of the first word; an int >= 0.
        count: how many; an int >= 0. The last word of the largest tensor has the number 2**63 - 1.
        device: "cpu" by default, "cuda" or "cuda:1", or "reference".

    Returns:
        An array of `count` uint32 words: numpy's, or on a GPU numba's.

    Raises:
        FaninTypeError, FaninValueError: an argument out of its range.

    Reference: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11.

    >>> [hex(word) for word in words(seed=0, start=0, count=4)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    start, count = integer("start", start, minimum=0), integer("count", count, minimum=0)
    if start + count > WORDS:
        raise FaninValueError(f"`start` + `count` must be at most 2**63 (got {shown(start + count)})")
    source, name, device = check_source(seed), check_name(name), check_device(device)
    try:
        out, view = arrays.new((count,), np.dtype(np.uint32), device)
    except FaninMemoryError:
        raise FaninMemoryError(f"`count` words must fit into memory (got {count})") from None
    plan = SamplerPlan((WORDS,), view.dtype, word, ())
    materialize_range(plan, take_key(source, name), start, view, device)
    return out
