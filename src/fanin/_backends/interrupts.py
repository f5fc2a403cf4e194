"""Ctrl-C that waits for the end of what must not be left half done: importing numba, and compiling with it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep SIGINT until the end of the block, and let its handler have it there.

    After an interrupted `import numba` the next import finds half of its modules, so that no later draw of the process
    succeeds; an interrupt in the middle of LLVM's work is lost in one of its callbacks. Handlers run in the main thread
    only, so other threads need no care.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield  # ignored, or left to the system, or to a handler that isn't Python's
        return
    kept: list[tuple[Any, ...]] = []
    try:
        signal.signal(signal.SIGINT, lambda *arguments: kept.append(arguments))
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if kept:
        handler(*kept[0])
