"""mt19937 (Matsumoto and Nishimura, ACM TOMACS 8, 1998): the block of 624 words, and the words read from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._kernels.device import device_function

N, M = 624, 397  # words of a block; how far ahead the recurrence reaches
UPPER, LOWER = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
MATRIX = np.uint32(0x9908B0DF)
B, C = np.uint32(0x9D2C5680), np.uint32(0xEFC60000)  # tempering masks
ZERO, ONE = np.uint32(0), np.uint32(1)
S7, S11, S15, S18 = np.uint32(7), np.uint32(11), np.uint32(15), np.uint32(18)


@device_function
def mixed(upper: Any, lower: Any) -> Any:
    """The upper bit of one word and the lower 31 of the next, times the recurrence's matrix."""
    y = np.uint32(np.uint32(upper & UPPER) | np.uint32(lower & LOWER))
    return np.uint32(np.uint32(y >> ONE) ^ np.uint32(np.uint32(ZERO - np.uint32(lower & ONE)) & MATRIX))


@device_function
def twist(x: Any) -> None:
    """Replace a block by the next one. Three loops, in none of which a step needs what the last ones wrote."""
    for j in range(N - M):
        x[j] = np.uint32(x[j + M] ^ mixed(x[j], x[j + 1]))
    for j in range(N - M, 2 * (N - M)):
        x[j] = np.uint32(x[j - (N - M)] ^ mixed(x[j], x[j + 1]))
    for j in range(2 * (N - M), N - 1):
        x[j] = np.uint32(x[j - (N - M)] ^ mixed(x[j], x[j + 1]))
    x[N - 1] = np.uint32(x[M - 1] ^ mixed(x[N - 1], x[0]))


@device_function
def temper(y: Any) -> Any:
    """The random word that a word of the block gives."""
    y = np.uint32(y ^ np.uint32(y >> S11))
    y = np.uint32(y ^ np.uint32(np.uint32(y << S7) & B))
    y = np.uint32(y ^ np.uint32(np.uint32(y << S15) & C))
    return np.uint32(y ^ np.uint32(y >> S18))
