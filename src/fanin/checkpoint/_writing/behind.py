"""Making the next piece while a thread works on the last ones: generating and the disk go on at the same time."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

from .. import _pieces
from . import direct

BUFFERS = 3  # one is made, one is worked on, and one lies between, for a disk that isn't steady


class Behind:
    """A thread that calls `work(piece)` for one piece after another, in the order in which they are given.

    As a context it ends with all pieces worked on, or, after an error or an interrupt here or in `work`, with the rest
    left; either way no thread is at work any more. An error in `work` is raised here, by the next call or at the end.
    """

    def __init__(self, work, done=lambda nbytes: None):
        self._work, self._done, self._stopped = work, done, False
        self._buffers = deque(direct.aligned(_pieces.BUFFER) for _ in range(BUFFERS))
        self._pending = deque()
        self._thread = ThreadPoolExecutor(1, "fanin-checkpoint")

    def take(self):
        """An array of bytes for the next piece, which nobody works on."""
        while len(self._pending) >= BUFFERS:
            self._wait()
        self._buffers.rotate(1)
        return self._buffers[0]

    def give(self, piece):
        """Have `piece`, made in the array that was taken last, worked on; `done` is told its bytes when it has been."""
        self._pending.append((self._thread.submit(self._run, piece), piece.data.nbytes))

    def _run(self, piece):
        if not self._stopped:
            try:
                self._work(piece)
            except BaseException:
                self._stopped = True  # what follows can't be right either
                raise

    def _wait(self):
        future, nbytes = self._pending[0]
        future.result()
        self._pending.popleft()
        self._done(nbytes)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            while kind is None and self._pending:
                self._wait()
        finally:
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
