"""float32 to the bit patterns of the half types, rounded to nearest, ties to even.

A processor's own instruction takes the place of a function where there is one (issue 3: half types a third faster); its
only difference, that bfloat16's flushes subnormal numbers to zero, is one that the stream's promise leaves open.

numba knows neither float16 nor bfloat16 on the CPU, so half arrays are written as uint16 patterns. The values are
finite and within the target's range: plans refuse what could overflow before anything is drawn.
"""

from typing import Any

import numpy as np

from .device import bits, device_function, from_bits, rounding_to


@device_function
def as_is(x: Any) -> Any:
    return x


@rounding_to("bfloat", "avx512bf16")
def to_bfloat16(x: Any) -> Any:
    pattern = bits(x)
    odd = np.uint32(pattern >> np.uint32(16)) & np.uint32(1)
    return np.uint16(np.uint32(np.uint32(pattern + np.uint32(0x7FFF)) + np.uint32(odd)) >> np.uint32(16))


@rounding_to("half", "f16c", "neon")
def to_float16(x: Any) -> Any:
    pattern = bits(x)
    sign = np.uint32(pattern >> np.uint32(16)) & np.uint32(0x8000)
    magnitude = np.uint32(pattern & np.uint32(0x7FFFFFFF))
    # normal results: move the exponent's bias from 127 to 15 and round 13 bits away
    odd = np.uint32(magnitude >> np.uint32(13)) & np.uint32(1)
    normal = np.uint32(np.uint32(magnitude + np.uint32(0xC8000FFF)) + np.uint32(odd)) >> np.uint32(13)
    # below 2**-14 the spacing is 2**-24, which is float32's spacing at 0.5: the addition rounds, ties to even
    subnormal = np.uint32(bits(from_bits(magnitude) + np.float32(0.5)) - np.uint32(0x3F000000))
    small = magnitude < np.uint32(0x38800000)
    return np.uint16(np.uint32(subnormal if small else np.uint32(normal)) | np.uint32(sign))
