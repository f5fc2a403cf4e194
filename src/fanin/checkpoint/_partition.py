"""Which tensors go into which file: whole tensors, in the model's order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate

from .._errors import FaninValueError, shown

_UNITS = {"": 1, "B": 1, **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
          **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)}}

Run = tuple[int, int]  # the first tensor of a file, and the first of the next file


def parse_size(text: str) -> int:
    """Bytes from "5GB" (10**9 each, as Hugging Face counts), "500MB", "2GiB" (2**30 each) or a plain number."""
    parts = re.fullmatch(r"(\d{1,30}(?:\.\d{1,30})?)\s*([A-Za-z]*)", text.strip(), re.ASCII)
    if not parts or parts[2].upper() not in _UNITS:
        raise FaninValueError(f"a size must look like 5GB, 500MB, 2GiB or 1000000 (got {text!r:.100})")
    size = int(Fraction(parts[1]) * _UNITS[parts[2].upper()])
    if size < 1:
        raise FaninValueError(f"a size must be at least one byte (got {text!r})")
    return size


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) from "i/n", 1 <= i <= n."""
    parts = re.fullmatch(r"(\d{1,30})/(\d{1,30})", text, re.ASCII)
    if not parts:
        raise FaninValueError(f"a shard must be i/n with 1 <= i <= n, such as 1/4 (got {text!r:.100})")
    return check_shard(int(parts[1]), int(parts[2]))


def check_shard(i: int, n: int) -> tuple[int, int]:
    """(i, n), 1 <= i <= n."""
    if not 1 <= i <= n <= 10**9:
        raise FaninValueError("a shard must be i/n with 1 <= i <= n, such as 1/4, and n at most 10**9 (got "
                              f"{shown(i)}/{shown(n)})")
    return i, n


def by_size(sizes: Iterable[int], limit: int) -> list[Run]:
    """Runs [start, stop) of whole tensors with at most `limit` bytes each; a larger tensor has a run of its own."""
    runs, start, stop, total = [], 0, 0, 0
    for stop, size in enumerate(sizes):
        if stop > start and total + size > limit:
            runs.append((start, stop))
            start, total = stop, 0
        total += size
    return [*runs, (start, stop + 1)]


def by_count(sizes: Sequence[int], count: int) -> list[Run]:
    """Exactly `count` runs [start, stop), none empty, the largest of them as small as whole tensors in order allow."""
    if count > len(sizes):
        raise FaninValueError(f"`--shard` must ask for at most as many files as there are tensors, {len(sizes)} (got "
                              f"{count})")
    low, high = max(max(sizes), -(-sum(sizes) // count)), sum(sizes)
    while low < high:  # the smallest limit that `count` files can keep
        middle = (low + high) // 2
        if len(by_size(sizes, middle)) <= count:
            high = middle
        else:
            low = middle + 1
    runs = by_size(sizes, low)
    bytes_before = [0, *accumulate(sizes)]
    while len(runs) < count:  # cut the largest run that can be cut; no cut makes any run larger
        start, stop = max((run for run in runs if run[1] - run[0] > 1),
                          key=lambda run: bytes_before[run[1]] - bytes_before[run[0]])
        half = (bytes_before[start] + bytes_before[stop]) / 2
        cut = min(range(start + 1, stop), key=lambda position: abs(bytes_before[position] - half))
        runs.remove((start, stop))
        runs += [(start, cut), (cut, stop)]
    return sorted(runs)
