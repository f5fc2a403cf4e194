"""The loops of loops.py through `@njit`, a variant per sampler and type, on all cores."""

from __future__ import annotations

import functools
import hashlib
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numba
import numpy as np

from .._errors import counted
from .._kernels.fingerprint import fingerprint
from .._kernels.masks import kept
from . import columns, loops, tiles
from .blocks import block_of, is_wide, number_of
from .compile import align_stack, compile_loop, inline, jit, ready, scratch, scratch_wide, sources
from .copies import with_globals
from .sharing import LEAST, MOST, Pieces, call, compiled_too, prange, share, split, thread_count, use_threads
from .strides import Target, as_run, column_targets, target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._plans.indexing import Block
    from .._plans.plan import SamplerPlan
    from .._seeding import Key
    from .._types import Array

Params: TypeAlias = tuple[Any, ...]

WHOLE = 4 * loops.GROUP  # numbers: pieces of a run begin at multiples of it, so that all hold whole groups of blocks
SCRATCH = 65536  # elements of the one temporary, for arrays whose strides the loops can't express


def fill(plan: SamplerPlan, key: Key, out: Array, block: Block) -> None:
    """Write the elements of `block` into `out`, an array of its dims and of the plan's dtype.

    For an empty array it compiles what it would need.
    """
    _fill(plan, key, out, block, shared=True)


def fill_in_this_thread(plan: SamplerPlan, key: Key, out: Array, block: Block) -> None:
    """`fill` without help: for work beside other threads that are busy."""
    _fill(plan, key, out, block, shared=False)


def _fill(plan: SamplerPlan, key: Key, out: Array, block: Block, shared: bool) -> None:
    if plan.mask is None and plan.is_constant:
        _fill_constant(plan, out)
        return
    if plan.mask is kept:
        _fill_sparse(plan, key, out, block, shared)
        return
    storage = plan.storage
    parts = out.itemsize // storage.itemsize
    kernels = _kernels(plan.sampler, plan.mask, storage, parts)
    run = as_run(out, block, storage)
    place = None if run is not None else target(out, block, storage)
    arguments = key.words, plan.params, plan.mask_params
    if run is not None:
        _fill_run(kernels.run(), shared, run, block.start * parts, arguments)
    elif place is not None:
        _fill_strided(kernels.strided(), shared, place, arguments)
    else:
        _fill_through_scratch(plan, key, out, block)


def _fill_constant(plan: SamplerPlan, out: Array) -> None:
    # numpy fills plain integers at the speed of memory, half and complex types at a tenth of it
    storage = plan.storage
    if out.itemsize == storage.itemsize:
        out.view(storage).fill(plan.params[0])
    else:
        out[...] = np.array(plan.params).view(out.dtype)[0]


def _fill_sparse(plan: SamplerPlan, key: Key, out: Array, block: Block, shared: bool) -> None:
    # all numbers are drawn by the sampler's own loop, so that only one loop has to know of columns
    targets = column_targets(out, block, int(plan.mask_params[0]), int(plan.mask_params[2]))
    if targets is None:
        _fill_through_scratch(plan, key, out, block)
        return
    _fill(plan._replace(mask=None, mask_params=()), key, out, block, shared)
    for place in targets:
        _fill_strided(_clear_columns(), shared, place, (key.words, (), plan.mask_params))


def _fill_through_scratch(plan: SamplerPlan, key: Key, out: Array, block: Block) -> None:
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


def devices() -> list[tuple[str, str]]:
    """(name, description) of the one device that this backend serves."""
    return [("cpu", f"{counted(thread_count(), 'thread')}, numba {numba.__version__}")]


# -- pieces, for several threads ----------------------------------------------------------------------------------


@compiled_too
def _piece_of_run(loop: Any, i: int, lead: int, size: int, out: Array, first: int,
                  key: Params, params: Params, mask_params: Params) -> None:
    start = lead + i * size
    call(loop, out[start:start + size], first + start, key, params, mask_params)


def _pieces_of_run(loop: Any, threads: int, begin: int, end: int, lead: int, size: int, out: Array, first: int,
                   key: Params, params: Params, mask_params: Params) -> None:
    before = use_threads(threads)
    for i in prange(begin, end):
        _piece_of_run(loop, i, lead, size, out, first, key, params, mask_params)
    use_threads(before)


