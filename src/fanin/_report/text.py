"""Content as text: by rich, in a terminal's colours or none, and in lines that fit."""

from __future__ import annotations

import io
import re
import shutil
import sys
from typing import TYPE_CHECKING

from .content import Content, Grid

if TYPE_CHECKING:
    from rich.console import RenderableType

_SMALLEST = 20  # what a column of names keeps of its width
_WRAPPED = 24  # what a column of words, which may break into lines, claims of it
_DOT = re.compile(r"\.(?![^{]*\})")  # between words, not inside of {0..79}


def to_text(content: Content, width: int | None = None) -> str:
    """Plain text in lines of at most `width` characters; None: as wide as the terminal, and 80 where there is none."""
    from rich.console import Console

    width = width or shutil.get_terminal_size((80, 24)).columns
    text = io.StringIO()
    # rich would else write to a terminal's or a notebook's output of its own
    console = Console(file=text, width=width, color_system=None, force_terminal=False, legacy_windows=False,
                      force_jupyter=False)
    console.print(renderable(content, width))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def print_content(content: Content) -> None:
    """Print on standard output: to fit a terminal, in its colours, and elsewhere a line for each row, however long."""
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console(file=sys.stdout, highlight=False)
        console.print(renderable(content, console.width))
    else:
        sys.stdout.write(to_text(content, 10**6) + "\n")


def renderable(content: Content, width: int) -> RenderableType:
    """What rich prints."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(words, "bold" if number == 0 else "")
                                   for number, words in enumerate(content.words)]
    parts += [_table(grid, width) for grid in content.grids]
    parts += [Text(note, "dim") for note in content.notes]
    if content.compact:
        return Group(*parts)
    spaced = [piece for part in parts for piece in (Text(), part)][1:]
    return Group(*spaced)


def _table(grid: Grid, width: int) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = without_spare(grid, width)
    table = Table(box=None, pad_edge=False, padding=(0, grid.gap, 0, 0), header_style="bold")
    for column in grid.columns:
        table.add_column(column.name, justify="right" if column.number else "left",
                         no_wrap=column.number or column.path, overflow="fold")
    for row in fitted(grid, width):
        table.add_row(*map(Text, row))  # names are data: no markup
    return Group(Text(grid.title, "bold"), table) if grid.title else table


def without_spare(grid: Grid, width: int) -> Grid:
    """The table without as many of its spare columns as keep a line from fitting."""
    while _excess(grid, width) > 0 and any(column.spare for column in grid.columns):
        most = max(column.spare for column in grid.columns)
        kept = [place for place, column in enumerate(grid.columns) if column.spare < most]
        grid = grid._replace(columns=tuple(grid.columns[place] for place in kept),
                             rows=tuple(tuple(row[place] for place in kept) for row in grid.rows))
    return grid


def fitted(grid: Grid, width: int) -> list[tuple[str, ...]]:
    """The rows, with names shortened where the others leave them too little room."""
    paths, excess = [place for place, column in enumerate(grid.columns) if column.path], _excess(grid, width)
    if not paths or excess <= 0:
        return list(grid.rows)
    widths = _widths(grid)
    limit = max(_SMALLEST, max(widths[place] for place in paths) - -(-excess // len(paths)))
    return [tuple(shorten(cell, limit) if place in paths else cell for place, cell in enumerate(row))
            for row in grid.rows]


def _excess(grid: Grid, width: int) -> int:
    """By how much a line is too long; below 0 where it is not."""
    widths = _widths(grid)
    return sum(widths) + grid.gap * (len(widths) - 1) - width


def _widths(grid: Grid) -> list[int]:
    """What the columns claim: text may break into lines, between words."""
    widths = []
    for column, cells in zip(grid.columns, zip([column.name for column in grid.columns], *grid.rows)):
        whole = max(len(line) for cell in cells for line in cell.split("\n"))
        word = max(len(word) for cell in cells for word in (cell.split() or [""]))
        widths.append(whole if column.number or column.path else max(min(whole, _WRAPPED), word))
    return widths


def shorten(name: str, width: int) -> str:
    """A dotted name without as much of its middle as doesn't fit, whole words at a time while that is possible.

    >>> shorten("model.layers.{0..79}.mlp.experts.up_proj.weight ×80", 36)
    'model.layers.….up_proj.weight ×80'
    >>> shorten("a_name_without_any_dots_in_it", 12)
    'a_nam…_in_it'
    """
    words = _DOT.split(name)
    for kept in range(len(words), 1, -1):
        head = words[:kept // 2]
        short = ".".join([*head, "…", *words[len(words) - (kept - len(head)):]]) if kept < len(words) else name
        if len(short) <= width:
            return short
    tail = width // 2
    return name if len(name) <= width else f"{name[:width - tail - 1]}…{name[len(name) - tail:]}"
