"""Finds the minimal polynomial of mt19937's words over GF(2): `python tests/vectors/find_mt19937_polynomial.py`.

Prints the exponents of its terms, which src/fanin/compat/torch/_polynomial.py holds. Each bit of the words is a linear
function of the generator's 19,937 bits, so a sequence of twice as many bits determines the polynomial (J. Massey,
"Shift-register synthesis and BCH decoding", IEEE Trans. Inf. Theory 15, 1969). It takes a second.
"""

import sys

import numpy as np

DEGREE = 19937


def minimal_polynomial(sequence):
    """The exponents of the minimal polynomial of a sequence of bits, by Berlekamp and Massey's algorithm."""
    connection, before = 1, 1  # Σ c_i x**i with Σ c_i s[k - i] = 0, as the bits of an int
    length, shift, seen = 0, 1, 0
    for k, bit in enumerate(sequence):
        seen = seen << 1 | int(bit)  # its bit i is s[k - i]
        if (connection & seen).bit_count() % 2 == 0:
            shift += 1
        elif 2 * length <= k:
            connection, before = connection ^ before << shift, connection
            length, shift = k + 1 - length, 1
        else:
            connection ^= before << shift
            shift += 1
    return tuple(e for e in range(length + 1) if connection >> length - e & 1)


def main():
    bits = np.random.RandomState(5489).randint(0, 2**32, 2 * DEGREE, np.uint32) & 1
    sys.stdout.write(f"{minimal_polynomial(bits)}\n")


if __name__ == "__main__":
    main()
