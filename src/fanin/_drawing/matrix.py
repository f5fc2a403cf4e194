"""Orthogonal matrices laid into tensors, whole or in part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import computing_type
from .._kernels.complex import complex_normal
from .._kernels.normal import normal
from .._plans import indexing
from .._plans.spec import TensorSpec
from .haar import haar
from .haar_device import haar_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._backends.tasks import DeviceView
    from .._plans.indexing import Axis
    from .._plans.plan import MatrixPlan
    from .._seeding import Key
    from .haar_device import Algebra


def write_matrix(plan: MatrixPlan, key: Key, backend: Any, out: NDArray[Any], axes: Sequence[Axis]) -> None:
    """Make the rows and columns of the plan's matrix that `axes` touch, and write them to the numpy array `out`.

    The r axes in C order are the matrix's rows, the c axes its columns; where there are kernel axes (*), the matrix
    stands at their centre (k - 1)//2 and all else is zero.
    """
    if "*" in plan.roles:
        out[...] = 0
        out = _centre(plan, out, axes)
        if out is None:
            return
    tensor = out.transpose(_rows_first(plan, axes))
    rows, columns = (_positions(plan, axes, role) for role in "rc")
    try:
        matrix = tensor.reshape((len(rows), len(columns)), copy=False)
    except ValueError:  # no view has that shape
        matrix = None
    dtype = _worked_in(plan)
    whole = (plan.side("r"), plan.side("c"))
    # In this thread: it is a few hundredths of the work, and BLAS's threads still spin between its products.
    made = haar(*whole, _normals(whole, dtype, key, backend.fill_in_this_thread), dtype, plan.gain,
                None if len(rows) == whole[0] and _in_order(rows) else rows,
                None if len(columns) == whole[1] and _in_order(columns) else columns, out=matrix)
    if matrix is None:
        tensor[...] = made.reshape(tensor.shape)


def write_device_matrix(plan: MatrixPlan, key: Key, backend: Any, out: DeviceView, axes: Sequence[Axis],
                        algebra: Algebra) -> None:
    """`write_matrix` for a `DeviceView`, in whose memory `algebra` works.

    All rows are made of the columns (or all columns of the rows, where there are fewer rows) that `axes` touch.
    """
    with algebra.scope():
        _write_with(algebra, plan, key, backend, out, axes)
    if out.wait:
        backend.synchronize(out)


def _write_with(algebra: Algebra, plan: MatrixPlan, key: Key, backend: Any, out: DeviceView,
                axes: Sequence[Axis]) -> None:
    tensor, xp, dtype = algebra.array, algebra.xp, _worked_in(plan)
    if "*" in plan.roles:
        tensor[...] = 0
        tensor = _centre(plan, tensor, axes)
        if tensor is None:
            return
    order = _rows_first(plan, axes)
    tensor = tensor.permute(order) if hasattr(tensor, "permute") else tensor.transpose(order)
    tall, wide = (_positions(plan, axes, role) for role in "rc")
    m, n = whole = (plan.side("r"), plan.side("c"))
    if m < n:
        m, n, tall, wide = n, m, wide, tall
    ascending = np.argsort(wide)
    draw = _normals(whole, dtype, key, backend.fill)

    def normals(rows: slice, columns: slice, block: Any) -> None:
        step = dtype.itemsize
        draw(rows, columns, out._replace(address=algebra.address(block), shape=tuple(block.shape), dtype=dtype,
                                         strides=(block.shape[1] * step, step), wait=False, owner=block))

    matrix = haar_columns(m, n, wide[ascending], normals, algebra.zeros, dtype, xp)
    if not _in_order(ascending):
        matrix = matrix[:, xp.asarray(np.argsort(ascending))]
    if len(tall) != m or not _in_order(tall):
        matrix = matrix[xp.asarray(tall)]
    if whole[0] < whole[1]:
        matrix = matrix.T
    matrix *= float(plan.gain)
    tensor[...] = matrix.reshape(tuple(tensor.shape))


def _worked_in(plan: MatrixPlan) -> np.dtype[Any]:
    number = computing_type(plan.dtype)
    return np.result_type(number, np.complex64) if plan.dtype.kind == "c" else np.dtype(number)


def _rows_first(plan: MatrixPlan, axes: Sequence[Axis]) -> list[int]:
    """The order of a block's axes in which the matrix's rows come before its columns."""
    kept = [d for d in range(len(axes)) if plan.roles[d] != "*" and not axes[d].dropped]
    return [kept.index(d) for role in "rc" for d in kept if plan.roles[d] == role]


def _centre(plan: MatrixPlan, out: Any, axes: Sequence[Axis]) -> Any:
    """The part of `out` at the kernel's centre, or None when the centre is outside."""
    index: list[Any] = []
    for axis, dim, role in zip(axes, plan.shape, plan.roles, strict=True):
        if role != "*":
            index += [] if axis.dropped else [slice(None)]
            continue
        position, between = divmod((dim - 1) // 2 - axis.start, axis.step)
        if between or not 0 <= position < axis.size:
            return None
        index += [] if axis.dropped else [position]
    return out[(*index, ...)]


def _positions(plan: MatrixPlan, axes: Sequence[Axis], role: str) -> NDArray[Any]:
    """The numbers of the matrix's rows (r) or columns (c) that the block touches, in the block's C order."""
    mine = [d for d, axis_role in enumerate(plan.roles) if axis_role == role]
    positions = np.zeros(1, np.int64)
    for d in mine:
        stride = math.prod(plan.shape[e] for e in mine if e > d)
        positions = np.add.outer(positions, axes[d].indices() * stride).ravel()
    return positions


def _in_order(positions: NDArray[Any]) -> bool:
    return bool((positions == np.arange(len(positions))).all())


def _normals(whole: tuple[int, int], dtype: np.dtype[Any], key: Key,
             fill: Callable[..., None]) -> Callable[..., None]:
    """What `haar` draws its reflectors with: any block of the (n, m) matrix of standard normals of this key."""
    shape = (min(whole), max(whole))
    plan = TensorSpec(shape, dtype).draw(complex_normal if dtype.kind == "c" else normal, 0.0, 1.0)

    def normals(rows: slice, columns: slice, out: Any) -> None:
        fill(plan, key, out, indexing.block(indexing.parse((rows, columns), shape), shape))

    return normals
