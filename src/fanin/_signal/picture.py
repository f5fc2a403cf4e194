"""The pictures: of signals over the same layers, forward above and backward below; of a model over widths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .._report import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .coordinates import CoordCheck
    from .result import Signal

_MARKS = 12  # on a line, at most


class Line(NamedTuple):
    """A line of a panel: where it has values, these, and where what happens to it; {place: word}."""

    places: list[int]
    values: list[float]
    faults: dict[int, str]


def draw(signals: Mapping[str, Signal]) -> Figure:
    """A figure with a line for each label; without gradients it has one panel."""
    backward = any(row.gradient is not None for signal in signals.values() for row in signal.layers)
    picture, panels = figure.new_figure(2 if backward else 1)
    forward = {label: _line([row.rms for row in signal.layers], signal, False) for label, signal in signals.items()}
    _panel(panels[0], forward, "Forward: rms of each layer's output")
    if backward:
        gradients = {label: _line([row.gradient for row in signal.layers], signal, True)
                     for label, signal in signals.items()}
        _panel(panels[1], gradients, "Backward: rms of the gradient at each layer's output")
    if len(signals) > 1:
        figure.name_lines(picture, panels[0])
    figure.write(panels[-1], title=panels[-1].get_title(loc="left"), x="layer, in order of execution")
    return picture


def _line(values: Sequence[float | None], signal: Signal, backward: bool) -> Line:
    """The values that there are: a logarithmic axis has no place for zero. A fault stands at the nearest of them."""
    places = [place for place, value in enumerate(values) if value is not None and 0 < value < math.inf]
    faults: dict[int, str] = {}
    for fault in signal.verdict.faults if places else ():
        if fault.backward == backward:
            nearest = min((abs(place - fault.place), place) for place in places)[1]
            faults[nearest] = fault.word
    return Line(places, [value for value in values if value is not None and 0 < value < math.inf], faults)


def _panel(axes: Axes, lines: Mapping[str, Line], title: str) -> None:
    figure.write(axes, title=title)
    for number, (label, line) in enumerate(lines.items()):
        look = figure.style(number)
        axes.semilogy(line.places, line.values, label=label, color=look.color, linestyle=look.linestyle, linewidth=1.5,
                      marker=look.marker, markersize=4, markevery=max(1, len(line.places) // _MARKS))
        for place, word in line.faults.items():
            figure.mark(axes, place, line.values[line.places.index(place)], word, look.color)
    values = [value for line in lines.values() for value in line.values]
    if values and max(values) < 10 * min(values):  # a quiet line is not blown up
        axes.set_ylim(min(values) / 10, max(values) * 10)


def draw_widths(check: CoordCheck) -> Figure:
    """A figure with a panel before the first step and one after the last: a grey line for each layer, coloured ones for
    the first that grow.
    """
    picture, panels = figure.new_figure(2)
    named = [title for title in check.powers if title in check.growing][:len(figure.STYLES) - 1]  # the last one is grey
    for axes, step in zip(panels, (0, check.steps)):
        figure.write(axes, title=f"rms of each layer's output, {f'after step {step}' if step else 'at the start'}")
        for layer in check.layers:
            points = [(width, rms) for width, rms in zip(check.widths, layer.rms[step]) if 0 < rms < math.inf]
            look = figure.style(named.index(layer.title) if layer.title in named else len(figure.STYLES) - 1)
            axes.loglog([width for width, _ in points], [rms for _, rms in points], color=look.color,
                        linestyle=look.linestyle, marker=look.marker, markersize=4,
                        linewidth=1.5 if layer.title in named else 0.8,
                        label=layer.title if layer.title in named else "_mark")
        axes.set_xticks(check.widths, [str(width) for width in check.widths])
        axes.minorticks_off()
    if named:
        figure.name_lines(picture, panels[0])
    figure.write(panels[-1], title=panels[-1].get_title(loc="left"), x="width")
    return picture
