"""What the other systems' `generator=` stands for in fanin: a seed or a stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..._errors import FaninTypeError, FaninValueError, a_type, shown
from ..._seeding import Stream, check_seed

if TYPE_CHECKING:
    from .types import Generator


class TorchGenerator(Stream):
    """A torch.Generator as a stream: each use draws a seed from it, and so a refused call none."""

    __slots__ = ("_generator",)

    def __init__(self, generator: Any) -> None:
        super().__init__(0)
        self._generator = generator

    @property
    def seed(self) -> int:
        import torch

        drawn = torch.randint(2**63 - 1, (1,), generator=self._generator, device=self._generator.device,
                              dtype=torch.int64)
        return int(drawn)

    def next(self) -> int:
        return 0  # what an int seed without a name takes: the seed is new each time


def source(generator: Generator) -> Stream | int | None:
    """fanin's `seed` for a `generator` argument: a Stream, a seed, a torch.Generator, or None, the default stream."""
    if generator is None or isinstance(generator, Stream):
        return generator
    torch = sys.modules.get("torch")  # a torch.Generator can only be one if torch is loaded already
    if torch is not None and isinstance(generator, torch.Generator):
        return TorchGenerator(generator)
    try:
        return check_seed(generator)
    except FaninTypeError:
        raise FaninTypeError("`generator` must be a Stream, a seed in [0, 2**64), a torch.Generator or None (got "
                             f"{shown(generator, 100)}, {a_type(generator)})") from None
    except FaninValueError:
        raise FaninValueError(f"`generator`, a seed, must be in [0, 2**64) (got {shown(generator)})") from None
