"""What is compiled and executed: every sampler with every storage type, every mask, and the windows that are drawn.

A window is a run of elements of a plan. Tensors are far larger than memory, so that windows can begin beyond element
2**35, and those of masks are such that both kinds of element lie in every window.
"""

from typing import Any, NamedTuple

import numpy as np

import fanin
from fanin import (
    Bilinear,
    Constant,
    Dirac,
    Eye,
    HippoLegsA,
    Initializer,
    Normal,
    Sinusoidal,
    Sparse,
    TruncatedNormal,
    Uniform,
)
from fanin._kernels.samplers import word
from fanin._plans.plan import SamplerPlan
from fanin._seeding import Key
from fanin.math import fma, log
from fanin.stream import stream_id

KEY = Key(0x9E3779B97F4A7C15, stream_id("ptx"))  # many ones in each word: an or in the place of an xor shows
HALF_OR_FULL = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
FAR = 2**35  # numbers: blocks beyond 2**32


class Window(NamedTuple):
    """Elements start … start + count of the plan; `shift` says by how many numbers `out` misses a multiple of 256."""

    plan: SamplerPlan
    start: int
    count: int
    shift: int


@fanin.sampler
def laplace(u, loc, scale):
    tail = u if u < 0.5 else 1.0 - u
    return fma(scale if u < 0.5 else -scale, log(2.0 * tail), loc)


class Laplace(Initializer):
    def __init__(self, loc=0.0, scale=1.0):
        self.loc = loc
        self.scale = scale

    def plan(self, spec):
        return spec.draw(laplace, self.loc, self.scale)


DRAWS: dict[str, tuple[Any, tuple]] = {
    "uniform": (Uniform(-1017.7, -1000.1), ("float64",)),
    "uniform_clamped": (Uniform(-1017.7, -1000.1), ("float16", "bfloat16", "float32")),
    "uniform_inside": (Uniform(), ("float32",)),
    "normal": (Normal(0.1, 0.02), HALF_OR_FULL + COMPLEX),
    "truncated_centre": (TruncatedNormal(0.5, 2.0), HALF_OR_FULL),
    "truncated_lopsided": (TruncatedNormal(0.5, 2.0, -1.0, 2.0), ("float16", "bfloat16", "float32")),
    "truncated_wide": (TruncatedNormal(0.0, 0.02, -3.5, 4.0), HALF_OR_FULL),
    "truncated_tail": (TruncatedNormal(1.0, 0.5, float("-inf"), -8.0), HALF_OR_FULL),
    "truncated_narrow": (TruncatedNormal(0.0, 1.0, 1.0, 1.1), HALF_OR_FULL),
    "truncated_complex": (TruncatedNormal(1.0, 0.5, -0.7, 0.7), COMPLEX),
    "disk": (Uniform(1.0, 4.0), COMPLEX),
    "a_users_sampler": (Laplace(0.3, 0.7), HALF_OR_FULL),
    "constant": (Constant(3), ("int8", "bfloat16", "int32", *COMPLEX)),
}
# scheme, dtypes, a small shape that the windows lie around, and a large one with an element where the mask holds
MASKED: dict[str, tuple[Any, tuple, tuple, tuple, tuple]] = {
    "eye": (Eye(2.5), ("float16", "float32", "float64", "complex128"), (311, 307), (2**18, 2**18), (200_000, 200_000)),
    "eye_whole": (Eye(), ("bool",), (311, 307), (2**18, 2**18), (200_000, 200_000)),
    "dirac": (Dirac(groups=2), ("bool", "bfloat16", "float32", "complex64", "complex128"), (60, 31, 5, 9),
              (2**17, 2**17, 3), (120_000, 120_000 - 2**16, 1)),
    "sparse": (Sparse(0.4), HALF_OR_FULL + COMPLEX, (307, 311), (2**18, 2**18), (200_000, 200_000)),
}
# The same for tables, which have no mask: each element is made of its place.
TABLES: dict[str, tuple[Any, tuple, tuple, tuple, tuple]] = {
    "sinusoid_interleaved": (Sinusoidal(), HALF_OR_FULL, (307, 311), (2**18, 2**18), (200_000, 200_000)),
    "sinusoid_halves": (Sinusoidal(halves=True), HALF_OR_FULL, (307, 311), (2**18, 2**18), (200_000, 131_072)),
    "interpolation": (Bilinear(), HALF_OR_FULL, (12, 12, 25, 26), (2**13, 2**13, 64, 64), (8000, 8000, 31, 31)),
    "hippo_legs": (HippoLegsA(), HALF_OR_FULL, (307, 307), (32_000, 32_000), (30_000, 30_000)),
}


def _cases():
    """{name: windows}, the first of them of more than 65,536 elements."""
    found = {}
    for label, (scheme, dtypes) in DRAWS.items():
        for dtype in dtypes:
            plan = scheme.describe((2**37,), dtype)
            found[f"{label}-{dtype}"] = _windows(plan, FAR + 5, plan)
    words = SamplerPlan((2**37,), np.dtype(np.uint32), word, ())
    found["word-uint32"] = _windows(words, FAR + 5, words)
    for label, (scheme, dtypes, small, large, place) in {**MASKED, **TABLES}.items():
        for dtype in dtypes:
            start = int(np.ravel_multi_index(place, large)) - 1001
            found[f"{label}-{dtype}"] = _windows(scheme.describe(small, dtype), start, scheme.describe(large, dtype))
    return found


def _windows(plan, far, large):
    parts = plan.parts
    # whole blocks where vectors are aligned, the same where no vector is, and block numbers beyond 32 bits
    return (Window(plan, 3, 65_542, 3 * parts), Window(plan, 6, 1_023, 6 * parts + 1), Window(large, far, 2_050, 0),
            Window(plan, 1, 1, 1), Window(plan, 8, 6, 8 * parts))


CASES: dict[str, tuple[Window, ...]] = _cases()
