"""`find_seed`: the seed that a tensor was drawn with."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends.threads import share
from ..._drawing.arrays import as_numpy
from ..._errors import FaninTypeError, FaninValueError
from ._draws import GROUP, Draw, Normal, Uniform, fill_part
from ._twister import Twister, compiled

if TYPE_CHECKING:
    from ..._types import Array

SEEDS = 2**32
PIECE = 2**20  # seeds that a thread goes through at a time: some 20 ms
LEAST = 6  # numbers: two tell the law's parameters, each other one 20 bits of the seed
COMPARED = 4096  # numbers by which a seed that may be the one is judged
ROUNDING = 2.0**-21  # of the largest number: the error of a draw and of the comparison


def find_seed(tensor: Any) -> int | None:
    """The seed in [0, 2**32) with which `torch.manual_seed` drew this tensor first of all; None if none did.

    The tensor is a draw of torch's on the CPU, in float32 and contiguous: by `uniform_`, `kaiming_uniform_` or
    `xavier_uniform_` with any bounds (so a layer's default weight), or, of 16 numbers and more, by `normal_`,
    `kaiming_normal_` or `xavier_normal_` with any mean and std; and nothing was drawn between seeding and it. All seeds
    are tried, on all cores, some minutes at most, with a progress bar where stderr is a terminal. Seeds beyond 32 bits
    draw as their low 32 bits do.

    Args:
        tensor: a numpy array, a tensor or another array of at least 6 numbers, not all equal.

    Raises:
        FaninTypeError: not of float32. FaninValueError: too few numbers, or none that tell.

    >>> import numpy as np
    >>> from fanin.compat.torch import Generator, normal_
    >>> find_seed(normal_(np.empty(50, "float32"), std=0.02, generator=Generator().manual_seed(1234)))
    1234
    """
    numbers = as_numpy("tensor", tensor)
    if numbers.dtype != np.float32:
        raise FaninTypeError(f"`tensor` must be of float32 (got {numbers.dtype}): other types are drawn otherwise")
    numbers = np.ascontiguousarray(numbers).reshape(-1)
    if len(numbers) < LEAST or not np.isfinite(numbers).all() or np.ptp(numbers[:LEAST]) == 0:
        raise FaninValueError(f"`tensor` must have at least {LEAST} finite numbers that are not all equal (got "
                              f"{numbers[:LEAST]} of {len(numbers)})")
    clues, loop = _clues(numbers), compiled("search")
    from ..._backends.sharing import thread_count

    threads = thread_count()
    flags = np.zeros((threads, PIECE), np.bool_)
    loop(0, flags[0, :0], *clues)  # compiles
    with _progress() as progress:
        for start in range(0, SEEDS, threads * PIECE):
            share(functools.partial(_search, loop, start, flags, clues), threads, threads)
            for seed in start + np.flatnonzero(flags):
                if seed < SEEDS and _drew(int(seed), numbers):
                    return int(seed)
            progress(start + threads * PIECE)
    return None


def _search(loop: Any, start: int, flags: Array, clues: tuple[Any, ...], i: int) -> None:
    loop(start + i * PIECE, flags[i], *clues)


def _clues(numbers: Array) -> tuple[Array, Array, int]:
    """What the search compares: three numbers of a uniform draw, three of a group of 16, and where its words begin.

    With each three the largest mismatch; -1 where the law is out of the question.
    """
    n = len(numbers)
    uniform, normal, offset = np.full(4, -1, np.float32), np.full(4, -1, np.float32), 0
    uniform[:3] = numbers[:3]
    uniform[3] = 8 * ROUNDING * abs(numbers[:3]).max()
    if n >= GROUP:
        # the first group of few numbers may be overwritten by the last, which is drawn after all others
        offset = n if n < 2 * GROUP and n % GROUP else 0
        group = numbers[-GROUP:] if offset else numbers
        normal[:3] = group[[0, 1, 8]]
        normal[3] = 8 * ROUNDING * abs(normal[:3]).max()
    return uniform, normal, offset


def _drew(seed: int, numbers: Array) -> bool:
    """Whether the seed's first draw, uniform or normal, is these numbers but for a shift and a scale."""
    n = len(numbers)
    laws: list[Draw] = [Uniform(numbers.dtype, 0.0, 1.0)]
    if n >= GROUP:
        laws.append(Normal(numbers.dtype, 0.0, 1.0))
    for law in laws:
        standard = np.empty(min(n, COMPARED), np.float32)
        fill_part(law, Twister.seeded(seed), n, 0, standard)
        scale, shift = np.polyfit(standard.astype(float), numbers[:len(standard)].astype(float), 1)
        error = abs(scale * standard + shift - numbers[:len(standard)]).max()
        if error <= 8 * ROUNDING * (abs(shift) + abs(scale) * abs(standard).max()):
            return True
    return False


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Gives a function of the number of seeds that were tried: a bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich import progress
    from rich.console import Console

    columns = progress.BarColumn(), progress.TaskProgressColumn(), progress.TimeRemainingColumn()
    with progress.Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        yield functools.partial(_advance, bar, bar.add_task("", total=SEEDS))


def _advance(bar: Any, task: Any, done: int) -> None:
    bar.update(task, completed=done)
