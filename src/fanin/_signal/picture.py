"""The picture of one signal, or of several over the same layers: forward above, backward below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._report import figure
from .layers import LayerSignal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = 12  # on a line, at most

Line = tuple[list[int], list[float]]


def draw(signals: Mapping[str, Sequence[LayerSignal]]) -> Figure:
    """A figure with a line for each label; without gradients it has one panel."""
    backward = any(row.gradient is not None for layers in signals.values() for row in layers)
    picture, panels = figure.new_figure(2 if backward else 1)
    _panel(panels[0], {label: _line([row.rms for row in layers]) for label, layers in signals.items()},
           "Forward: rms of each layer's output")
    if backward:
        _panel(panels[1], {label: _line([row.gradient for row in layers]) for label, layers in signals.items()},
               "Backward: rms of the gradient at each layer's output")
    if len(signals) > 1:
        figure.name_lines(picture, panels[0])
    figure.write(panels[-1], title=panels[-1].get_title(loc="left"), x="layer, in order of execution")
    return picture


def _line(values: Sequence[float | None]) -> Line:
    """Where a value is, and the value: a logarithmic axis has no place for zero."""
    places = [place for place, value in enumerate(values) if value is not None and 0 < value < float("inf")]
    return places, [value for value in values if value is not None and 0 < value < float("inf")]


def _panel(axes: Axes, lines: Mapping[str, Line], title: str) -> None:
    figure.write(axes, title=title)
    drawn = [(label, *line, figure.style(number)) for number, (label, line) in enumerate(lines.items())]
    for label, places, values, look in drawn:
        axes.semilogy(places, values, label=label, color=look.color, linestyle=look.linestyle, linewidth=1.5,
                      marker=look.marker, markersize=4, markevery=max(1, len(places) // _MARKS))
    values = [value for _, _, line, _ in drawn for value in line]
    if values and max(values) < 10 * min(values):  # a quiet line is not blown up
        axes.set_ylim(min(values) / 10, max(values) * 10)
