"""Orthogonal matrices by the operators of an array library, in the CPU's memory, beside those of numpy and BLAS."""

import numpy as np

from fanin import ConvolutionOrthogonal, DeltaOrthogonal, Orthogonal
from fanin._backends import get_backend
from fanin._backends.tasks import DeviceView
from fanin._drawing import convolution, matrix
from fanin._plans import indexing
from fanin._seeding import Key

KEY = Key(3, 5)
WHOLE, PART = ..., (slice(3, None, 7), slice(None, None, -2))
CASES = {
    "square": (Orthogonal(), (64, 64), WHOLE),
    "one": (Orthogonal(-2.0), (1, 1), WHOLE),
    "wide": (Orthogonal(1.5), (3, 5), WHOLE),
    "tall, of several panels": (Orthogonal(1.5), (420, 300), WHOLE),
    "wide, of several panels": (Orthogonal(1.5), (300, 420), WHOLE),
    "part of a tall one": (Orthogonal(), (420, 300), PART),
    "part of a wide one": (Orthogonal(), (300, 420), PART),
    "three axes": (Orthogonal(axis=-1), (7, 4, 5), WHOLE),
    "part of three axes": (Orthogonal(axis=1), (7, 4, 5), (slice(2, 6), 2)),
    "an element": (Orthogonal(), (6, 6), (2, 3)),
    "kernel": (DeltaOrthogonal(), (6, 4, 3, 3), WHOLE),
    "part of a kernel": (DeltaOrthogonal(0.5), (6, 4, 3, 3), (slice(1, 5), slice(None), 1)),
    "beside a kernel's centre": (DeltaOrthogonal(), (6, 4, 3, 3), (slice(1, 5), slice(None), 0)),
    "convolution": (ConvolutionOrthogonal(-2.0), (6, 4, 3, 2), WHOLE),
    "part of a convolution": (ConvolutionOrthogonal(layout="*io"), (3, 3, 70, 90), (1, PART[1], slice(None, None, -2))),
    "an element of a convolution": (ConvolutionOrthogonal(), (6, 4, 3), (5, 3, 2)),
}
BOUNDS = {"float32": 1e-5, "float64": 1e-13, "complex64": 1e-5, "complex128": 1e-13}


class OnCPU:
    """Draws the reflectors where the CPU backend can reach them."""

    def __init__(self, as_numpy):
        self._as_numpy = as_numpy

    def fill(self, plan, key, out, block):
        get_backend("cpu").fill(plan, key, self._as_numpy(out.owner), block)


def deviation(case, dtype, algebra_over, as_numpy):
    """The largest difference between the two, in units of the gain; `algebra_over(array)` is the `Algebra` for it."""
    scheme, shape, index = CASES[case]
    plan, axes = scheme.describe(shape, dtype), indexing.parse(index, shape)
    expected = np.empty(indexing.result_shape(axes), plan.dtype)
    write, write_there = matrix.write_matrix, matrix.write_device_matrix
    if plan.spread:
        write, write_there = convolution.write_convolution, convolution.write_device_convolution
    write(plan, KEY, get_backend("cpu"), expected, axes)
    made = np.full_like(expected, 7)
    view = DeviceView(0, made.shape, made.strides, made.dtype, "cuda:0")
    write_there(plan, KEY, OnCPU(as_numpy), view, axes, algebra_over(made))
    return abs(made - expected).max() / abs(scheme.gain)
