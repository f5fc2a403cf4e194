"""From a plan, a key and a device to an array: the only place where plans meet backends."""

import math

import numpy as np

from . import _index
from ._matrix import write_device_matrix, write_matrix
from ._orthogonal_device import algebra_of
from ._plan import ArrayPlan, MatrixPlan
from .backends import get_backend


def materialize(plan, key, device, out, axes):
    """Write the elements that `axes` (see _index) select of the planned tensor into `out`, a view as in _arrays."""
    if out.size == 0:
        return
    if isinstance(plan, MatrixPlan):
        _materialize_matrix(plan, key, device, out, axes)
    elif isinstance(plan, ArrayPlan):
        with np.errstate(all="ignore"):  # the plan has checked that the dtype holds the values
            values = plan.values(lambda d, broadcast: _as_index(axes[d], broadcast))
            if isinstance(out, np.ndarray):
                out[...] = values
            else:
                get_backend(device).copy(values.astype(plan.dtype), out)
    else:
        get_backend(device).fill(plan, key, out, _index.block(axes, plan.shape))


def _materialize_matrix(plan, key, device, out, axes):
    if isinstance(out, np.ndarray):
        write_matrix(plan, key, get_backend(device), out, axes)
        return
    algebra = algebra_of(out)
    if algebra is not None:
        write_device_matrix(plan, key, get_backend(device), out, axes, algebra)
    else:  # no library that multiplies there
        made = np.empty(out.shape, plan.dtype)
        write_matrix(plan, key, get_backend("cpu"), made, axes)
        get_backend(device).copy(made, out)


def _as_index(axis, broadcast):
    if axis.dropped:
        return 0 if broadcast else axis.start
    if broadcast:
        return slice(None)
    stop = axis.start + axis.step * axis.size
    return slice(axis.start, stop if stop >= 0 else None, axis.step)


def materialize_range(plan, key, start, out, device="cpu"):
    """Write elements start, start + 1, … (in C order over the whole tensor) of an element-wise plan into 1-D `out`."""
    if out.size == 0:
        return
    if isinstance(plan, ArrayPlan):
        numbers = np.arange(start, start + out.size)

        def coordinates(d, broadcast):
            return numbers * 0 if broadcast else numbers // math.prod(plan.shape[d + 1:]) % plan.shape[d]

        with np.errstate(all="ignore"):
            out[...] = plan.values(coordinates)
    else:
        get_backend(device).fill(plan, key, out, _index.Block(start, out.shape, (1,)))
