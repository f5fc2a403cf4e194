"""Threefry2x32 with twenty rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).

The functions run on numpy scalars, on whole uint32 arrays, and compiled: each 32-bit result is cast back, because
numba makes uint64 of any operation on two uint32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._kernels.device import device_function

PARITY = np.uint32(0x1BD11BDA)  # Skein's key schedule constant
BITS = np.uint32(32)
R0, R1, R2, R3 = np.uint32(13), np.uint32(15), np.uint32(26), np.uint32(6)  # rotations, SC11 table 2
R4, R5, R6, R7 = np.uint32(17), np.uint32(29), np.uint32(16), np.uint32(24)
I1, I2, I3, I4, I5 = np.uint32(1), np.uint32(2), np.uint32(3), np.uint32(4), np.uint32(5)


@device_function
def mix(x0: Any, x1: Any, rotation: Any) -> Any:
    x0 = np.uint32(x0 + x1)
    return x0, np.uint32(np.uint32(np.uint32(x1 << rotation) | np.uint32(x1 >> np.uint32(BITS - rotation))) ^ x0)


@device_function
def four_rounds(x0: Any, x1: Any, r0: Any, r1: Any, r2: Any, r3: Any) -> Any:
    x0, x1 = mix(x0, x1, r0)
    x0, x1 = mix(x0, x1, r1)
    x0, x1 = mix(x0, x1, r2)
    return mix(x0, x1, r3)


@device_function
def inject(x0: Any, x1: Any, a: Any, b: Any, count: Any) -> Any:
    """Add two words of the key, and the number of the injection, after four rounds."""
    return np.uint32(x0 + a), np.uint32(np.uint32(x1 + b) + count)


@device_function
def threefry(k0: Any, k1: Any, c0: Any, c1: Any) -> Any:
    """Two key words and two counter words, all uint32, to two random words."""
    k2 = np.uint32(np.uint32(k0 ^ k1) ^ PARITY)
    x0, x1 = np.uint32(c0 + k0), np.uint32(c1 + k1)
    x0, x1 = four_rounds(x0, x1, R0, R1, R2, R3)
    x0, x1 = inject(x0, x1, k1, k2, I1)
    x0, x1 = four_rounds(x0, x1, R4, R5, R6, R7)
    x0, x1 = inject(x0, x1, k2, k0, I2)
    x0, x1 = four_rounds(x0, x1, R0, R1, R2, R3)
    x0, x1 = inject(x0, x1, k0, k1, I3)
    x0, x1 = four_rounds(x0, x1, R4, R5, R6, R7)
    x0, x1 = inject(x0, x1, k1, k2, I4)
    x0, x1 = four_rounds(x0, x1, R0, R1, R2, R3)
    return inject(x0, x1, k2, k0, I5)
