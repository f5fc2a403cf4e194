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
    tensor = out.transpose(in_order_of(plan, axes, "rc"))
    rows, columns = (positions(plan, axes, role) for role in "rc")
    try:
        matrix = tensor.reshape((len(rows), len(columns)), copy=False)
    except ValueError:  # no view has that shape
        matrix = None
    dtype = worked_in(plan)
    whole = (plan.side("r"), plan.side("c"))
    # In this thread: it is a few hundredths of the work, and BLAS's threads still spin between its products.
    made = haar(*whole, normals(whole, dtype, key, backend.fill_in_this_thread), dtype, plan.gain,
                None if is_all(rows, whole[0]) else rows, None if is_all(columns, whole[1]) else columns, out=matrix)
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
    tensor = algebra.array
    if "*" in plan.roles:
        tensor[...] = 0
        tensor = _centre(plan, tensor, axes)
        if tensor is None:
            return
    tensor = permuted(tensor, in_order_of(plan, axes, "rc"))
    rows, columns = (positions(plan, axes, role) for role in "rc")
    matrix = device_haar(algebra, key, backend, out, (plan.side("r"), plan.side("c")), worked_in(plan), rows, columns)
    matrix *= float(plan.gain)
    tensor[...] = matrix.reshape(tuple(tensor.shape))


def device_haar(algebra: Algebra, key: Key, backend: Any, out: DeviceView, whole: tuple[int, int], dtype: np.dtype[Any],
                rows: NDArray[Any], columns: NDArray[Any]) -> Any:
    """Those rows and columns of a Haar-distributed matrix, where `algebra` works; `out` says where that is."""
    (m, n), tall, wide, xp = whole, rows, columns, algebra.xp
    if m < n:
        m, n, tall, wide = n, m, wide, tall
    ascending = np.argsort(wide)
    draw = normals(whole, dtype, key, backend.fill)

    def draw_block(rows: slice, columns: slice, block: Any) -> None:
        step = dtype.itemsize
        draw(rows, columns, out._replace(address=algebra.address(block), shape=tuple(block.shape), dtype=dtype,
                                         strides=(block.shape[1] * step, step), wait=False, owner=block))

    matrix = haar_columns(m, n, wide[ascending], draw_block, algebra.zeros, dtype, xp)
    if not is_all(ascending, len(ascending)):
        matrix = matrix[:, xp.asarray(np.argsort(ascending))]
    if not is_all(tall, m):
        matrix = matrix[xp.asarray(tall)]
    return matrix.T if whole[0] < whole[1] else matrix


def worked_in(plan: MatrixPlan) -> np.dtype[Any]:
    """The type that a plan's matrix is computed in."""
    number = computing_type(plan.dtype)
    return np.result_type(number, np.complex64) if plan.dtype.kind == "c" else np.dtype(number)


def in_order_of(plan: MatrixPlan, axes: Sequence[Axis], roles: str) -> list[int]:
    """The order of a block's axes in which they come role by role; a block without the axes of other roles."""
    kept = [d for d in range(len(axes)) if plan.roles[d] in roles and not axes[d].dropped]
    return [kept.index(d) for role in roles for d in kept if plan.roles[d] == role]


def permuted(array: Any, order: list[int]) -> Any:
    """numpy's transpose, which torch calls otherwise."""
    return array.permute(order) if hasattr(array, "permute") else array.transpose(order)


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


def positions(plan: MatrixPlan, axes: Sequence[Axis], role: str) -> NDArray[Any]:
    """The numbers of the matrix's rows (r) or columns (c) that the block touches, in the block's C order."""
    mine = [d for d, axis_role in enumerate(plan.roles) if axis_role == role]
    numbers = np.zeros(1, np.int64)
    for d in mine:
        stride = math.prod(plan.shape[e] for e in mine if e > d)
        numbers = np.add.outer(numbers, axes[d].indices() * stride).ravel()
    return numbers


def is_all(numbers: NDArray[Any], count: int) -> bool:
    """Whether they are 0, 1, …, count - 1."""
    return len(numbers) == count and bool((numbers == np.arange(count)).all())


def normals(whole: tuple[int, int], dtype: np.dtype[Any], key: Key,
            fill: Callable[..., None]) -> Callable[..., None]:
    """What `haar` draws its reflectors with: any block of the (n, m) matrix of standard normals of this key."""
    shape = (min(whole), max(whole))
    plan = TensorSpec(shape, dtype).draw(complex_normal if dtype.kind == "c" else normal, 0.0, 1.0)

    def draw(rows: slice, columns: slice, out: Any) -> None:
        fill(plan, key, out, indexing.block(indexing.parse((rows, columns), shape), shape))

    return draw
