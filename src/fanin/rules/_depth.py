"""Depth, told from names: the how-many-th layer of its stack a parameter is in, and how many the stack has."""

import functools
import re

_NUMBER = re.compile(r"(?:(?<=[./])|^)\d+(?=[./])")


class Depths:
    """Over the names of a whole model: "encoder.layers.3.fc.weight" is in layer 3 of the stack "encoder.layers."."""

    def __init__(self, names):
        self.names = names

    def find(self, name, found):
        """(layer, layers) of a name, or None. `found` is the match of a rule: its group `layer` wins, if it has one.

        Otherwise the first number between dots is the layer. `layers` counts the numbers at that place.
        """
        if "layer" in found.re.groupindex:
            number, (start, _) = found["layer"], found.span("layer")
            if number is None or not number.isdecimal():
                return None
        else:
            first = _NUMBER.search(name)
            if first is None:
                return None
            number, start = first[0], first.start()
        return int(number), len(self._stack(name[:start]))

    @functools.cached_property
    def _stacks(self):
        return {}

    def _stack(self, prefix):
        if prefix not in self._stacks:
            pattern = re.compile(re.escape(prefix) + r"(\d+)")
            self._stacks[prefix] = {int(at[1]) for at in map(pattern.match, self.names) if at}
        return self._stacks[prefix]
