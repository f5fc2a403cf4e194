"""All that a generator of torch's remembers, and the bytes that `torch.get_rng_state()` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..._errors import FaninTypeError, FaninValueError
from ..._kernels.device import fma
from ._twister import N, Twister

if TYPE_CHECKING:
    from ..._types import Array

# at::CPUGeneratorImplState; `normal_y` is the kept normal, `normal_x` and `normal_rho` are not used any more
LAYOUT = np.dtype({
    "names": ["seed", "left", "seeded", "next", "block", "normal_x", "normal_y", "normal_rho", "normal_is_valid",
              "single", "single_is_valid"],
    "formats": ["u8", "i4", "i4", "u8", (np.uint64, N), "f8", "f8", "f8", "i4", "f4", "u1"],
    "offsets": [0, 8, 12, 16, 24, 5016, 5024, 5032, 5040, 5048, 5052],
    "itemsize": 5056,
})


class State:
    """A place in the stream of words, the seed, and a normal number that is kept for the next draw of few.

    Attributes:
        kept: the second of a pair of standard normals, until it is drawn.
        single: the like in float32; torch's draws on the CPU never use it, but it is part of the state.
    """

    __slots__ = ("kept", "place", "seed", "single")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.place = Twister.seeded(seed)
        self.kept: float | None = None
        self.single: float | None = None

    def few_normals(self, count: int, mean: float, std: float) -> Array:
        """Numbers of N(mean, std²) in float64, drawn pair by pair; what is left of the last pair is kept."""
        out = np.empty(count)
        rest = out
        if self.kept is not None and count:
            out[0] = fma(np.float64(self.kept), np.float64(std), np.float64(mean))
            self.kept, rest = None, out[1:]
        if len(rest):
            spare = np.empty(1)
            self.place.fill("normal_pairs", rest, np.float64(mean), np.float64(std), spare)
            if len(rest) % 2:
                self.kept = float(spare[0])
        return out

    def pack(self) -> Array:
        """The bytes, as an array of uint8."""
        record = np.zeros((), LAYOUT)
        place = self.place
        record["seed"], record["block"], record["seeded"] = self.seed, place.block, 1
        record["left"], record["next"] = N + 1 - (place.used or N), place.used
        if self.kept is not None:
            record["normal_y"], record["normal_is_valid"] = self.kept, 1
        if self.single is not None:
            record["single"], record["single_is_valid"] = self.single, 1
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    @classmethod
    def unpacked(cls, data: Array) -> State:
        """The state that the bytes describe."""
        record = np.frombuffer(data.tobytes(), LAYOUT)[0]
        left, used = int(record["left"]), int(record["next"])
        if not record["seeded"] or not 1 <= left <= N or (used or N) != N + 1 - left:
            raise FaninValueError("`new_state` must be a state of a generator of torch's on the CPU (got other bytes)")
        state = cls.__new__(cls)
        state.seed, state.place = int(record["seed"]), Twister(record["block"].astype(np.uint32), used)
        state.kept = float(record["normal_y"]) if record["normal_is_valid"] else None
        state.single = float(record["single"]) if record["single_is_valid"] else None
        return state


def as_bytes(value: object) -> Array:
    """The bytes of a state: an array or tensor of uint8, or bytes."""
    data = np.frombuffer(value, np.uint8) if isinstance(value, (bytes, bytearray)) else np.asarray(value)
    if data.dtype != np.uint8 or data.shape != (LAYOUT.itemsize,):
        raise FaninTypeError(f"`new_state` must be {LAYOUT.itemsize} bytes, as torch.get_rng_state() returns them (got "
                             f"{data.dtype} of shape {data.shape})")
    return data
