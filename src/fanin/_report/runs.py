"""Runs of layers in one line: names that differ only in their numbers, of rows that are otherwise alike."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from itertools import groupby
from math import prod
from operator import itemgetter
from typing import NamedTuple

_NUMBER = re.compile(r"(?<![^._])(\d+)(?![^._])")  # a whole word of a name: the 3 of layers.3.w1 and of dense_3

Numbers = tuple[int, ...]


class Run(NamedTuple):
    """Rows that one line stands for.

    Attributes:
        name: with the numbers that occur in braces, "layers.{0..79}.weight".
        rows: which rows these are, in their order.
    """

    name: str
    rows: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} ×{len(self.rows)}" if len(self.rows) > 1 else self.name


def fold(names: Iterable[str], alike: Iterable[Hashable], at_least: int = 3) -> list[Run]:
    """The runs of some rows, where their first row stood; what occurs fewer than `at_least` times stays by itself.

    Args:
        names: a row's name each, such as a parameter's.
        alike: equal for rows that say the same but for their names.

    >>> names = [f"layers.{i}.{each}" for i in range(80) for each in ("weight", "bias")] + ["head.weight"]
    >>> [str(run) for run in fold(names, ["same"] * len(names))]
    ['layers.{0..79}.weight ×80', 'layers.{0..79}.bias ×80', 'head.weight']
    """
    groups: dict[tuple[tuple[str, ...], Hashable], dict[Numbers, list[int]]] = {}
    for row, (name, kind) in enumerate(zip(names, alike, strict=True)):
        words = _NUMBER.split(name)  # text and numbers in turn
        numbers = tuple(int(word) for word in words[1::2])
        groups.setdefault((tuple(words[::2]), kind), {}).setdefault(numbers, []).append(row)
    runs = []
    for (texts, _), rows in groups.items():
        for axes, members in _products(sorted(rows)):
            found = [row for each in members for row in rows[each]]
            if len(found) >= at_least:
                runs.append(Run(_join(texts, [_range(values) for values in axes]), tuple(sorted(found))))
            else:
                runs += [Run(_join(texts, [str(number) for number in each]), (row,))
                         for each in members for row in rows[each]]
    return sorted(runs, key=lambda run: run.rows[0])


def _join(texts: tuple[str, ...], numbers: Iterable[str]) -> str:
    return texts[0] + "".join(number + text for number, text in zip(numbers, texts[1:], strict=True))


def _products(numbers: list[Numbers]) -> Iterator[tuple[list[list[int]], list[Numbers]]]:
    """Sorted tuples in parts that are full grids: (the values along each axis, the tuples)."""
    axes = [sorted(set(values)) for values in zip(*numbers)]
    if prod(map(len, axes)) == len(numbers):
        yield axes, numbers
        return
    parts = [(first, list(same)) for first, same in groupby(numbers, itemgetter(0))]
    if len(parts) == 1:  # the first number is the same in all: the others decide
        for inner, rest in _products([each[1:] for each in numbers]):
            yield [axes[0], *inner], [(axes[0][0], *each) for each in rest]
        return
    for _, alike in groupby(parts, lambda part: [each[1:] for each in part[1]]):
        yield from _products([each for _, same in alike for each in same])


def _range(values: list[int]) -> str:
    """
    >>> _range([4]), _range([0, 1, 2, 3]), _range([0, 2, 4, 6]), _range([0, 1, 2, 7])
    ('4', '{0..3}', '{0,2..6}', '{0..2,7}')
    """
    if len(values) == 1:
        return str(values[0])
    step = values[1] - values[0]
    if len(values) > 3 and step > 1 and values == list(range(values[0], values[-1] + 1, step)):
        return f"{{{values[0]},{values[1]}..{values[-1]}}}"
    pieces = []
    for _, run in groupby(enumerate(values), lambda pair: pair[1] - pair[0]):
        numbers = [value for _, value in run]
        pieces.append(str(numbers[0]) if len(numbers) == 1 else
                      f"{numbers[0]}{'..' if len(numbers) > 2 else ','}{numbers[-1]}")
    return f"{{{','.join(pieces)}}}"
