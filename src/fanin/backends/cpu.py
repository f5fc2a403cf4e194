"""Every core of this machine: the loops of loops.py through `@njit(parallel=True)`, a variant per sampler and type."""

import functools
import hashlib
import os
import threading
import warnings
from pathlib import Path

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .. import kernels
from .._errors import FaninTypeError
from ..kernels._device import register_cpu
from ..kernels.literals import fingerprint
from ..kernels.samplers import constant, constant_pair
from . import loops
from ._blocks import block_of, is_wide
from ._strides import as_run, target

SMALL = 32768  # numbers below which starting threads costs more than it gains
SCRATCH = 65536  # elements of the one temporary, for arrays whose strides the loops can't express

register_cpu()


def fill(plan, key, out, block, serial=False):
    """Write the elements of `block` into `out`, an array of its dims and of the plan's dtype.

    `serial` keeps it to this thread.
    """
    if out.size == 0:
        return
    if plan.mask is None and (plan.sampler is constant or plan.sampler is constant_pair):
        _fill_constant(plan, out)
        return
    storage, parts = plan.storage, plan.parts
    kernels = _kernels(plan.sampler, plan.mask, storage, parts)
    run = as_run(out, block, storage)
    place = None if run is not None else target(out, block, storage)
    serial = serial or out.size * parts < SMALL
    try:
        if run is not None:
            _call(kernels.run, serial, run, block.start * parts, key.words, plan.params, plan.mask_params)
        elif place is not None:
            _call(kernels.strided, serial, *place, key.words, plan.params, plan.mask_params)
        else:
            _fill_through_scratch(plan, key, out, block)
    except numba.core.errors.NumbaError as error:  # nothing was written: the kernel was never run
        raise FaninTypeError(f"`sampler` {plan.sampler.__name__} must be made of + - * /, comparisons, `a if condition "
                             "else b` and fanin.math; the compiler's own words stand above") from error


def _fill_constant(plan, out):
    # numpy fills plain integers at the speed of memory, half and complex types at a tenth of it
    if out.flags.c_contiguous and plan.parts == 1:
        out.reshape(-1).view(plan.storage).fill(plan.params[0])
    else:
        out[...] = np.array(plan.params).view(out.dtype)[0]


def _fill_through_scratch(plan, key, out, block):
    if out.size <= SCRATCH:
        scratch = np.empty(out.shape, out.dtype)
        fill(plan, key, scratch, block)
        out[...] = scratch
        return
    axis = int(np.argmax(out.shape))
    middle = out.shape[axis] // 2
    for part in (slice(None, middle), slice(middle, None)):
        piece = out[(slice(None),) * axis + (part,)]
        start = block.start + (part.start or 0) * block.steps[axis]
        _fill_through_scratch(plan, key, piece, block._replace(start=start, dims=piece.shape))


# -- serial or parallel -------------------------------------------------------------------------------------------

# The workqueue layer kills the process when two threads run parallel kernels at once, and the OpenMP layer kills a
# forked child at its first one. Bits don't depend on threads, so the serial kernel is always a right answer.
_parallel_turn = threading.Lock()
_forked = False


def _after_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
    # A fork waits for another thread's compilation: the child could never take a lock that a lost thread holds.
    _compiling = numba.core.compiler_lock.global_compiler_lock
    os.register_at_fork(before=_compiling.acquire, after_in_parent=_compiling.release,
                        after_in_child=_compiling.release)


def _call(kernel, serial, *arguments):
    if serial or _forked or numba.get_num_threads() == 1 or not _parallel_turn.acquire(blocking=False):
        kernel(False)(*arguments)
        return
    try:
        kernel(True)(*arguments)
    finally:
        _parallel_turn.release()


# -- compiled variants --------------------------------------------------------------------------------------------


class _Kernels:
    """The loops for one sampler, mask and storage type; each compiled when it is first called."""

    def __init__(self, label, block, wide):
        scope = loops.specialize(block, wide, _inline, _jit, align_stack=_align_stack)

        def compiled(function, parallel):
            kind, loop_range = ("parallel", numba.prange) if parallel else ("serial", range)
            return _compile(loops.loop(function, scope, f"{kind}-{label}", loop_range), parallel)

        self.run = functools.cache(functools.partial(compiled, loops.fill_run))
        self.strided = functools.cache(functools.partial(compiled, loops.fill_strided))


@intrinsic
def _align_stack(_context):
    """Align the frame of the function that holds the hot loop to 64 bytes.

    LLVM spills some vector constants and doesn't realign the stack for them: where the frame happens to lie across
    cache lines the loop loses up to a quarter of its speed. (llvmlite prints attributes only where there is a plain
    one.)
    """
    def generate(context, builder, _signature, _arguments):
        builder.function.attributes.add("nounwind")
        builder.function.attributes.alignstack = 64
        return context.get_dummy_value()

    return types.none(), generate


# numba's default error model tests every division for zero, which keeps a loop from being vectorized
_jit = numba.njit(nogil=True, error_model="numpy")
_inline = numba.njit(nogil=True, error_model="numpy", forceinline=True)


def _compile(loop, parallel):
    try:
        return numba.njit(parallel=parallel, nogil=True, error_model="numpy", cache=True)(loop)
    except RuntimeError:  # numba finds no folder to keep compiled code in
        _warn_uncached()
        return numba.njit(parallel=parallel, nogil=True, error_model="numpy")(loop)


@functools.cache
def _warn_uncached():
    warnings.warn("fanin compiles its loops anew in each process, because no folder for compiled code can be written: "
                  "set NUMBA_CACHE_DIR to one that can", RuntimeWarning, stacklevel=2)


@functools.cache
def _kernels(sampler, mask, storage, parts):
    block = block_of(sampler, mask, storage, parts)
    name = f"{sampler.__name__}-{mask.__name__}" if mask else sampler.__name__
    code = hashlib.blake2b((_sources() + fingerprint(sampler)).encode(), digest_size=8).hexdigest()
    return _Kernels(f"{name}-{storage.name}x{parts}-{code}", block, is_wide(storage))


@functools.cache
def _sources():
    """A digest of the files that compiled code is made from: numba's own cache doesn't see edits in other files."""
    digest = hashlib.blake2b(digest_size=8)
    for folder in (Path(kernels.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
