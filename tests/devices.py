"""Arrays of any device as numpy arrays."""

import numpy as np


def on_host(array, dtype):
    """What was drawn, as a numpy array of `dtype`: numba's arrays on a GPU hold bfloat16 as bit patterns."""
    if isinstance(array, np.ndarray):
        return array
    there = array.copy_to_host()
    return there if there.dtype == dtype else there.view(dtype)
