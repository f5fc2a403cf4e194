"""Which elements of a tensor one rank of a device mesh holds: plain arithmetic, without torch.

torch splits a dimension as `torch.chunk` does: into pieces of ceil(size / parts), the last of which may be shorter or
empty. Several mesh dimensions may split the same one; each splits what the ones before it have left. A strided split
(`_StridedShard`, FSDP2's placement over tensor parallelism) first cuts into `factor` pieces, splits each of them, and
gives a rank its part of every piece: elements that aren't adjacent in the whole tensor.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

Runs = list[tuple[int, int]]  # (start, stop), ascending, none empty, no two adjacent


class Split(NamedTuple):
    """One mesh dimension that splits a dimension of the tensor."""

    parts: int
    position: int  # of this rank along the mesh dimension
    factor: int = 1  # of a strided split


def runs_held(size: int, splits: list[Split]) -> Runs:
    """The indices of a dimension that a rank holds, after splits in the order of the mesh's dimensions."""
    runs = [(0, size)] if size else []
    for parts, position, factor in splits:
        wanted: Runs = []
        length = _length(runs)
        for piece in range(factor):
            start, stop = _chunk(length, factor, piece)
            first, last = _chunk(stop - start, parts, position)
            wanted.append((start + first, start + last))
        runs = _select(runs, wanted)
    return runs


def lengths(runs: list[Runs]) -> tuple[int, ...]:
    """The shape of what is held, from the runs along each dimension."""
    return tuple(map(_length, runs))


def blocks(runs: list[Runs]) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """(index into the whole tensor, index into the local one) of each block held, from the runs along each dimension.

    >>> list(blocks([[(0, 2), (6, 8)], [(0, 5)]]))[1]
    ((slice(6, 8, None), slice(0, 5, None)), (slice(2, 4, None), slice(0, 5, None)))
    """
    for chosen in itertools.product(*map(_placed, runs)):
        yield tuple(whole for whole, _ in chosen), tuple(local for _, local in chosen)


def _placed(runs: Runs) -> Iterator[tuple[slice, slice]]:
    before = 0
    for start, stop in runs:
        yield slice(start, stop), slice(before, before + stop - start)
        before += stop - start


def _length(runs: Runs) -> int:
    return sum(stop - start for start, stop in runs)


def _chunk(length: int, parts: int, position: int) -> tuple[int, int]:
    size = -(-length // parts)
    return min(length, size * position), min(length, size * (position + 1))


def _select(runs: Runs, wanted: Runs) -> Runs:
    """What lies at the places `wanted` when `runs` are laid end to end."""
    selected: Runs = []
    before = 0
    for start, stop in runs:
        for first, last in wanted:
            low, high = start + max(first - before, 0), start + min(last - before, stop - start)
            if low < high:
                if selected and selected[-1][1] == low:
                    low = selected.pop()[0]
                selected.append((low, high))
        before += stop - start
    return selected
