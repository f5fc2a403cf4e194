"""A keyed permutation of {0, ..., n-1} for any n, without a table, a loop or a branch: a Feistel network on a grid.

Write x in {0, ..., n-1} as (row, column) of a grid `width` wide, width about sqrt(n), whose last row may be short.
A round turns every column of the grid by its own amount, the next round every row; the amount is a hash of the line's
number under the round's key, reduced to the line's length. Each turn is a permutation of its line, so each round is
one of the grid, whatever n is: the short last row only makes some lines one shorter. (The usual way, a Feistel network
on a full grid with a walk along the cycle back into {0, ..., n-1}, costs a loop that depends on the data, and with it
vectorization.)

How many rounds? With ideal round functions the image of a k-subset is a Markov chain on the k-subsets, and its exact
law follows from products of its matrices. Total variation distance to "every k-subset equally likely", the largest
over k, over the subset at the start and over both orders of the turns (the tests compute the table again):

    n            1, 2   3, 4     5, 6     7        8, 9     10       11       12       16
    12 rounds    0      3.3e-4   7.7e-5   3.1e-4   7.7e-6   3.8e-4   1.8e-3   5.9e-3   6.5e-4
    16 rounds    0      2.0e-5   2.1e-6   1.5e-5   9.4e-8   1.8e-5   1.4e-4   6.7e-4   4.1e-5
    24 rounds    0      7.9e-8   1.7e-9   3.7e-8   1.4e-11  4.4e-8   8.4e-7   8.2e-6   1.6e-7

(n = 16 for k <= 3 only.) So 24: below 1e-7 for n <= 8, and no smaller number of rounds is. Chi-squared sees a distance
of 1e-7 after 1e13 subsets or more. Parity is no obstacle: a line of even length gives odd permutations, and where all
lines are odd (n = 9) the rounds generate even permutations only, which still carry any k-subset to any other. A line
of length 1 stands still. Grids far from square mix worse (n = 8 as 2 x 4 is 1.2e-3 away after 24 rounds), hence the
width. Beyond n of a few thousand the key's 128 bits are fewer than the subsets, as for any generator.
"""

from typing import Any

import numpy as np

from .._errors import FaninValueError
from .device import device_function
from .philox import HALF, LOW

ONE = np.uint64(1)
LOW31 = np.uint64(0x7FFFFFFF)
ONE32 = np.uint32(1)
SIXTEEN = np.uint32(16)
STEP0 = np.uint32(0x9E3779B8)  # Weyl increments of the round keys, Philox's own; this one even: the key stays odd
STEP1 = np.uint32(0xBB67AE85)
MIX = np.uint32(0xD2511F53)  # and its multiplier
PAIRS = 12  # of rounds