def _fill_run(kernel: Any, shared: bool, run: Array, first: int, arguments: Params) -> None:
    if not kernel.overloads:
        ready(kernel, run[:0], first, *arguments)
    if len(run) <= LEAST:  # one piece
        kernel(run, first, *arguments)
        return
    threads, size = split(len(run), WHOLE) if shared else (1, MOST)
    if len(run) <= size:
        kernel(run, first, *arguments)
        return
    lead = -first % WHOLE  # is left before the first piece
    if lead:
        kernel(run[:lead], first, *arguments)
    share(_RUN, kernel, -(-(len(run) - lead) // size), threads, lead, size, run, first, *arguments)


@compiled_too
def _strided_piece(loop: Any, i: int, axis: int, size: int, out: Array, at: int, first: int, dims: Array,
                   number_steps: Array, out_steps: Array, key: Params, params: Params, mask_params: Params) -> None:
    start = i * size
    part = dims.copy()
    part[axis] = min(size, dims[axis] - start)
    call(loop, out, at + start * out_steps[axis], first + start * number_steps[axis], part, number_steps, out_steps,
         key, params, mask_params)


def _strided_pieces(loop: Any, threads: int, begin: int, end: int, axis: int, size: int, out: Array, at: int,
                    first: int, dims: Array, number_steps: Array, out_steps: Array,
                    key: Params, params: Params, mask_params: Params) -> None:
    before = use_threads(threads)
    for i in prange(begin, end):
        _strided_piece(loop, i, axis, size, out, at, first, dims, number_steps, out_steps, key, params, mask_params)
    use_threads(before)


def _fill_strided(kernel: Any, shared: bool, place: Target, arguments: Params) -> None:
    ready(kernel, *place._replace(dims=place.dims * 0), *arguments)
    numbers = math.prod(place.dims.tolist())
    threads, piece = split(numbers, 1) if shared else (1, MOST)
    if numbers <= piece:
        kernel(*place, *arguments)
        return
    rows = place.dims[:-1]
    axis = int(place.dims.argmax())
    if len(rows) and int(rows.max()) * piece >= numbers:  # enough rows: short ones take longer than long ones
        axis = int(rows.argmax())
    length = int(place.dims[axis])
    size = max(1, piece * length // numbers)
    share(_STRIDED, kernel, -(-length // size), threads, axis, size, *place, *arguments)


_RUN, _STRIDED = Pieces(_piece_of_run, _pieces_of_run), Pieces(_strided_piece, _strided_pieces)


# -- compiled variants --------------------------------------------------------------------------------------------


class _Kernels:
    """The loops for one sampler, mask and storage type; each compiled when it is first called."""

    def __init__(self, label: str, block: Callable[..., Any], number: Callable[..., Any] | None, wide: bool) -> None:
        def named(compiler: Callable[..., Any]) -> Callable[..., Any]:
            # Code from disk is linked by name. By numba's own names, which it numbers anew in each process, one
            # sampler's loop would call another's helpers where two processes had compiled them: wrong draws.
            def compile_named(function: Callable[..., Any]) -> Any:
                function.__qualname__ = f"{function.__name__}-{label}"
                return compiler(function)

            return compile_named

        block.__qualname__ = f"block-{label}"
        if number is not None:
            number.__qualname__ = f"number-{label}"
        scope = loops.specialize(block, number, wide, named(inline), named(jit), align_stack=align_stack,
                                 scratch=scratch_wide if wide else scratch, **_tile_functions(wide))

        def compiled(function: Callable[..., Any]) -> Any:
            return compile_loop(loops.loop(function, scope, label))

        self.run = functools.cache(functools.partial(compiled, loops.run if number is None else loops.run_words))
        self.strided = functools.cache(functools.partial(compiled, loops.fill_strided))


@functools.cache
def _tile_functions(wide: bool) -> dict[str, Any]:
    """The functions of tiles.py, compiled once for all samplers."""
    numbers = 2 if wide else 4
    return {"NUMBERS": numbers, **_together(tiles.FUNCTIONS, f"{numbers}-{sources()}", NUMBERS=numbers)}


@functools.cache
def _clear_columns() -> Any:
    """The loop of columns.py, compiled once for all samplers."""
    functions = _together((tiles.count, *columns.FUNCTIONS), f"columns-{sources()}")
    return functions["clear_columns"]


def _together(functions: Iterable[Callable[..., Any]], label: str, **names: Any) -> dict[str, Any]:
    """Functions compiled, each of which finds those before it, and `names`, among its globals."""
    scope = dict(names)
    for function in functions:
        scope[function.__name__] = compile_loop(with_globals(function, f"{function.__name__}-{label}", **scope))
    return scope


@functools.cache
def _kernels(sampler: Any, mask: Any, storage: np.dtype[Any], parts: int) -> _Kernels:
    block = block_of(sampler, mask, storage, parts)
    name = f"{sampler.__name__}-{mask.__name__}" if mask else sampler.__name__
    code = hashlib.blake2b((sources() + fingerprint(sampler)).encode(), digest_size=8).hexdigest()
    number = number_of(sampler, mask, storage)
    return _Kernels(f"{name}-{storage.name}x{parts}-{code}", block, number, is_wide(storage))
