"""The loops around a block function, as plain Python that cpu.py compiles.

`block`, `NUMBERS` and the functions below are globals of a copy of each loop, made for one block function by
`specialize`: globals, unlike closures, keep the compiled code cacheable on disk.
"""

import types
from typing import Any

import numpy as np

from .._kernels.philox import HALF, philox_pairs

block: Any = None  # the block function, of a specialized copy
number_of: Any = None  # a word's number, as it is stored, where each is made of its own word
fill: Any = None  # fill_words where there is a number_of, else fill_blocks
NUMBERS = 4  # numbers in a block: 4, or 2 when they are 8 bytes wide
CHUNK = 4096  # numbers that `run` is called for at a time: a few microseconds' work, and half of an L1 cache
GROUP = 256  # blocks whose words stay in the L1 cache between being made and being used


def store(out, at, values):
    """Write a block's numbers."""
    if NUMBERS == 4:
        out[at], out[at + 1], out[at + 2], out[at + 3] = values
    else:
        out[at], out[at + 1] = values


def pick(values, lane):
    """The number at position `lane` of a block."""
    if NUMBERS == 4:
        v0, v1, v2, v3 = values
        low, high = (v1 if lane & 1 else v0), (v3 if lane & 1 else v2)
        return high if lane & 2 else low
    v0, v1 = values
    return v1 if lane & 1 else v0


def align_stack():
    """A place for an instruction to the compiler: see compile.py."""


def scratch():
    """Room for the words of a group: as pairs of words, and as the words that a number is made of. See compile.py."""


def fill_blocks(out, start, count, key, params, mask_params):
    """The numbers of `count` blocks from block `start` on: all four at once, interleaved as they are stored."""
    k0, k1, s0, s1 = unsigned(key)
    for b in range(count):
        store(out, b * NUMBERS, block(start + np.uint64(b), k0, k1, s0, s1, params, mask_params))


def fill_words(out, start, count, key, params, mask_params):
    """The same where each number has its word: a group's words in the order of the array, then number by number.

    Pairs of words take a third of the shuffling that four numbers take (issue 3: truncated draws 15 % faster, uniform
    ones up to 8 %).
    """
    k0, k1, s0, s1 = unsigned(key)
    pairs, words = scratch()
    groups = count // GROUP
    for g in range(groups):
        first = start + np.uint64(g * GROUP)
        for i in range(GROUP):
            b = first + np.uint64(i)
            pairs[2 * i], pairs[2 * i + 1] = philox_pairs(b, b >> HALF, s0, s1, k0, k1)
        part = out[g * GROUP * NUMBERS:(g + 1) * GROUP * NUMBERS]
        for i in range(GROUP * NUMBERS):
            part[i] = number_of(words[i], params)
    done = groups * GROUP
    fill_blocks(out[done * NUMBERS:], start + np.uint64(done), count - done, key, params, mask_params)


def unsigned(key):
    """The key's four words as uint64: of Python ints numba makes int64, and any operation with one stays signed."""
    k0, k1, s0, s1 = key
    return np.uint64(k0), np.uint64(k1), np.uint64(s0), np.uint64(s1)


def number(n, key, params, mask_params):
    """Number n alone."""
    k0, k1, s0, s1 = unsigned(key)
    values = block(np.uint64(n // NUMBERS), k0, k1, s0, s1, params, mask_params)
    return pick(values, n % NUMBERS)


def run(out, first, count, key, params, mask_params):
    """Numbers first, first + 1, … into out[0], out[1], …: whole blocks, but for the two ends."""
    align_stack()
    head = min(count, -first % NUMBERS)
    for j in range(head):
        out[j] = number(first + j, key, params, mask_params)
    blocks = (count - head) // NUMBERS
    fill(out[head:head + blocks * NUMBERS], np.uint64((first + head) // NUMBERS), blocks, key, params, mask_params)
    for j in range(head + blocks * NUMBERS, count):
        out[j] = number(first + j, key, params, mask_params)


def fill_run(out, first, key, params, mask_params):
    """Numbers first, first + 1, … into all of the contiguous 1-D `out`."""
    count = len(out)
    lead = min(count, -first % NUMBERS)  # the first chunk takes the odd start, so that all others hold whole blocks
    for chunk in range((count - lead + CHUNK - 1) // CHUNK + 1):
        start = lead + (chunk - 1) * CHUNK if chunk else 0
        stop = min(count, lead + chunk * CHUNK)
        run(out[start:stop], first + start, stop - start, key, params, mask_params)


def fill_strided(out, origin, first, dims, number_steps, out_steps, key, params, mask_params):
    """Number first + Σ i_d·number_steps[d] into out[origin + Σ i_d·out_steps[d]] for every index i below `dims`."""
    last = len(dims) - 1
    length, number_step, out_step = dims[last], number_steps[last], out_steps[last]
    rows = 1
    for d in range(last):
        rows *= dims[d]
    pieces = (length + CHUNK - 1) // CHUNK
    for task in range(rows * pieces):
        row, piece = task // pieces, task % pieces
        start = piece * CHUNK
        count = min(CHUNK, length - start)
        n, at = first + start * number_step, origin + start * out_step
        for e in range(last):
            d = last - 1 - e
            i = row % dims[d]
            row //= dims[d]
            n += i * number_steps[d]
            at += i * out_steps[d]
        if number_step == 1 and out_step == 1:
            run(out[at:at + count], n, count, key, params, mask_params)
        elif number_step == 1:  # whole blocks at a time, then into place
            numbers = np.empty(count, out.dtype)
            run(numbers, n, count, key, params, mask_params)
            for j in range(count):
                out[at + j * out_step] = numbers[j]
        else:
            for j in range(count):
                out[at + j * out_step] = number(n + j * number_step, key, params, mask_params)


def specialize(block, number_of, wide, compile_inline, compile_call, **replaced):
    """The globals of loops for one block function: this module's, with the functions that the loops call compiled.

    `number_of` is None where numbers are made of more than a word. `replaced` has a target's own versions of what are
    only places here: align_stack and scratch.
    """
    scope: dict[str, Any] = {**globals(), "block": block, "number_of": number_of, "NUMBERS": 2 if wide else 4,
                             **replaced}
    for helper in (store, pick, unsigned, fill_blocks):
        scope[helper.__name__] = compile_inline(_copy(helper, scope))
    scope["fill"] = scope["fill_blocks"] if number_of is None else compile_inline(_copy(fill_words, scope))
    # called, not inlined: each holds a copy of the block function, which costs a second to compile for a long one
    for called in (number, run):
        scope[called.__name__] = compile_call(_copy(called, scope))
    return scope


def loop(function, scope, label):
    """A copy of `fill_run` or `fill_strided` over specialized globals; `label` names it apart from all others."""
    copy = _copy(function, scope)
    copy.__qualname__ = f"{function.__name__}-{label}"  # names the file of compiled code
    return copy


def _copy(function, scope):
    copy = types.FunctionType(function.__code__, scope, function.__name__)
    copy.__module__ = function.__module__
    return copy
