"""An entry of the report: what one tensor was found to be, in words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from .._errors import FaninError
from .._plans.fans import Fans
from ..checkpoint._format import code_of
from ..rules import Parameter
from ..rules._depth import Depths
from ..rules._facts import LAYOUTS
from .examine import Seen
from .laws import Law, bounds
from .matrices import epsilon
from .words import Meaning, meanings, value_std


class Entry(NamedTuple):
    """One tensor of the report.

    Attributes:
        parameter: its name, shape, dtype and, where it is known, layer.
        seen: what was seen in it.
        meanings: what its scale equals, the likeliest first.
        place: where its memory is, the same for tensors that share it; None in files.
    """

    parameter: Parameter
    seen: Seen
    meanings: tuple[Meaning, ...] = ()
    place: tuple[Any, ...] | None = None

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.parameter.name

    @property
    def law(self) -> Law:
        """The law that its values follow."""
        return self.seen.law

    @property
    def std(self) -> float | None:
        """The std that the law says, or that of the values where no law does; None without values."""
        if self.seen.moments is None or not self.seen.moments.finite:
            return None
        return value_std(self.law) or self.seen.moments.std

    @property
    def scale(self) -> str:
        """The scale, exact where it equals something: "0.0156 = √(2/8192) = he_normal"; else as it was found."""
        if self.law.name in ("constant", "identity", "dirac", "orthogonal", "delta_orthogonal"):
            number = self.law.parameters.get("value", self.law.parameters.get("gain"))
            return "" if number is None else f"{number:.3g}"
        if self.std is None or self.law.name in ("arange", "sinusoid"):
            return ""
        if self.meanings:
            return self.meanings[0].scale(self.law)
        if self.law.name == "uniform":
            return bounds(self.law.parameters["low"], self.law.parameters["high"])
        return f"{self.std:.3g}"

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain values."""
        moments = self.seen.moments
        known = moments is not None and moments.finite > 0
        statistics = {key: getattr(moments, attribute) if known else None for key, attribute in
                      (("mean", "mean"), ("std", "std"), ("min", "low"), ("max", "high"), ("kurtosis", "kurtosis"))}
        return {"name": self.name, "shape": list(self.parameter.shape), "dtype": _dtype(self.parameter), **statistics,
                "zeros": float(moments.zeros / moments.finite) if moments is not None and known else None,
                "nonfinite": moments.nonfinite if moments is not None else None, "law": self.law.name,
                "parameters": dict(self.law.parameters), "equals": [str(each) for each in self.meanings],
                "note": self.law.note}


def _dtype(parameter: Parameter) -> str:
    try:
        return code_of(parameter.dtype)
    except FaninError:
        return str(parameter.dtype)


class Describer:
    """Puts what was seen into words, with what a whole model tells: fans of layers, depth."""

    def __init__(self, parameters: Sequence[Parameter], layout: str) -> None:
        self._named = {parameter.name: parameter for parameter in parameters}
        self._depths = Depths(list(self._named))
        self._layout = LAYOUTS[layout]

    def entry(self, parameter: Parameter, seen: Seen, place: tuple[Any, ...] | None) -> Entry:
        """The entry of a tensor."""
        found: tuple[Meaning, ...] = ()
        if seen.moments is not None and seen.law.is_random:
            found = meanings(seen.law, seen.moments.finite, self._fans(parameter), self._layers(parameter.name),
                             epsilon(parameter.dtype))
        return Entry(parameter, seen, found, place)

    def _fans(self, parameter: Parameter) -> Fans | None:
        """A weight's own fans, and for a bias its weight's."""
        if len(parameter.shape) < 2:
            stem, dot, last = parameter.name.rpartition(".")
            sibling = self._named.get(f"{stem}{dot}{last.replace('bias', 'weight')}")
            if "bias" not in last or sibling is None or len(sibling.shape) < 2:
                return None
            parameter = sibling
        try:
            fans = parameter.fans(self._layout)
        except FaninError:  # a layout that doesn't fit the rank
            return None
        return fans if fans.fan_in > 0 and fans.fan_out > 0 and math.isfinite(fans.fan_in) else None

    def _layers(self, name: str) -> int | None:
        whole = re.match(".*", name, re.DOTALL)
        depth = self._depths.find(name, whole) if whole else None
        return depth[1] if depth else None
