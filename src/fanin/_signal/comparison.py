"""`Comparison`: several initializations of one model, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._errors import FaninError, FaninTypeError, FaninValueError, shown
from .._report import Column, Content, Grid, Report
from .._report.content import significant
from .result import Signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def by_label(rules: Any, compare: Any, read: Callable[[Any], Any]) -> dict[str, Any]:
    """{label: rules} of the arguments of `signal`; `rules` alone have an empty label. Refuses both, and no mapping.

    Args:
        read: makes rules of what the user gave; None, the weights that are there, stays None.
    """
    if rules is not None and compare is not None:
        raise FaninValueError("`rules` and `compare` must not both be given: put the rules under a label in `compare`")
    if compare is None:
        return {"": None if rules is None else read(rules)}
    if not isinstance(compare, Mapping) or not compare:
        raise FaninTypeError(f"`compare` must be a mapping of labels to rules (got {shown(compare, 100)})")
    return {str(label): _read(str(label), each, read) for label, each in compare.items()}


def _read(label: str, rules: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return None if rules is None else read(rules)
    except FaninError as error:
        raise type(error)(f"`compare` at {label!r}: {error}") from None


class Comparison(Report):
    """The signals of one model at several initializations.

    Attributes:
        signals: {label: `Signal`}, in the order that was asked for.
    """

    def __init__(self, signals: Mapping[str, Signal]) -> None:
        self.signals = dict(signals)

    def __getitem__(self, label: str) -> Signal:
        return self.signals[label]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each label and call of a layer: `label`, then the fields of `LayerSignal`."""
        return [{"label": label, **row} for label, signal in self.signals.items() for row in signal.to_dicts()]

    def plot(self) -> Figure:
        """All of them in one picture: rms of outputs above, of gradients below, over the layers.

        Where the verdict says that a signal dies or explodes, its line is marked.

        Raises:
            FaninImportError: matplotlib is missing (`pip install 'fanin[plot]'`).
        """
        from .picture import draw

        return draw(self.signals)

    def _content(self, unfold: bool = False) -> Content:
        words = tuple(f"{label}: {' '.join(signal.verdict.words)}" for label, signal in self.signals.items())
        columns = (Column("initialization"), Column("alive"), *(Column(name, number=True) for name in (
            "first rms", "last rms", "first grad", "last grad", "loss")))
        rows = tuple((label, "yes" if signal.alive else "no", *_ends(signal)) for label, signal in self.signals.items())
        first = next(iter(self.signals.values()))
        return Content(f"Signals through {first.model}", words, (Grid(columns, rows),),
                       (f"{first.model} in {first.mode}. first, last: rms of outputs and of gradients at the first and "
                        "the last layer.",))


def _ends(signal: Signal) -> list[str]:
    gradients = [row.gradient for row in signal.layers if row.gradient is not None]
    loss = signal.loss.value if signal.loss else None
    return [significant(value) for value in (
        signal.layers[0].rms, signal.layers[-1].rms, gradients[0] if gradients else None,
        gradients[-1] if gradients else None, loss)]
