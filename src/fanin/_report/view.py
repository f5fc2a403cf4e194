"""What can be looked at: a class says its content, and has a text, a terminal's and a notebook's view of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import html, text
from .content import Content

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderableType


class View:
    """Anything with content: printed, shown by rich, shown in a notebook."""

    def _content(self, unfold: bool = False) -> Content:
        """What there is to say; runs of layers stand in one row each unless `unfold`."""
        raise NotImplementedError

    def to_text(self, *, unfold: bool = False, width: int | None = None) -> str:
        """As text.

        Args:
            unfold: a row for each layer, instead of one for a run of layers that are alike.
            width: of a line, in characters; None: of the terminal, and 80 where there is none.
        """
        return text.to_text(self._content(unfold), width)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return self.to_text()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield text.renderable(self._content(), options.max_width)

    def _repr_html_(self) -> str:
        return html.fragment(self._content())


class Report(View):
    """A view with data and a picture, so with a page."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each row, of plain values: pandas and polars make a frame of the list."""
        raise NotImplementedError

    def plot(self) -> Figure:
        """A matplotlib figure, which pyplot doesn't know of: `figure.savefig(path)`, or shown by a notebook.

        Raises:
            FaninImportError: matplotlib is missing (`pip install 'fanin[plot]'`).
        """
        raise NotImplementedError

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write all of it, picture included, as one page that needs no network. A file that is there is replaced.

        Raises:
            FaninImportError: as `plot`. OSError: the file can't be written.
        """
        from . import figure

        whole = html.page(self._content(unfold=True), figure.svg(self.plot()))
        Path(path).write_text(whole, encoding="utf-8")
