"""The style of all pictures: matplotlib figures without pyplot's global state, readable in grey and in dark mode."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
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


def name_ends(axes: Axes, lines: Iterable[tuple[str, Sequence[float], Sequence[float], Style]]) -> None:
    """Each line's name beside its end, moved apart where they would meet: no legend to look up.

    Args:
        lines: (name, x, y, style) of each, with finite numbers only; call it when the axes' limits are final.
    """
    axes.get_ylim()  # which brings the transforms up to date
    places = []
    for name, xs, ys, look in lines:
        if len(xs):
            _, height = axes.transAxes.inverted().transform(axes.transData.transform((xs[-1], ys[-1])))
            places.append((min(max(float(height), 0.0), 1.0), name, look))
    last = -1.0
    for height, name, look in sorted(places, key=lambda place: place[0]):
        last = max(height, last + 0.075)
        axes.annotate(name, (1.0, last), (6, 0), xycoords="axes fraction", textcoords="offset points",
                      color=look.color, fontsize=9, va="center", annotation_clip=False)


def svg(figure: Figure) -> str:
    """The figure as an SVG element to put into a page: real text, and the page's ink for text and axes."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fanin"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg"):].replace(INK, "currentColor")
