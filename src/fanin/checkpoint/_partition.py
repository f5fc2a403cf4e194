"""Which tensors go into which file: whole tensors, in the model's order, under Hugging Face's names."""

import json
import re
from fractions import Fraction
from itertools import accumulate

from .._errors import FaninValueError

INDEX_NAME = "model.safetensors.index.json"
_UNITS = {"": 1, "B": 1, **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
          **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)}}


def parse_size(text):
    """Bytes from "5GB" (10**9 each, as Hugging Face counts), "500MB", "2GiB" (2**30 each) or a plain number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip(), re.ASCII)
    if not found or found[2].upper() not in _UNITS:
        raise FaninValueError(f"a size must look like 5GB, 500MB, 2GiB or 1000000 (got {text!r})")
    size = int(Fraction(found[1]) * _UNITS[found[2].upper()])
    if size < 1:
        raise FaninValueError(f"a size must be at least one byte (got {text!r})")
    return size


def parse_shard(text):
    """(i, n) from "i/n", 1 <= i <= n."""
    found = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise FaninValueError(f"a shard must be i/n with 1 <= i <= n, such as 1/4 (got {text!r})")
    return int(found[1]), int(found[2])


def by_size(sizes, limit):
    """Runs [start, stop) of whole tensors with at most `limit` bytes each; a larger tensor has a run of its own."""
    stops, total = [], 0
    for position, size in enumerate(sizes):
        if position and total + size > limit:
            stops.append(position)
            total = 0
        total += size
    return _runs(stops, len(sizes))


def by_count(sizes, count):
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
    runs, before = by_size(sizes, low), [0, *accumulate(sizes)]
    while len(runs) < count:  # cut the largest run that can be cut; no cut makes any run larger
        start, stop = max((run for run in runs if run[1] - run[0] > 1), key=lambda run: before[run[1]] - before[run[0]])
        middle = (before[start] + before[stop]) / 2
        cut = min(range(start + 1, stop), key=lambda position: abs(before[position] - middle))
        runs.remove((start, stop))
        runs += [(start, cut), (cut, stop)]
    return sorted(runs)


def _runs(stops, end):
    return list(zip([0, *stops], [*stops, end], strict=True))


def file_names(count):
    return [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]


def index_text(parts):
    """Hugging Face's index of `parts`, a list of (file name, tensors)."""
    tensors = [(info, file) for file, members in parts for info in members]
    index = {"metadata": {"total_size": sum(info.nbytes for info, _ in tensors)},
             "weight_map": {info.name: file for info, file in tensors}}
    return json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
