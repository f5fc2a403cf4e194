"""The loops over words, compiled.

Each takes the generator's block of 624 words, which it goes on from in place, and how many words of it are `used`;
and returns how many are used when it has filled `out`.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends.compile import align_stack, compile_loop, sources
from ..._backends.copies import with_globals
from ..._kernels.device import device_function, fma, sqrt
from . import _cephes
from ._mersenne import N, temper, twist

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._types import Array

CHUNK = 512  # words made at a time: with all that is made of them they take a part of the first-level cache

F, D, U32, U64, I32, I64 = np.float32, np.float64, np.uint32, np.uint64, np.int32, np.int64
MASK24, SCALE24, ONE = U32(2**24 - 1), F(2.0**-24), F(1)
MASK53, SCALE53, HALF64 = U64(2**53 - 1), D(2.0**-53), U64(32)
TWO_PI, MINUS_TWO = F(2 * math.pi), F(-2)
TWO_PI_D, MINUS_TWO_D, ONE_D = D(2 * math.pi), D(-2), D(1)


@device_function
def unit(word: Any) -> Any:
    """A float32 in [0, 1) from the word's low 24 bits."""
    return F(I32(U32(word & MASK24))) * SCALE24


@device_function
def wide_unit(pair: Any) -> Any:
    """A float64 in [0, 1) from two words, the first of which, as in memory, is the low half: torch's is the high."""
    value = U64(U64(pair << HALF64) | U64(pair >> HALF64))
    return D(I64(U64(value & MASK53))) * SCALE53


def words(block: Array, used: int, out: Array) -> int:
    """The words themselves."""
    i = 0
    while i < len(out):
        if used == N:
            twist(block)
            used = 0
        count = min(N - used, len(out) - i)
        source, target = block[used:used + count], out[i:i + count]
        for j in range(count):
            target[j] = temper(source[j])
        i += count
        used += count
    return used


def advance(block: Array, blocks: int) -> None:
    """Go on by so many blocks."""
    for _ in range(blocks):
        twist(block)


def uniform(block: Array, used: int, out: Array, low: Any, span: Any, high: Any) -> int:
    """float32 in [low, high): a word each."""
    i = 0
    while i < len(out):
        if used == N:
            twist(block)
            used = 0
        count = min(N - used, len(out) - i)
        source, target = block[used:used + count], out[i:i + count]
        for j in range(count):
            value = fma(unit(temper(source[j])), span, low)
            target[j] = low if value == high else value
        i += count
        used += count
    return used


