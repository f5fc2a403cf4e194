"""What a result has to say, before it becomes text, HTML or a page: words first, then tables."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: its heading.
        number: whether numbers stand in it, which are aligned to the right and never broken.
        path: whether dotted names stand in it, which lose their middle where a line would be too long.
        spare: whether the column is left out of text where a line would be too long, those with the highest number
            first; 0 stays.
    """

    name: str
    number: bool = False
    path: bool = False
    spare: int = 0


class Grid(NamedTuple):
    """A table: plain text in rows of as many cells as there are columns; a cell may have several lines.

    Attributes:
        gap: between columns in text: 1 where there are many.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    gap: int = 2


class Content(NamedTuple):
    """What a result says.

    Attributes:
        title: of the page; not printed elsewhere.
        words: paragraphs before the tables, the verdict first.
        grids: the tables.
        notes: paragraphs after them.
        compact: whether its text has no blank lines between these parts.
    """

    title: str
    words: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()
    compact: bool = False


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits; nothing for None.

    >>> [significant(value) for value in (0.08838834, 12345.6, 0.0, 3e-21, None)]
    ['0.0884', '1.23e+04', '0', '3e-21', '']
    """
    return "" if value is None else f"{value:.{digits}g}"
