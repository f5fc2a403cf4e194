"""Section `layouts`: Uniform into memory and from shards whose elements are no neighbours.

Beside it the two steps that a user could take instead: a fresh contiguous draw of as many elements, and numpy's copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import fanin

from .libraries import scheme_work, torch
from .tables import ratio, table
from .timing import best_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .worker import Settings

SCHEME = fanin.Uniform(-0.05, 0.05)


def measure(settings: Settings) -> list[dict[str, Any]]:
    """[{"label", "fanin", "fresh", "copy", "torch": seconds}] for each row."""
    n = 2**18 if settings.quick else 2**22
    return [_into(label, out, settings.turns) for label, out in _outs(n)] + \
           [_shard(label, shape, index, settings.turns) for label, shape, index in _shards(n)]


def _outs(n: int) -> Iterator[tuple[str, np.ndarray]]:
    side = int(n**0.5)
    yield "[:, :3] of (n, 4)", np.zeros((n, 4), np.float32)[:, :3]
    yield "[:, ::2]", np.zeros((side, 2 * side), np.float32)[:, ::2]
    yield "[:, :-16], padded rows", np.zeros((side, side + 16), np.float32)[:, :-16]
    yield "F order", np.zeros((side, side), np.float32, order="F")
    yield "a convolution, channels last", np.zeros((side // 4, 3, 3, side // 4), np.float32).transpose(0, 3, 1, 2)
    yield "a convolution, output channels last", \
        np.zeros((3, 3, side // 4, side // 4), np.float32).transpose(3, 2, 0, 1)
    half = side // 2  # of as many bytes: each element takes two words
    yield "complex64, F order", np.zeros((side, half), np.complex64, order="F")
    yield "complex64, [:, ::2]", np.zeros((side, side), np.complex64)[:, ::2]
    yield "complex64, a convolution, channels last", \
        np.zeros((side // 4, 3, 3, half // 4), np.complex64).transpose(0, 3, 1, 2)


def _shards(n: int) -> Iterator[tuple[str, tuple[int, ...], tuple[slice, ...]]]:
    for width in (1, 2, 8, 64):
        yield f"shard {width} wide of 1024", (n // width, 1024), (slice(None), slice(width, 2 * width))
    yield "shard 8 wide of 1023", (n // 8, 1023), (slice(None), slice(7, 15))
    yield "shard with step 2", (2 * n,), (slice(None, None, 2),)


def _into(label: str, out: np.ndarray, turns: int) -> dict[str, Any]:
    works = {"fanin": scheme_work(SCHEME, out), **_two_steps(out)}
    if torch is not None:
        tensor = torch.from_numpy(out)
        if tensor.is_complex():  # which uniform_ doesn't take
            tensor = torch.view_as_real(tensor)
        works["torch"] = lambda: tensor.uniform_(-0.05, 0.05)
    return {"label": label, **best_times(works, turns)}


def _shard(label: str, shape: tuple[int, ...], index: tuple[slice, ...], turns: int) -> dict[str, Any]:
    out = SCHEME.shard(shape, index, seed=0)
    works = {"fanin": lambda: SCHEME.shard(shape, index, seed=0, out=out), **_two_steps(out)}
    return {"label": label, **best_times(works, turns)}


def _two_steps(out: np.ndarray) -> dict[str, Callable[[], object]]:
    values = SCHEME(out.shape, out.dtype, seed=0)
    return {"fresh": lambda: SCHEME(out.shape, out.dtype, seed=0), "copy": lambda: np.copyto(out, values)}


def tables(results: list[dict[str, Any]]) -> str:
    header = ["Uniform (float32, unless it says otherwise), one core, ms", "fanin", "a fresh draw", "numpy's copy",
              "fanin / both", "torch", "fanin / torch"]
    rows = []
    for row in results:
        times = [row.get(name) for name in ("fanin", "fresh", "copy", "torch")]
        of_fanin, fresh, copy, of_torch = (time and time * 1e3 for time in times)
        rows.append([row["label"], of_fanin, fresh, copy, of_fanin / (fresh + copy), of_torch,
                     ratio(of_fanin, of_torch)])
    return table(header, rows)
