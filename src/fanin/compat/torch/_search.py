"""The search through all seeds, compiled: which of them may have drawn three given numbers.

An affine law, low + span·u or mean + std·z, leaves (v0 - v1)/(v0 - v2) as it is, so its parameters need not be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends.compile import align_stack
from ..._kernels.device import device_function
from ._loops import U32, F, box_muller, unit
from ._mersenne import M, mixed, temper

if TYPE_CHECKING:
    from ..._types import Array

LANES = 256  # seeds that are gone through side by side
MULTIPLIER, SHIFT = U32(1812433253), U32(30)  # of the recurrence by which mt19937 is seeded
REACH = 11  # words of the block that the words 0 to 9 from an offset are made of
ZERO, ONE = F(0), F(1)


@device_function
def word(low: Any, high: Any, k: Any, lane: Any) -> Any:
    """The random word that is made of the words k, k + 1 and k + 397 of the seed's block."""
    return temper(U32(high[k, lane] ^ mixed(low[k, lane], low[k + 1, lane])))


@device_function
def mismatch(v0: Any, v1: Any, v2: Any, x0: Any, x1: Any, x2: Any) -> Any:
    """0 where the x have the proportions of the v."""
    value = (v0 - v1) * (x0 - x2) - (v0 - v2) * (x0 - x1)
    return value if value > ZERO else -value


def search(start: int, flags: Array, uniform: Array, normal: Array, offset: int) -> None:
    """Flag the seeds start, start + 1, … that may have drawn numbers 0, 1, 2 of a uniform draw or 0, 1, 8 of a group.

    `uniform` and `normal` are three numbers and the largest mismatch. The words of the group begin at `offset`.
    """
    align_stack()
    rows = offset + REACH
    state = np.empty(LANES, np.uint32)
    low, high = np.empty((rows, LANES), np.uint32), np.empty((rows, LANES), np.uint32)
    for base in range(0, len(flags), LANES):
        for lane in range(LANES):
            state[lane] = U32(start + base + lane)
        low[0] = state
        for j in range(1, M + rows):
            for lane in range(LANES):
                x = state[lane]
                state[lane] = U32(U32(MULTIPLIER * U32(x ^ U32(x >> SHIFT))) + U32(j))
            if j < rows:
                low[j] = state
            if j >= M:
                high[j - M] = state
        for lane in range(LANES):
            u0, u1 = unit(word(low, high, 0, lane)), unit(word(low, high, 1, lane))
            u2 = unit(word(low, high, 2, lane))
            first = mismatch(uniform[0], uniform[1], uniform[2], u0, u1, u2) <= uniform[3]
            z0, z8 = box_muller(word(low, high, offset, lane), word(low, high, offset + 8, lane), ZERO, ONE)
            z1, _ = box_muller(word(low, high, offset + 1, lane), word(low, high, offset + 9, lane), ZERO, ONE)
            second = mismatch(normal[0], normal[1], normal[2], z0, z1, z8) <= normal[3]
            flags[base + lane] = first or second