def reciprocal(divisor: int) -> np.uint64:
    """The constant that `divide` takes with a divisor; 0 is let through, since nothing is then ever divided."""
    return np.uint64((2**64 - 1) // max(int(divisor), 1))


def as_divisor(number: int) -> tuple[np.uint64, np.uint64]:
    """A number and its `reciprocal`: what `divide` takes after x."""
    return np.uint64(number), reciprocal(number)


@device_function
def divide(x: Any, divisor: Any, inverse: Any) -> Any:
    """Quotient and remainder of uint64 values, exact for every x < 2**63: inverse is `reciprocal(divisor)`.

    Vectors have no integer division. The upper 64 bits of x·inverse are the quotient or one less, because inverse
    differs from 2**64/divisor by at most 1.
    """
    # The mask with 31 bits hides that this is a 64-bit high product: LLVM 22 would make it scalar `mulx` instructions.
    x0, x1 = x & LOW, (x >> HALF) & LOW31
    r0, r1 = inverse & LOW, inverse >> HALF
    middle = x1 * r0 + ((x0 * r0) >> HALF)
    quotient = x1 * r1 + (middle >> HALF) + ((x0 * r1 + (middle & LOW)) >> HALF)
    remainder = x - quotient * divisor
    short = remainder >= divisor
    return quotient + ONE if short else quotient, remainder - divisor if short else remainder


@device_function
def amount(line: Any, length: Any, k0: Any, k1: Any, k2: Any) -> Any:
    """By how much a line of that length is turned: a hash of the line's number. All are uint32.

    The hash multiplies by an odd key, because a multiplication by a constant alone would move two neighbouring lines
    by amounts whose difference hardly depends on the key. Its upper 16 bits choose the amount; that the amounts are
    not equally likely when length is no power of two only slows the mixing by as little (one part in 2**16/length):
    a uniform subset stays uniform under turns of any law.
    """
    hashed = np.uint32(k0 * np.uint32(line ^ k1))
    hashed = np.uint32(MIX * np.uint32(np.uint32(hashed ^ np.uint32(hashed >> SIXTEEN)) ^ k2))
    return np.uint32(np.uint32(np.uint32(hashed >> SIXTEEN) * length) >> SIXTEEN)


@device_function
def turn(position: Any, line: Any, length: Any, k0: Any, k1: Any, k2: Any) -> Any:
    """Where a position goes when its line is turned."""
    moved = np.uint32(position + amount(line, length, k0, k1, k2))
    wrapped = np.uint32(moved - length)  # huge where moved < length
    return wrapped if wrapped < moved else moved


@device_function
def turn_back(position: Any, line: Any, length: Any, k0: Any, k1: Any, k2: Any) -> Any:
    """Where a position comes from when its line was turned."""
    moved = np.uint32(position - amount(line, length, k0, k1, k2))  # huge where it is below 0
    wrapped = np.uint32(moved + length)
    return wrapped if wrapped < moved else moved


@device_function
def two_rounds(row: Any, column: Any, k0: Any, k1: Any, k2: Any, k3: Any, width: Any, full_rows: Any,
               last_width: Any) -> Any:
    height = np.uint32(full_rows + ONE32) if column < last_width else full_rows
    row = turn(row, column, height, k0, k1, k2)
    k0, k1 = np.uint32(k0 + STEP0), np.uint32(k1 + STEP1)
    length = width if row < full_rows else last_width
    column = turn(column, row, length, k0, k1, k3)
    return row, column, np.uint32(k0 + STEP0), np.uint32(k1 + STEP1)


@device_function
def two_rounds_back(row: Any, column: Any, k0: Any, k1: Any, k2: Any, k3: Any, width: Any, full_rows: Any,
                    last_width: Any) -> Any:
    """The row and the column of which `two_rounds` with the same keys makes these."""
    length = width if row < full_rows else last_width
    column = turn_back(column, row, length, np.uint32(k0 + STEP0), np.uint32(k1 + STEP1), k3)
    height = np.uint32(full_rows + ONE32) if column < last_width else full_rows
    return turn_back(row, column, height, k0, k1, k2), column


@device_function
def permute(x: Any, k0: Any, k1: Any, k2: Any, k3: Any, width: Any, inverse_width: Any, full_rows: Any,
            last_width: Any) -> Any:
    """The image of x in {0, ..., n-1} under the permutation with a key of four words (in uint64, low halves count).

    The last four parameters are `permutation_params(n)`.
    """
    quotient, remainder = divide(x, width, inverse_width)
    row, column = np.uint32(quotient), np.uint32(remainder)
    width, full_rows, last_width = np.uint32(width), np.uint32(full_rows), np.uint32(last_width)
    k0, k1 = np.uint32((k0 & LOW) | ONE), np.uint32(k1 & LOW)
    k2, k3 = np.uint32(k2 & LOW), np.uint32(k3 & LOW)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    row, column, k0, k1 = two_rounds(row, column, k0, k1, k2, k3, width, full_rows, last_width)
    return np.uint64(row) * np.uint64(width) + np.uint64(column)


def grid(n: int) -> tuple[int, int, int]:
    """(width, full rows, width of the last row) of a grid of n >= 1 cells; the last row is never empty."""
    width = round(n**0.5)
    full_rows = (n - 1) // width
    return width, full_rows, n - full_rows * width


def permutation_params(n: int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """The parameters of `permute` for {0, ..., n-1}, 0 <= n <= 2**32; for n = 0 there is nothing to permute.

    The limit is that of 16-bit lines: up to it no line is longer than 2**16, so that an amount times a length stays
    below 2**32.
    """
    if n > 2**32:
        raise FaninValueError(f"`n` must be at most 2**32 (got {n})")
    width, full_rows, last_width = grid(max(n, 1))
    return *as_divisor(width), np.uint64(full_rows), np.uint64(last_width)
