"""The style of all pictures: matplotlib figures without pyplot's global state, readable in grey and in dark mode."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from .._errors import missing_dependency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Text and axes: the page's own colour where the picture stands in one.
INK = "#404040"


class Style(NamedTuple):
    """How one line looks: lines differ in dashes and markers, too, for print in grey."""

    color: str
    linestyle: Any
    marker: str


# Near Okabe and Ito's colours for colour-blind readers, each at least 3:1 on white and on a dark page.
STYLES = (
    Style("#1F7FC0", "-", "o"),
    Style("#D55E00", (0, (5, 1.5)), "s"),
    Style("#009E73", (0, (1.2, 1.2)), "^"),
    Style("#B4609A", (0, (5, 1.5, 1.2, 1.5)), "D"),
    Style("#767676", (0, (8, 2)), "v"),
)


def new_figure(panels: int = 1, *, width: float = 8.0, height: float = 3.0, sharex: bool = True
               ) -> tuple[Figure, list[Axes]]:
    """A figure with panels one above the other, of `height` inches each.

    Raises:
        FaninImportError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_dependency("a picture", "matplotlib", "plot") from error
    figure = Figure(figsize=(width, height * panels), layout="constrained")
    axes = list(figure.subplots(panels, squeeze=False, sharex=sharex)[:, 0])
    for each in axes:
        each.grid(color="#80808050", linewidth=0.6)
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(INK)
        each.tick_params(colors=INK, which="both", labelsize=9)
    return figure, axes


def style(number: int) -> Style:
    """The look of line number `number`, from 0."""
    return STYLES[number % len(STYLES)]


def write(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Title and names of the axes, in the ink of all pictures."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)


def mark(axes: Axes, x: float, y: float, word: str, color: str) -> None:
    """A cross in a ring around a point of a line, and a word below it."""
    axes.plot([x], [y], linestyle="", marker="o", markersize=11, markerfacecolor="none", markeredgecolor=color,
              markeredgewidth=1.6, label="_mark")
    axes.plot([x], [y], linestyle="", marker="x", markersize=6, markeredgecolor=color, markeredgewidth=1.6,
              label="_mark")
    axes.annotate(word, (x, y), (0, -8), textcoords="offset points", fontsize=9, color=INK, ha="center", va="top")


def name_lines(picture: Figure, axes: Axes) -> None:
    """A legend above all panels, with each line's dashes and marker, which tell it apart in grey, too."""
    lines = [line for line in axes.get_lines() if line.get_label() != "_mark"]
    picture.legend(handles=lines, loc="outside upper left", ncols=len(STYLES), frameon=False, fontsize=9,
                   labelcolor=INK, handlelength=4)


def svg(figure: Figure, page: bool = True) -> str:
    """The figure as SVG, with real text.

    Args:
        page: an element to put into a page, whose ink text and axes have; else a file's content, on white.
    """
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fanin"}):
        figure.savefig(text, format="svg", transparent=page, metadata={"Date": None, "Creator": None})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg"):].replace(INK, "currentColor") if page else drawing
