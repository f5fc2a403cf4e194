"""Which threads share large draws, as the user has chosen for the process. Nothing here loads numba."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

from .. import _checks
from .._errors import FaninValueError

Threads: TypeAlias = Literal["numba", "own", "none"]
CHOICES = ("numba", "own", "none")

_chosen: str | None = None  # by set_threading


def set_threading(threads: Threads) -> None:
    """Choose for this process which threads share large draws on the CPU. The numbers are the same with each.

    The environment variable `FANIN_THREADS` says the same from outside; this function overrides it. Draws that are
    running finish as they began. Small draws, and all draws where only one processor may be used, take one thread
    whatever the choice.

    Args:
        threads: "numba" (the default): numba's own parallel loops, in the threading layer that numba is told to use,
            which the first large draw starts if nobody has. Where that is not safe (in a forked child, on
            other layers than OpenMP, beside another draw, inside a parallel loop) fanin's own threads draw the same
            pieces.
            "own": threads that fanin keeps; no layer of numba's is ever started.
            "none": the calling thread alone.

    Raises:
        FaninValueError: another value.

    Examples:
        >>> import fanin
        >>> fanin.set_threading("own")
        >>> fanin.set_threading("numba")
    """
    global _chosen
    _chosen = _checks.choice("threads", threads, CHOICES)


def chosen() -> str:
    """The user's choice, but "own" instead of "numba" in a forked child.

    OpenMP's threads don't survive a fork: numba then ends the child, and another library's OpenMP that was busy in the
    parent may hang it.
    """
    choice = _chosen or _from_environment()
    return "own" if _forked and choice == "numba" else choice


def _from_environment() -> str:
    value = os.environ.get("FANIN_THREADS", "")
    if value and value not in CHOICES:
        raise FaninValueError(f"`FANIN_THREADS` must be one of {', '.join(map(repr, CHOICES))} (got {value!r})")
    return value or "numba"


def _runs_on_after_a_fork() -> bool:
    """Whether this process was forked before fanin was imported, and still runs its parent's program. Linux says so."""
    try:
        with open("/proc/self/stat", "rb") as stat:  # pathlib takes 4 ms to import
            flags = int(stat.read().rpartition(b")")[2].split()[6])
    except (OSError, ValueError, IndexError):
        return False
    return bool(flags & 0x40)  # PF_FORKNOEXEC


def _note_fork() -> None:
    global _forked
    _forked = True


_forked = _runs_on_after_a_fork()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
