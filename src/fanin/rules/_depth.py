"""Depth, told from names: a parameter's layer, counted from 0 in its stack, and how many layers the stack has."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"(?:(?<=[./])|^)\d+(?=[./])")


def in_block(name: str) -> bool:
    """Whether a parameter is in one of several blocks: its name has a number between dots.

    >>> in_block("layers.3.norm.weight"), in_block("norm.weight")
    (True, False)
    """
    return _NUMBER.search(name) is not None


class Depths:
    """Over the names of a whole model: "encoder.layers.3.fc.weight" is in layer 3 of the stack "encoder.layers."."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names
        self._stacks: dict[str, set[int]] = {}

    def find(self, name: str, match: re.Match[str] | None = None) -> tuple[int, int] | None:
        """(layer, layers) of a name, or None. `match` is the match of a rule: its group `layer` wins, if it has one.

        Otherwise the first number between dots is the layer. `layers` counts the numbers at that place.
        """
        if match is not None and "layer" in match.re.groupindex:
            number, (start, _) = match["layer"], match.span("layer")
            if number is None or not number.isdecimal():
                return None
        else:
            first = _NUMBER.search(name)
            if first is None:
                return None
            number, start = first[0], first.start()
        return int(number), len(self._stack(name[:start]))

    def _stack(self, prefix: str) -> set[int]:
        """The numbers that stand after a prefix in any name."""
        if prefix not in self._stacks:
            pattern = re.compile(re.escape(prefix) + r"(\d+)")
            self._stacks[prefix] = {int(at[1]) for at in map(pattern.match, self._names) if at}
        return self._stacks[prefix]
