"""A parallel kernel of numba's that a user of fanin may have. In a file, for numba can then keep it compiled."""

import numba
import numpy as np


@numba.njit(parallel=True, nogil=True, cache=True)
def users_sum(x):
    total = 0.0
    for i in numba.prange(len(x)):
        total += x[i]
    return total


def users_own(n=10_000):
    assert users_sum(np.ones(n)) == n
