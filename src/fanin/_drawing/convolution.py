"""Orthogonal convolutions: from one orthogonal matrix to a kernel that preserves the norm of every signal.

By the plain operators that numpy, CuPy and torch have in common. The method is algorithm 1 of Xiao et al., "Dynamical
isometry and a mean field theory of CNNs" (ICML 2018), taken apart: a convolution by P at one place and I - P at the
next along an axis is orthogonal for each orthogonal projection P, and so is a product of such ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .haar import haar
from .matrix import device_haar, in_order_of, is_all, normals, permuted, positions, worked_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._backends.tasks import DeviceView
    from .._plans.indexing import Axis
    from .._plans.plan import MatrixPlan
    from .._seeding import Key
    from .haar_device import Algebra

    Made = Callable[[int, tuple[int, int], NDArray[Any]], Any]  # (its number, its shape, rows of it) -> a Haar matrix

CHUNK = 1 << 20  # numbers that are projected at a time, beside the kernel


def write_convolution(plan: MatrixPlan, key: Key, backend: Any, out: NDArray[Any], axes: Sequence[Axis]) -> None:
    """Make the part of the plan's convolution that `axes` select, and write it to the numpy array `out`.

    Matrix number 0 is (in, out), all others are projections' bases; each has a key of its own, that of the block of
    this number. A part takes as much work as all of the input channels that it touches.
    """
    dtype = worked_in(plan)

    def made(number: int, whole: tuple[int, int], rows: NDArray[Any]) -> NDArray[Any]:
        draw = normals(whole, dtype, key.within((number,)), backend.fill_in_this_thread)
        return haar(*whole, draw, dtype, row_index=None if is_all(rows, whole[0]) else rows)

    _write(plan, out, axes, made, np.zeros, np)


def write_device_convolution(plan: MatrixPlan, key: Key, backend: Any, out: DeviceView, axes: Sequence[Axis],
                             algebra: Algebra) -> None:
    """`write_convolution` for a `DeviceView`, in whose memory `algebra` works."""
    dtype = worked_in(plan)

    def made(number: int, whole: tuple[int, int], rows: NDArray[Any]) -> Any:
        return device_haar(algebra, key.within((number,)), backend, out, whole, dtype, rows, np.arange(whole[1]))

    with algebra.scope():
        _write(plan, algebra.array, axes, made, algebra.zeros, algebra.xp)
    if out.wait:
        backend.synchronize(out)


def _write(plan: MatrixPlan, out: Any, axes: Sequence[Axis], made: Made, zeros: Callable[..., Any], xp: Any) -> None:
    channels, dims = plan.side("r"), [dim for dim, role in zip(plan.shape, plan.roles, strict=True) if role == "*"]
    first = made(0, (plan.side("c"), channels), positions(plan, axes, "c"))
    first *= float(plan.gain)
    kernel = convolve(first, dims, lambda number: made(number, (channels, channels // 2), np.arange(channels)), zeros,
                      worked_in(plan))
    wanted = [axis.indices() for axis, role in zip(axes, plan.roles, strict=True) if role == "*"]
    for place, numbers in enumerate([*wanted, positions(plan, axes, "r")], 1):
        if not is_all(numbers, kernel.shape[place]):
            kernel = kernel[(*[slice(None)] * place, xp.asarray(numbers))]
    tensor = permuted(out, in_order_of(plan, axes, "c*r"))
    tensor[...] = kernel.reshape(tuple(tensor.shape))


def convolve(first: Any, dims: Sequence[int], basis: Callable[[int], Any], zeros: Callable[..., Any],
             dtype: np.dtype[Any]) -> Any:
    """The kernel (rows, *dims, columns) that `first`, a matrix of orthonormal rows, becomes over a kernel of `dims`.

    Args:
        basis: basis(j) is the matrix whose orthonormal columns span the range of projection j = 1, 2, …
        zeros: zeros(shape, dtype) makes an array of the library that `first` is of.
    """
    rows, columns = first.shape
    kernel = zeros((rows, *dims, columns), dtype)
    kernel[(slice(None), *(0,) * len(dims))] = first
    reached = [1] * len(dims)  # beyond this the kernel is zero
    for number, axis in enumerate(_steps(dims), 1):
        onto = basis(number)
        back = onto.conj().T
        step = max(1, CHUNK // (columns * int(np.prod(reached))))
        for start in range(0, rows, step):
            here = [slice(start, start + step), *map(slice, reached)]
            there = [*here]
            there[1 + axis] = slice(1, reached[axis] + 1)
            old = kernel[tuple(here)]
            kept = (old.reshape(-1, columns) @ onto @ back).reshape(old.shape)
            passed = old - kept
            kernel[tuple(here)] = kept
            kernel[tuple(there)] += passed
        reached[axis] += 1
    return kernel


def _steps(dims: Sequence[int]) -> Iterator[int]:
    """The axis of each projection: one along every axis in turn, for as long as it has places left."""
    for reached in range(1, max(dims)):
        for axis, dim in enumerate(dims):
            if reached < dim:
                yield axis
