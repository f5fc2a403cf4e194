"""The kernels of a case as PTX for each architecture, and what the CPU backend draws for its windows.

Both take seconds to compile, so a pool of processes does the cases in turn while the tests run on those that are done.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from .cases import CASES, KEY

PIECE = 8192  # elements: below what takes the CPU's parallel loop, which need not be compiled as well
RANK = 2  # axes that a strided kernel locates
RANKS = {"normal-float32": (0, 1, 4), "normal-complex64": (3,)}  # other ranks, of the same chain of functions
COPIES = ("copy-uint8", "copy-uint16", "copy-uint32", "copy-uint64")  # of arrays that Constant broadcasts


class Built(NamedTuple):
    texts: dict  # (kernel, architecture) -> PTX; the kernels are "run", "strided" (and "strided0" of rank 0), "copy"
    types: dict  # kernel -> numba's types of its arguments
    expected: list  # numbers of each window, as bit patterns


def build(name):
    """Compile the kernels of one case, and draw its windows."""
    from . import offline

    texts, types = {}, {}
    for kernel, (function, signature) in _kernels(name).items():
        library, types[kernel] = offline.lower(function, signature), signature.args
        for architecture in offline.ARCHITECTURES:
            texts[kernel, architecture] = offline.ptx(library, architecture, f"{name}_{kernel}".replace("-", "_"))
    return Built(texts, types, [draw(window) for window in CASES.get(name, ())])


def _kernels(name):
    from fanin._backends.cuda import variants as backend

    if name in COPIES:
        storage = np.dtype(name.removeprefix("copy-"))
        return {"copy": (backend.copier(storage, RANK), backend.copy_signature(RANK))}
    plan = CASES[name][0].plan
    variant = backend.variant(plan.sampler, plan.mask, plan.storage, plan.parts)
    strided = {f"strided{rank}": rank for rank in RANKS.get(name, ())} | {"strided": RANK}
    return {"run": (variant.run, backend.run_signature(plan.params, plan.mask_params))} | {
        kernel: (variant.strided(rank), backend.strided_signature(rank, plan.params, plan.mask_params))
        for kernel, rank in strided.items()}


def draw(window):
    """What the CPU backend draws for a window: numbers as bit patterns."""
    from fanin._drawing.execute import materialize_range

    out = np.empty(window.count, window.plan.dtype)
    for start in range(0, window.count, PIECE):
        materialize_range(window.plan, KEY, window.start + start, out[start:start + PIECE])
    return out.view(f"u{window.plan.storage.itemsize}")


class Builds:
    """All cases, built by a process for each of up to four cores."""

    def __init__(self):
        self._pool = ProcessPoolExecutor(min(4, os.cpu_count()), get_context("spawn"))
        self._jobs = {}

    def order(self, names):
        """Begin with these, in this order."""
        self._jobs |= {name: self._pool.submit(build, name) for name in names if name not in self._jobs}

    def __getitem__(self, name):
        self.order([name])
        return self._jobs[name].result()

    def close(self):
        self._pool.shutdown(cancel_futures=True)
