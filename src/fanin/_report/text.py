"""Content as text: by rich, in a terminal's colours or none, and in lines that fit."""

from __future__ import annotations

import io
import re
import shutil
from typing import TYPE_CHECKING

from .content import Content, Grid

if TYPE_CHECKING:
    from rich.console import RenderableType

_GAP = 2  # between columns
_SMALLEST = 20  # what a column of names keeps of its width
_WRAPPED = 24  # what a column of words, which may break into lines, claims of it
_DOT = re.compile(r"\.(?![^{]*\})")  # between words, not inside of {0..79}


def to_text(content: Content, width: int | None = None) -> str:
    """Plain text in lines of at most `width` characters; None: as wide as the terminal, and 80 where there is none."""
    from rich.console import Console

    width = width or shutil.get_terminal_size((80, 24)).columns
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(
        renderable(content, width))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def renderable(content: Content, width: int) -> RenderableType:
    """What rich prints."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(words, "bold" if number == 0 else "")
                                   for number, words in enumerate(content.words)]
    parts += [_table(grid, width) for grid in content.grids]
    parts += [Text(note, "dim") for note in content.notes]
    spaced = [piece for part in parts for piece in (Text(), part)][1:]
    return Group(*spaced)


def _table(grid: Grid, width: int) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in grid.columns:
        table.add_column(column.name, justify="right" if column.number else "left",
                         no_wrap=column.number or column.path, overflow="fold")
    for row in fitted(grid, width):
        table.add_row(*map(Text, row))  # names are data: no markup
    return Group(Text(grid.title, "bold"), table) if grid.title else table


def fitted(grid: Grid, width: int) -> list[tuple[str, ...]]:
    """The rows, with names shortened where the others leave them too little room."""
    paths = [place for place, column in enumerate(grid.columns) if column.path]
    widths = [max(len(cell) for cell in cells) for cells in zip([column.name for column in grid.columns], *grid.rows)]
    widths = [width if column.number or column.path else min(width, _WRAPPED)
              for column, width in zip(grid.columns, widths)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    if not paths or excess <= 0:
        return list(grid.rows)
    limit = max(_SMALLEST, max(widths[place] for place in paths) - -(-excess // len(paths)))
    return [tuple(shorten(cell, limit) if place in paths else cell for place, cell in enumerate(row))
            for row in grid.rows]


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
