"""What a command line does with its terminal: tables, a progress bar, warnings and errors in one line, Ctrl-C."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import NoReturn, TextIO

from ._errors import FaninWarning, one_line


def print_table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: to fit a terminal, and elsewhere a line for each row, however long."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    # Names are data: no markup. Elsewhere than on a terminal nothing may be folded or cut, so the width is no limit.
    console = Console(file=sys.stdout, width=None if terminal else 10**6, markup=False, highlight=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if terminal:
        console.print(table)
        return
    with console.capture() as text:
        console.print(table)
    for line in text.get().splitlines():
        print(line.rstrip())  # columns are padded, the last one too


class Progress:
    """What a long command tells its user: the file that it is at, and how much is done."""

    def __init__(self, check: Callable[[], None], show: Callable[..., object], first: str) -> None:
        """`check` is called at each step; `show` takes what changes of rich's task; `first` comes before all bytes."""
        self._check, self._show, self._first = check, show, first
        self._file, self._done = "", 0

    def begin(self, path: str) -> None:
        """A file comes next."""
        self._file = os.path.basename(path)
        self._show(description=self._file if self._done else f"{self._file}: {self._first}")

    def advance(self, done: int, total: int) -> None:
        """`done` of `total` bytes lie behind us."""
        self._check()
        self._done = done
        self._show(description=self._file, completed=done, total=total)


@contextlib.contextmanager
def progress_bar(check: Callable[[], None], first: str) -> Iterator[Progress]:
    """Gives a `Progress`: a bar on a terminal, which says `first` before the first bytes; silence elsewhere."""
    if not sys.stderr.isatty():
        yield Progress(check, lambda **changes: None, first)
        return
    from rich import progress
    from rich.console import Console

    words = progress.TextColumn("{task.description}", markup=False)  # names are data
    columns = (words, progress.BarColumn(20), progress.DownloadColumn(), progress.TransferSpeedColumn(),
               progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(first, total=None)
        yield Progress(check, functools.partial(bar.update, task), first)


@contextlib.contextmanager
def collected_warnings(as_errors: bool = False) -> Iterator[list[str]]:
    """Gives the list that fanin's own warnings go into, a line each, or raises them; others are shown as ever."""
    remarks: list[str] = []
    show = warnings.showwarning

    def collect(message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
                line: str | None = None) -> None:
        if issubclass(category, FaninWarning):
            remarks.append(one_line(str(message)))
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("error" if as_errors else "always", FaninWarning)
        warnings.showwarning = collect
        yield remarks


@contextlib.contextmanager
def interrupts() -> Iterator[Callable[[], None]]:
    """Ctrl-C and a request to end raise KeyboardInterrupt; gives a function that raises it again, should it be lost.

    Python runs a signal's handler wherever it happens to be, and what is raised in a library's callback or a finalizer
    goes no further than a message.
    """
    caught: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        caught.append(number)
        raise KeyboardInterrupt

    def check() -> None:
        if caught:
            raise KeyboardInterrupt

    def unraisable(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(lost)

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # only the main thread may
        yield check
        return
    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        yield check
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def error_lines(error: BaseException) -> list[str]:
    """What an error says, in one line, and in one each what else is wrong."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        text = str(error) or type(error).__name__
    return [" ".join(line.split()) for line in (text, *getattr(error, "__notes__", ()))]
