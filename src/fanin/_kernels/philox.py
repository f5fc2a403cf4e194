"""Philox4x32 with ten rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11)."""

from typing import Any

import numpy as np

from .device import device_function

LOW, HIGH = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFF00000000)
HALF = np.uint64(32)
M0 = np.uint64(0xD2511F53)  # the multipliers and the Weyl constants of the paper's table 2
M1 = np.uint64(0xCD9E8D57)
W0 = np.uint64(0x9E3779B9)
W1 = np.uint64(0xBB67AE85)


@device_function
def philox_round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    p0 = M0 * (c0 & LOW)
    p1 = M1 * (c2 & LOW)
    return (p1 >> HALF) ^ c1 ^ k0, p1, (p0 >> HALF) ^ c3 ^ k1, p0, k0 + W0, k1 + W1


@device_function
def _eight_rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    # written out, because a loop over rounds is not unrolled before LLVM's vectorizer runs
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3, k0, k1


@device_function
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four counter words and two key words to four random words, all in the low halves of uint64 values.

    The high halves carry garbage from one round to the next and out of the last: masking only the operands of the
    multiplications lets LLVM emit one 32x32 multiply, one shift and one three-way xor per word and round.
    """
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _eight_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = philox_round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


@device_function
def philox_pairs(p0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """The same four words, as w0 + 2**32·w1 and w2 + 2**32·w3, of p0 = M0·c0.

    A loop over c0, c0 + 1, … has that product by adding M0. The last round makes the pairs by rotation: of
    `w0 | w1 << 32` LLVM makes a slow 64-bit multiplication.
    """
    p1 = M1 * (c2 & LOW)
    c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1, (p0 >> HALF) ^ c3 ^ k1, p0
    c0, c1, c2, c3, k0, k1 = _eight_rounds(c0, c1, c2, c3, k0 + W0, k1 + W1)
    p0 = M0 * (c0 & LOW)
    p1 = M1 * (c2 & LOW)
    return ((p1 >> HALF) | (p1 << HALF)) ^ ((c1 ^ k0) & LOW), ((p0 >> HALF) | (p0 << HALF)) ^ ((c3 ^ k1) & LOW)
