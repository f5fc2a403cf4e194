"""`Signal`: what `signal` returns for one initialization."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._report import Column, Content, Grid, Report, fold
from .._report.content import significant
from .layers import InitialLoss, LayerSignal
from .verdict import Verdict, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Signal(Report):
    """The signal through a model at one initialization: a verdict in words, then figures for each layer.

    Attributes:
        model: the model's type.
        mode: how it was run, in words: "training mode".
        layers: what each layer's output is like, in order of execution.
        loss: the initial loss, or None without a backward pass.
        input_rms: of the first input of real numbers; None where there are only integers.
        input_cosine: of its first two rows.
        spectra: {name of a weight: its singular values, falling}, where they were asked for.
    """

    def __init__(self, model: str, mode: str, layers: Iterable[LayerSignal], loss: InitialLoss | None = None,
                 input_rms: float | None = None, input_cosine: float | None = None,
                 spectra: Mapping[str, Sequence[float]] | None = None) -> None:
        self.model, self.mode, self.layers, self.loss = model, mode, tuple(layers), loss
        self.input_rms, self.input_cosine, self.spectra = input_rms, input_cosine, dict(spectra or {})

    @functools.cached_property
    def verdict(self) -> Verdict:
        """Whether the signal lives, and in words why not: `verdict.alive`, `verdict.words`."""
        return judge(self.layers, self.input_rms, self.input_cosine, self.loss)

    @property
    def alive(self) -> bool:
        """Whether the signal reaches the output, and its gradient the input."""
        return self.verdict.alive

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each call of a layer: the fields of `LayerSignal`, plain values that pandas and polars take."""
        return [row._asdict() for row in self.layers]

    def plot(self) -> Figure:
        """The rms of outputs and of gradients over the layers, as a matplotlib figure without pyplot.

        Where the verdict says that the signal dies or explodes, its line is marked.

        Raises:
            FaninImportError: matplotlib is missing (`pip install 'fanin[plot]'`).
        """
        from .picture import draw

        return draw({self.model: self})

    def _content(self, unfold: bool = False) -> Content:
        notes = [f"{self.model} in {self.mode}. {self._about_loss()}".strip()]
        notes.append("rms: of the output; ratio: to the input's; zero: share of zeros; cos: between two rows of the "
                     "batch; grad, w.grad: rms of gradients; w.std, w.norm: std and largest singular value of the "
                     "weight. Of a run of layers the first and the last are shown.")
        return Content(f"Signal through {self.model}", self.verdict.words, (_grid(self.layers, unfold),), tuple(notes))

    def _about_loss(self) -> str:
        if self.loss is None:
            return "Forward only."
        loss = self.loss
        words = f"Gradients are of {loss.source}"
        if loss.value is not None:
            words += f", which is {loss.value:.4g}"
        if loss.classes is not None and loss.guess is not None:
            words += (f"; {'' if loss.is_logits else 'if the output is logits, '}a guess among {loss.classes:,} "
                      f"classes costs {loss.guess:.4g}, where ln({loss.classes:,}) = {math.log(loss.classes):.4g}")
        return words + "."


_COLUMNS = (Column("layer", path=True), *(Column(name, number=True) for name in (
    "rms", "ratio", "zero", "cos", "grad", "w.std", "w.norm", "w.grad")))


def _grid(layers: Sequence[LayerSignal], unfold: bool) -> Grid:
    runs = fold([row.title for row in layers], [row.kind for row in layers],
                at_least=len(layers) + 1 if unfold else 3)
    rows = [(str(run), *_figures([layers[row] for row in run.rows])) for run in runs]
    used = [place for place in range(len(_COLUMNS)) if place == 0 or any(row[place].strip() for row in rows)]
    return Grid(tuple(_COLUMNS[place] for place in used), tuple(tuple(row[place] for place in used) for row in rows),
                gap=1)


def _figures(run: list[LayerSignal]) -> list[str]:
    """The cells of a run of layers: of the first and the last below each other, where they differ."""
    first, last = _cells(run[0]), _cells(run[-1])
    if first == last:
        return first
    return [f"{one}\n{other}" for one, other in zip(first, last)]


def _cells(row: LayerSignal) -> list[str]:
    return [significant(row.rms, 2), significant(row.ratio, 2), f"{row.zeros:.0%}" if row.zeros else "",
            "" if row.cosine is None else f"{row.cosine:.2f}", significant(row.gradient, 2),
            significant(row.weight_std, 2), significant(row.weight_norm, 2), significant(row.weight_gradient, 2)]
