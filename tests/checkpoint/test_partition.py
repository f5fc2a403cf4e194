"""Which tensors go into which file, against brute force."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin import FaninError
from fanin._dtypes import bfloat16
from fanin.checkpoint._index import file_names, index_text
from fanin.checkpoint._partition import by_count, by_size, parse_shard, parse_size
from fanin.rules import Parameter

sizes = st.lists(st.integers(0, 30), min_size=1, max_size=9)


def covers(runs, count):
    """Runs follow each other from 0 to count, none of them empty."""
    return [runs[0][0], *(stop for _, stop in runs)] == [0, *(start for start, _ in runs[1:]), count] and all(
        start < stop for start, stop in runs)


@given(sizes, st.integers(1, 60))
def test_by_size_is_greedy(given_sizes, limit):
    """A file holds what fits; it ends only where the next tensor would not fit; a larger tensor is alone."""
    runs = by_size(given_sizes, limit)

    assert covers(runs, len(given_sizes))
    for start, stop in runs:
        assert sum(given_sizes[start:stop]) <= limit or stop - start == 1
        assert stop == len(given_sizes) or sum(given_sizes[start:stop + 1]) > limit


@given(sizes, st.data())
def test_by_count_is_the_best_partition(given_sizes, data):
    """Exactly n files, none empty; no other cut of the list in order has a smaller largest file."""
    count = data.draw(st.integers(1, len(given_sizes)))

    runs = by_count(given_sizes, count)

    best = min(max(sum(given_sizes[a:b]) for a, b in itertools.pairwise([0, *cuts, len(given_sizes)]))
               for cuts in itertools.combinations(range(1, len(given_sizes)), count - 1))
    assert len(runs) == count and covers(runs, len(given_sizes))
    assert max(sum(given_sizes[start:stop]) for start, stop in runs) == best


def test_more_files_than_tensors_are_refused():
    """No file may be empty."""
    with pytest.raises(FaninError, match=r"at most as many files as there are tensors, 2 \(got 3\)"):
        by_count([1, 1], 3)


@pytest.mark.parametrize(("text", "size"), [
    ("5GB", 5 * 10**9), ("500MB", 5 * 10**8), ("2GiB", 2**31), ("1000000", 10**6), ("1.5 kB", 1500), ("7B", 7),
    ("0.1TB", 10**11), ("1kib", 1024),
])
def test_sizes_are_decimal_unless_they_say_otherwise(text, size):
    """Hugging Face's GB is 10**9 bytes, GiB is 2**30."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "5XB", "-5GB", "0", "0.1B", "5 G B", "1e9", "nan", "٣GB"])
def test_bad_sizes_are_refused(text):
    """What is no size is named."""
    with pytest.raises(FaninError, match="a size must"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1.0/2"])
def test_bad_shards_are_refused(text):
    """i counts from 1 to n."""
    with pytest.raises(FaninError, match="a shard must be i/n"):
        parse_shard(text)


def test_the_names_and_the_index_are_hugging_faces():
    """Numbers have five digits, and the index holds the total size and each tensor's file."""
    names = file_names(2)
    parts = {names[0]: [Parameter("b", (2, 3), np.dtype("float32"))], names[1]: [Parameter("a", (5,), bfloat16())]}

    index = json.loads(index_text(parts))

    assert names == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert index == {"metadata": {"total_size": 34}, "weight_map": {"a": names[1], "b": names[0]}}
    assert parse_shard("2/3") == (2, 3)
