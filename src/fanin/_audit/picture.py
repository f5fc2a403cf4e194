"""The picture of an audit: std and kurtosis of each tensor, marked by its law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._report.figure import INK, new_figure, style, write
from .entries import Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Which laws share a marker, and the name of it.
GROUPS = (("normal", ("normal", "truncated", "sparse")), ("uniform", ("uniform",)),
          ("orthogonal", ("orthogonal", "delta_orthogonal")), ("none of these", ("none",)), ("too few", ("few",)))
USUAL = ((0.0, "normal"), (-0.63, "cut at 2 σ"), (-1.2, "uniform"))


def draw(entries: Sequence[Entry]) -> Figure:
    """The figure; tensors without a spread, such as constants, are left out."""
    figure, (spread, tails) = new_figure(2, height=2.6)
    for number, (title, laws) in enumerate(GROUPS):
        places = [place for place, entry in enumerate(entries) if entry.law.name in laws and entry.std]
        if not places:
            continue
        look = style(number)
        stds = [entries[place].std or 0.0 for place in places]
        kurtosis = [moments.kurtosis for place in places if (moments := entries[place].seen.moments) is not None]
        for axes, heights in ((spread, stds), (tails, kurtosis)):
            axes.plot(places, heights, linestyle="", marker=look.marker, color=look.color, markersize=5, label=title)
    spread.set_yscale("log")
    tails.set_yscale("symlog", linthresh=2.0, linscale=2.0)
    tails.set_ylim(bottom=-2.0)
    for height, title in USUAL:
        tails.axhline(height, color=INK, linewidth=0.8, linestyle=":")
        tails.annotate(title, (1.0, height), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                       fontsize=8, color=INK, va="center")
    write(spread, title="What the tensors' scales are", y="std")
    write(tails, title="How heavy their tails are", x="tensor, in the file's order", y="excess kurtosis")
    if spread.lines:
        spread.legend(fontsize=8, labelcolor=INK, frameon=False, ncols=len(GROUPS), loc="lower left",
                      bbox_to_anchor=(0.0, -0.22))
    return figure
