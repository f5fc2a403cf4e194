"""fanin's own threads, which share one call's work: the caller, and helpers that are kept for the next call.

They serve where numba's threading layer is not safe, or not wanted (see layer.py).
"""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import NoReturn


class _Job:
    """Pieces of work that the caller and its helpers draw, each the next one that nobody has begun."""

    def __init__(self, work: Callable[[int], None], count: int) -> None:
        self._work: Callable[[int], None] | None = work
        self._todo = collections.deque(range(count))
        self._lock = threading.Lock()
        self._helping = 0
        self._closed = False
        self._left = threading.Lock()  # released when the last helper leaves a closed job
        self._left.acquire()
        self.error: BaseException | None = None

    def work(self) -> None:
        """Do pieces until none is left."""
        work = self._work
        while self._todo and work:
            try:
                piece = self._todo.popleft()
            except IndexError:  # another was quicker
                return
            work(piece)

    def help(self) -> None:
        """A helper's part. It may come late, when the caller has gone on."""
        with self._lock:
            if self._closed:
                return
            self._helping += 1
        try:
            self.work()
        except BaseException as error:  # the caller's to raise
            self.error = error
            self._todo.clear()
        with self._lock:
            self._helping -= 1
            if self._closed and not self._helping:
                self._left.release()

    def close(self) -> None:
        """Leave the other pieces undone, and wait for those at work. After an interrupt it is called again."""
        with self._lock:
            self._closed = True
            self._todo.clear()
            self._work = None  # a late helper need not keep the array alive
            alone = not self._helping
        if not alone:
            self._left.acquire()


class _Team:
    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._size = 0
        self._growing = threading.Lock()

    def call(self, job: _Job, helpers: int) -> None:
        with self._growing, contextlib.suppress(RuntimeError):  # no more threads are allowed: fewer will do
            while self._size < helpers:
                threading.Thread(target=self._serve, name="fanin", daemon=True).start()
                self._size += 1
        for _ in range(min(helpers, self._size)):
            self._jobs.put(job)

    def _serve(self) -> NoReturn:
        while True:
            self._jobs.get().help()


def share(work: Callable[[int], None], count: int, threads: int) -> None:
    """work(0), …, work(count - 1) in this thread and up to threads - 1 helpers; returns when nobody is at work.

    An exception, Ctrl-C above all, is raised when all have finished the piece that they are at: nobody then writes into
    the caller's array any more.
    """
    job = _Job(work, count)
    interrupt: BaseException | None = None
    try:
        _team.call(job, min(threads, count) - 1)
        job.work()
    finally:
        while True:  # no call may stand before this `try`: it would be a place for a second Ctrl-C
            try:
                job.close()
                break
            except BaseException as raised:
                interrupt = raised
    error = interrupt or job.error
    if error:
        raise error


def _renew() -> None:
    global _team
    _team = _Team()  # threads don't survive a fork


_team = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
