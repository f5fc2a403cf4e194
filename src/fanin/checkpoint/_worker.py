"""A thread that works on pieces while the next one is made: generating and the disk go on at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _direct, _pieces
from ._pieces import Piece

if TYPE_CHECKING:
    from typing import Self

    from .._types import Array

BUFFERS = 3  # one is made, one is worked on, and one lies between, for a disk that isn't steady


class Worker:
    """Calls `work(piece)` in a thread of its own, for one piece after another, in the order of their submission.

    As a context it ends with all pieces worked on, or, after an error or an interrupt here or in `work`, with the rest
    left; either way no thread is at work any more. An error in `work` is raised here, by the next call or at the end.
    """

    def __init__(self, work: Callable[[Piece], object], done: Callable[[int], object] | None = None) -> None:
        """`done` is told the bytes of each piece that has been worked on."""
        self._work, self._done, self._stopped = work, done, False
        self._buffers = deque(_direct.aligned(_pieces.BUFFER) for _ in range(BUFFERS))
        self._pending: deque[tuple[Future[None], int]] = deque()
        self._thread = ThreadPoolExecutor(1, "fanin-checkpoint")

    def free_buffer(self) -> Array:
        """An array of bytes for the next piece, which no work is done on; it waits until there is one."""
        while len(self._pending) >= BUFFERS:
            self._wait_for_first()
        self._buffers.rotate(1)
        return self._buffers[0]

    def submit(self, piece: Piece) -> None:
        """Have `piece` worked on, which was made in the last free buffer."""
        self._pending.append((self._thread.submit(self._run, piece), piece.data.nbytes))

    def _run(self, piece: Piece) -> None:
        if self._stopped:
            return
        try:
            self._work(piece)
        except BaseException:
            self._stopped = True  # what follows can't be right either
            raise

    def _wait_for_first(self) -> None:
        future, nbytes = self._pending[0]
        future.result()
        self._pending.popleft()
        if self._done is not None:
            self._done(nbytes)

    def _end_thread(self) -> None:
        interrupt = None
        while True:  # a second Ctrl-C must not leave the thread at work on what is closed next
            try:
                self._stopped = True
                self._thread.shutdown()
                break
            except BaseException as raised:
                interrupt = raised
        if interrupt is not None:
            raise interrupt

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> Any:
        try:
            while kind is None and self._pending:
                self._wait_for_first()
        finally:
            self._end_thread()
