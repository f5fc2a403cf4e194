"""`CoordCheck`: how large layers' outputs are over widths and training steps, and whether they grow with width."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._errors import FaninValueError, agreeing, counted
from .._report import Column, Content, Grid, Report, fold
from .._report.content import significant
from .layers import LayerSignal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Both are documented in docs/signal.md.
GROWS = 0.25  # is the power of width from which on rms grows: wrong parametrizations have 1/2 and 1
SHRINKS = -0.75  # an output that starts with the power -1/2, as muP's logits do, is none


class Coordinates(NamedTuple):
    """How large one call of a layer is.

    Attributes:
        layer, kind, call: as in `LayerSignal`.
        rms: of its output: a tuple over steps, from 0 (before the first update), of tuples over widths.
    """

    layer: str
    kind: str
    call: int
    rms: tuple[tuple[float, ...], ...]

    @property
    def title(self) -> str:
        """The layer as a table names it."""
        return LayerSignal(self.layer, self.kind, self.call).title


class CoordCheck(Report):
    """The rms of each layer's output over widths and steps: a verdict in words, then the powers of width.

    Attributes:
        model: the model's type.
        recipe: what the weights were drawn by, in words.
        widths: rising.
        layers: a `Coordinates` for each call of a layer, in order of execution.
        notes: what was noticed while models were made: warnings of the draw.
    """

    def __init__(self, model: str, recipe: str, widths: Sequence[int], layers: Iterable[Coordinates],
                 notes: Iterable[str] = ()) -> None:
        self.model, self.recipe, self.widths = model, recipe, tuple(widths)
        self.layers, self.notes = tuple(layers), tuple(notes)

    @property
    def steps(self) -> int:
        """How many updates there were."""
        return len(self.layers[0].rms) - 1

    @functools.cached_property
    def powers(self) -> dict[str, tuple[float | None, ...]]:
        """{title of a layer: over steps the power of width that its rms goes with}; None where outputs are zero."""
        return {each.title: tuple(power(self.widths, values) for values in each.rms) for each in self.layers}

    @property
    def growing(self) -> dict[str, float]:
        """{title of a layer: its largest power of width} of those that grow, the fastest first."""
        largest = {title: max((each for each in powers if each is not None), default=0.0)
                   for title, powers in self.powers.items()}
        return {title: each for title, each in sorted(largest.items(), key=lambda pair: -pair[1]) if each > GROWS}

    @property
    def stable(self) -> bool:
        """Whether no layer's output grows with width at any step, and all are finite."""
        return not self.growing

    @property
    def words(self) -> tuple[str, ...]:
        """The verdict, a sentence or two for each finding."""
        over = f"widths {self.widths[0]:,} to {self.widths[-1]:,}"
        if self.stable:
            last = max(powers[-1] or 0.0 for powers in self.powers.values())
            found = [f"Stable over {over}: in {counted(self.steps, 'step')} no layer's output "
                     f"grows with the width (the largest power after the last is {last:.2f})."]
        else:
            title, largest = next(iter(self.growing.items()))
            step = self.powers[title].index(largest)
            how = "are not finite" if largest == math.inf else f"grow like width^{largest:.2f}"
            first = next(each.title for each in self.layers if each.title in self.growing)
            when = "before the first step" if step == 0 else f"after step {step}"
            others = "" if first == title else f" The first in order of execution that grows is {first}."
            grow = agreeing(len(self.growing), "grows", "grow")
            found = [f"Not stable over {over}: outputs of {title} {how} {when}, {len(self.growing)} of "
                     f"{counted(len(self.layers), 'layer')} {grow}.{others}"]
        shrinking = {title: powers[-1] for title, powers in self.powers.items()
                     if powers[-1] is not None and powers[-1] < SHRINKS}
        if shrinking:
            title = min(shrinking, key=lambda each: shrinking[each] or 0.0)
            found.append(f"Outputs of {title} shrink like width^{shrinking[title]:.2f}: wider models learn less there.")
        return tuple(found)

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each call of a layer, step and width, with `rms`: plain values that pandas and polars take."""
        return [{"layer": each.layer, "kind": each.kind, "call": each.call, "step": step, "width": width, "rms": rms}
                for each in self.layers for step, values in enumerate(each.rms)
                for width, rms in zip(self.widths, values)]

    def plot(self) -> Figure:
        """The rms of outputs over widths before the first step and after the last, as a matplotlib figure.

        The first four layers that grow, in order of execution, have colours and names; all other lines are grey.

        Raises:
            FaninImportError: matplotlib is missing (`pip install 'fanin[plot]'`).
        """
        from .picture import draw_widths

        return draw_widths(self)

    def _content(self, unfold: bool = False) -> Content:
        columns = (Column("layer", path=True), *(Column(f"power {step}", number=True) for step in
                                                 range(self.steps + 1)),
                   *(Column(f"rms {width}", number=True) for width in dict.fromkeys((self.widths[0], self.widths[-1]))))
        runs = fold([each.title for each in self.layers], [each.kind for each in self.layers],
                    at_least=len(self.layers) + 1 if unfold else 3)
        rows = tuple((str(run), *self._cells([self.layers[row] for row in run.rows])) for run in runs)
        about = (f"{self.model} by {self.recipe}. power 0, 1, …: of the width that the rms of outputs goes with, "
                 "before the first step and after each; of a run of layers the largest. rms: after the last step.")
        return Content(f"Coordinate check of {self.model}", self.words, (Grid(columns, rows),), (about, *self.notes))

    def _cells(self, run: list[Coordinates]) -> list[str]:
        powers = [[each for each in column if each is not None] for column in
                  zip(*(self.powers[each.title] for each in run))]
        ends = [[each.rms[-1][place] for each in run] for place in (0, -1)]
        return [*(f"{round(max(each), 2) + 0.0:.2f}" if each else "" for each in powers),  # + 0.0 makes -0.00 0.00
                *(significant(max(each), 2) for each in ends)]


def power(widths: Sequence[int], rms: Sequence[float]) -> float | None:
    """The slope of log rms over log width by least squares; infinite where a rms is not finite, None where one is zero.

    >>> round(power([64, 128, 256], [1.0, 2.0, 4.0]), 6)
    1.0
    """
    if not all(math.isfinite(each) for each in rms):
        return math.inf
    if not all(rms):
        return None
    return float(np.polyfit(np.log(widths), np.log(rms), 1)[0])


def collect(widths: Sequence[int], seen: Mapping[int, Sequence[Sequence[LayerSignal]]]) -> list[Coordinates]:
    """The layers over all widths.

    Args:
        seen: {width: over steps the layers in order of execution}.
    """
    keys = {width: [[(row.layer, row.kind, row.call) for row in rows] for rows in steps]
            for width, steps in seen.items()}
    first = keys[widths[0]][0]
    for width in widths:
        if any(each != first for each in keys[width]):
            raise FaninValueError(f"`make_model` must give models that call the same layers at each width and step "
                                  f"(got others at {width} than at {widths[0]})")
    return [Coordinates(*key, tuple(tuple(seen[width][step][place].rms for width in widths)
                                    for step in range(len(seen[widths[0]]))))
            for place, key in enumerate(first)]