def uniform_wide(block: Array, used: int, out: Array, low: Any, span: Any, high: Any) -> int:
    """float64 in [low, high): two words each."""
    made = np.empty(CHUNK, np.uint32)
    pairs = made.view(np.uint64)
    for i in range(0, len(out), CHUNK // 2):
        target = out[i:i + CHUNK // 2]
        used = draw_words(block, used, made[:2 * len(target)])
        for j in range(len(target)):
            value = fma(wide_unit(pairs[j]), span, low)
            target[j] = low if value == high else value
    return used


@device_function
def box_muller(w1: Any, w2: Any, mean: Any, std: Any) -> Any:
    """Two float32 of N(mean, std²) from two words."""
    radius = sqrt(MINUS_TWO * _cephes.log(ONE - unit(w1)))
    sine, cosine = _cephes.sincos(TWO_PI * unit(w2))
    return fma(radius * cosine, std, mean), fma(radius * sine, std, mean)


def pairs(first: Array, second: Array, cosines: Array, sines: Array, mean: Any, std: Any) -> None:
    """Box and Muller's transform of words that lie apart, which becomes vector instructions."""
    align_stack()
    for j in range(len(cosines)):
        cosines[j], sines[j] = box_muller(first[j], second[j], mean, std)


def normal(block: Array, used: int, out: Array, mean: Any, std: Any) -> int:
    """float32 in groups of 16: numbers k and k + 8 of a group are made of its words k and k + 8."""
    made, apart, drawn = np.empty(CHUNK, np.uint32), np.empty(CHUNK, np.uint32), np.empty(CHUNK, np.float32)
    half = CHUNK // 2
    # 8 words are 4 of 8 bytes: so the copies, and by them the loop between, become vector instructions
    wide_made, wide_apart, wide_drawn = made.view(np.uint64), apart.view(np.uint64), drawn.view(np.uint64)
    wide_out = out.view(np.uint64)
    for i in range(0, len(out), CHUNK):
        count = min(CHUNK, len(out) - i)
        used = draw_words(block, used, made[:count])
        for g in range(count >> 4):
            for k in range(4):
                wide_apart[4 * g + k] = wide_made[8 * g + k]
                wide_apart[half // 2 + 4 * g + k] = wide_made[8 * g + 4 + k]
        draw_pairs(apart[:half], apart[half:], drawn[:count >> 1], drawn[half:], mean, std)
        target = wide_out[i >> 1:]
        for g in range(count >> 4):
            for k in range(4):
                target[8 * g + k] = wide_drawn[4 * g + k]
                target[8 * g + 4 + k] = wide_drawn[half // 2 + 4 * g + k]
    return used


def normal_wide(block: Array, used: int, out: Array, mean: Any, std: Any) -> int:
    """float64 in groups of 16, with the C library's functions; two words each."""
    made = np.empty(32, np.uint32)
    pairs = made.view(np.uint64)
    for i in range(0, len(out), 16):
        used = draw_words(block, used, made)
        for k in range(8):
            radius = math.sqrt(MINUS_TWO_D * math.log(ONE_D - wide_unit(pairs[k])))
            angle = TWO_PI_D * wide_unit(pairs[k + 8])
            out[i + k] = fma(radius * math.cos(angle), std, mean)
            out[i + k + 8] = fma(radius * math.sin(angle), std, mean)
    return used


def normal_pairs(block: Array, used: int, out: Array, mean: Any, std: Any, spare: Array) -> int:
    """float64 pair by pair: how torch draws few numbers, and those that aren't contiguous.

    Of an odd count's last pair the second goes into `spare`, as a standard normal.
    """
    made = np.empty(4, np.uint32)
    pairs = made.view(np.uint64)
    for i in range(0, len(out), 2):
        used = draw_words(block, used, made)
        radius = math.sqrt(MINUS_TWO_D * math.log1p(-wide_unit(pairs[1])))
        angle = TWO_PI_D * wide_unit(pairs[0])
        out[i] = fma(radius * math.cos(angle), std, mean)
        if i + 1 < len(out):
            out[i + 1] = fma(radius * math.sin(angle), std, mean)
        else:
            spare[0] = radius * math.sin(angle)
    return used


def square(p: Array, out: Array, exponents: Array) -> None:
    """out = p(x)²·x modulo the polynomial with these exponents, lowest first: one byte for each coefficient, 0 or 1."""
    degree = len(p)
    whole = np.zeros(2 * degree, np.uint8)
    for i in range(degree):
        whole[2 * i + 1] = p[i]
    gap = exponents[-1] - exponents[-2]  # as many of the highest terms don't meet each other when they are replaced
    top = 2 * degree
    while top > degree:
        count = min(gap, top - degree)
        top -= count
        high = whole[top:top + count]
        for e in exponents[:-1]:
            low = whole[top - degree + e:top - degree + e + count]
            for k in range(count):
                low[k] ^= high[k]
    out[:] = whole[:degree]


def combine(block: Array, terms: Array) -> None:
    """Replace a block by the sum of the blocks that begin i + 1 words after it, for each i in `terms`, ascending."""
    sequence = np.empty((terms[-1] // N + 3) * N, np.uint32)
    for i in range(0, len(sequence), N):
        sequence[i:i + N] = block
        twist(block)
    block[:] = 0
    sequence = sequence[1:]
    fours = len(terms) - len(terms) % 4
    for t in range(0, fours, 4):  # four at a time: the block is read and written a fourth as often
        a, b, c, d = sequence[terms[t]:], sequence[terms[t + 1]:], sequence[terms[t + 2]:], sequence[terms[t + 3]:]
        for k in range(N):
            block[k] = np.uint32(block[k] ^ np.uint32(np.uint32(a[k] ^ b[k]) ^ np.uint32(c[k] ^ d[k])))
    for i in terms[fours:]:
        for k in range(N):
            block[k] = np.uint32(block[k] ^ sequence[i + k])


draw_words: Any = None  # `words` and `pairs` compiled, of a compiled copy of the loops
draw_pairs: Any = None


@functools.cache
def compiled(loop: Callable[..., Any]) -> Any:
    """A loop of this package compiled; its name has its sources, so that other processes find the right code."""
    name = f"{loop.__name__}-{sources(Path(__file__).parent)}"
    inner = {names: compiled(function) for names, function in (("draw_words", words), ("draw_pairs", pairs))
             if names in loop.__code__.co_names}
    return compile_loop(with_globals(loop, name, **inner))
