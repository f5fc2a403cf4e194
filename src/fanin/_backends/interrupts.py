"""Ctrl-C and forks wait for the end of what must not be left half done: importing numba, and compiling with it."""

from __future__ import annotations

import contextlib
import logging  # noqa: F401 - so that a fork runs the hooks below before those of logging, which numba imports: 4 ms
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

_whole = threading.RLock()  # held while something is half done
_awaited: list[Any] = [_whole]  # locks that a fork takes, in this order
_taken: list[Any] = []  # those of the fork that is under way


def forks_wait_for(lock: Any) -> None:
    """Let forks wait until the lock is free, too: who takes both takes it last."""
    _awaited.append(lock)


def _before_fork() -> None:
    for lock in _awaited:  # to which the import that it waits for may add
        lock.acquire()
        _taken.append(lock)


def _after_fork() -> None:
    taken = _taken[:]
    _taken.clear()
    for lock in reversed(taken):
        lock.release()


if hasattr(os, "register_at_fork"):
    # a child forked in the middle of another thread's import would wait forever for that thread, which it hasn't got
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep SIGINT until the end of the block, and let its handler have it there; other threads' forks wait.

    After an interrupted `import numba` the next import finds half of its modules, so that no later draw of the process
    succeeds; an interrupt in the middle of LLVM's work is lost in one of its callbacks. Handlers run in the main thread
    only, so other threads need no care.
    """
    with _whole, _without_interrupts():
        yield


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
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
        if kept:  # also where the block failed: else the interrupt would be lost
            handler(*kept[0])
