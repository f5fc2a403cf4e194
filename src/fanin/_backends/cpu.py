"""The loops of loops.py through `@njit`, a variant per sampler and type, on all cores."""

import functools
import hashlib
import math
import os

import numba
import numpy as np

from .._errors import FaninTypeError
from .._kernels.fingerprint import fingerprint
from .._kernels.samplers import constant, constant_pair
from . import loops
from .blocks import block_of, is_wide, number_of
from .compile import align_stack, compile_loop, inline, jit, ready, scratch, scratch_wide, sources
from .strides import as_run, target
from .threads import share

PIECE = 2**15, 2**23  # least and most numbers that a thread takes at a time: 15 µs of work, and 5 ms, for Ctrl-C
SMALL = 2 * PIECE[0]  # numbers below which waking threads costs more than it gains
SCRATCH = 65536  # elements of the one temporary, for arrays whose strides the loops can't express


def fill(plan, key, out, block, serial=False):
    """Write the elements of `block` into `out`, an array of its dims and of the plan's dtype.

    `serial` keeps it to this thread. For an empty array it compiles what it would need.
    """
    if plan.mask is None and (plan.sampler is constant or plan.sampler is constant_pair):
        _fill_constant(plan, out)
        return
    storage, parts = plan.storage, plan.parts
    kernels = _kernels(plan.sampler, plan.mask, storage, parts)
    run = as_run(out, block, storage)
    place = None if run is not None else target(out, block, storage)
    threads = 1 if serial or out.size * parts < SMALL else thread_count()
    arguments = key.words, plan.params, plan.mask_params
    try:
        if run is not None:
            _fill_run(kernels.run(), threads, run, block.start * parts, arguments)
        elif place is not None:
            _fill_strided(kernels.strided(), threads, place, arguments)
        else:
            _fill_through_scratch(plan, key, out, block)
    except numba.core.errors.NumbaError as error:  # nothing was written: the kernel was never run
        raise FaninTypeError(f"`sampler` {plan.sampler.__name__} must be made of + - * /, comparisons, `a if condition "
                             "else b` and fanin.math; the compiler's own words stand above") from error


def _fill_constant(plan, out):
    # numpy fills plain integers at the speed of memory, half and complex types at a tenth of it
    if plan.parts == 1:
        out.view(plan.storage).fill(plan.params[0])
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


def devices():
    """(name, description) of the one device that this backend serves."""
    return [("cpu", f"{thread_count()} threads, numba {numba.__version__}")]


# -- threads ------------------------------------------------------------------------------------------------------


def _fill_run(kernel, threads, run, first, arguments):
    ready(kernel, run[:0], first, *arguments)
    if threads == 1 and len(run) <= PIECE[1]:
        kernel(run, first, *arguments)
        return
    size = _piece(len(run), threads)
    lead = -first % loops.CHUNK  # the first piece takes the odd start, so that all others hold whole blocks
    if lead:
        kernel(run[:lead], first, *arguments)

    def work(i):
        start = lead + i * size
        kernel(run[start:start + size], first + start, *arguments)

    share(work, -(-(len(run) - lead) // size), threads)


def _fill_strided(kernel, threads, place, arguments):
    ready(kernel, *place._replace(dims=place.dims * 0), *arguments)
    numbers = math.prod(place.dims.tolist())
    if threads == 1 and numbers <= PIECE[1]:
        kernel(*place, *arguments)
        return
    rows, piece = place.dims[:-1], _piece(numbers, threads)
    axis = int(place.dims.argmax())
    if len(rows) and int(rows.max()) * piece >= numbers:  # enough rows: short ones take longer than long ones
        axis = int(rows.argmax())
    length = int(place.dims[axis])
    size = max(1, piece * length // numbers)

    def work(i):
        start, dims = i * size, place.dims.copy()
        dims[axis] = min(size, length - start)
        at = place.at + start * int(place.out_steps[axis])
        first = place.first + start * int(place.number_steps[axis])
        kernel(*place._replace(at=at, first=first, dims=dims), *arguments)

    share(work, -(-length // size), threads)


def _piece(numbers, threads):
    """Numbers that a thread takes at a time: a fourth of its share, so that one that is held up can be helped."""
    fourth = numbers // (4 * threads)
    return min(max(PIECE[0], fourth - fourth % loops.CHUNK), PIECE[1])


def thread_count():
    """As many threads as numba would use in this one, and OpenMP if it is told to."""
    layer = numba.np.ufunc.parallel
    # asking numba starts its threading layer, which is the caller's to choose; before that there is nothing to ask
    threads = numba.get_num_threads() if layer._is_initialized else numba.config.NUMBA_NUM_THREADS
    return min(threads, _openmp_threads() or threads)


@functools.cache
def _openmp_threads():
    """OMP_NUM_THREADS, or of a list of them, one for each level of nesting, the first; None without one."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) or None if first.isdecimal() else None


# -- compiled variants --------------------------------------------------------------------------------------------


class _Kernels:
    """The loops for one sampler, mask and storage type; each compiled when it is first called."""

    def __init__(self, label, block, number, wide):
        def named(compiler):
            # Code from disk is linked by name. By numba's own names, which it numbers anew in each process, one
            # sampler's loop would call another's helpers where two processes had compiled them: wrong draws.
            def compile_named(function):
                function.__qualname__ = f"{function.__name__}-{label}"
                return compiler(function)

            return compile_named

        block.__qualname__ = f"block-{label}"
        if number is not None:
            number.__qualname__ = f"number-{label}"
        scope = loops.specialize(block, number, wide, named(inline), named(jit), align_stack=align_stack,
                                 scratch=scratch_wide if wide else scratch)

        def compiled(function):
            return compile_loop(loops.loop(function, scope, label))

        self.run = functools.cache(functools.partial(compiled, loops.fill_run))
        self.strided = functools.cache(functools.partial(compiled, loops.fill_strided))


@functools.cache
def _kernels(sampler, mask, storage, parts):
    block = block_of(sampler, mask, storage, parts)
    name = f"{sampler.__name__}-{mask.__name__}" if mask else sampler.__name__
    code = hashlib.blake2b((sources() + fingerprint(sampler)).encode(), digest_size=8).hexdigest()
    number = number_of(sampler, mask, storage)
    return _Kernels(f"{name}-{storage.name}x{parts}-{code}", block, number, is_wide(storage))
