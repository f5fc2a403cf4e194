"""A place in mt19937's stream of words, from which draws go on, and which can jump ahead.

H. Haramoto, M. Matsumoto, T. Nishimura, F. Panneton, P. L'Ecuyer, "Efficient jump ahead for F2-linear random number
generators", INFORMS J. Comput. 20, 2008: with p = x**J modulo the generator's minimal polynomial, the word J places
after another is the sum over GF(2) of those i places after it, for each term x**i of p.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._backends import get_backend
from ._polynomial import DEGREE, EXPONENTS

if TYPE_CHECKING:
    from ..._types import Array

N = 624  # words of a block
NEAR = 12  # going through 2**12 blocks one by one takes about as long as a jump, 0.2 ms


class Twister:
    """The block of words that the generator is in, and how many of them are used.

    `used` is 0 after a seed, whose own block is not drawn from: the first draw makes the next one, as after N words.
    """

    __slots__ = ("block", "used")

    def __init__(self, block: Array, used: int) -> None:
        self.block = block
        self.used = used

    @classmethod
    def seeded(cls, seed: int) -> Twister:
        """Where the stream of a seed begins; its low 32 bits count."""
        state = np.random.RandomState(seed & 0xFFFFFFFF).get_state(legacy=False)
        return cls(np.array(state["state"]["key"], np.uint32), 0)

    def copy(self) -> Twister:
        """The same place, to go on from independently."""
        return Twister(self.block.copy(), self.used)

    def fill(self, loop: str, out: Array, *parameters: Any) -> None:
        """Have a loop of _loops.py fill `out`, and go on by the words that it takes; an empty `out` compiles it."""
        function = compiled(loop)
        if len(out):
            self.used = function(self.block, self.used or N, out, *parameters)
        else:
            from ..._backends.compile import ready

            ready(function, self.block, N, out, *parameters)

    def words(self, count: int) -> Array:
        """The next words."""
        out = np.empty(count, np.uint32)
        self.fill("words", out)
        return out

    def skip(self, words: int) -> None:
        """Go on by so many words."""
        if words == 0:
            return
        blocks, used = divmod((self.used or N) + words, N)
        if blocks and not used:  # the next block is made when its first word is needed
            blocks, used = blocks - 1, N
        for j in range(NEAR, blocks.bit_length()):
            if blocks >> j & 1:
                compiled("combine")(self.block, _terms(j))
        if blocks % 2**NEAR:
            compiled("advance")(self.block, blocks % 2**NEAR)
        self.used = used


@functools.cache
def compiled(loop: str) -> Any:
    """A loop of _loops.py or _search.py, compiled."""
    get_backend("cpu")  # which loads numba: half a second, and not to be interrupted
    from . import _loops, _search

    return _loops.compiled(_search.search if loop == "search" else getattr(_loops, loop))


@functools.cache
def _terms(j: int) -> Array:
    """The exponents of x**(N·2**j - 1) modulo the minimal polynomial: a jump by 2**j blocks, from a word later.

    A word later, because 31 bits of a block's first word have no part in the recurrence, but are drawn.
    """
    return np.flatnonzero(_power(j))


@functools.cache
def _power(j: int) -> Array:
    """Its coefficients, one byte each."""
    power = np.zeros(DEGREE, np.uint8)
    if j == 0:
        power[N - 1] = 1
    else:
        compiled("square")(_power(j - 1), power, np.array(EXPONENTS))
    return power
