"""Filling and copying: compiled for a device at first use, and queued on a stream."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cuda
from numba.cuda.cudadrv.driver import CudaAPIError

from ..._errors import FaninRuntimeError
from ..tasks import copy_arguments, run_arguments, strided_arguments
from .devices import current, index_of, room_for, stream_of
from .memory import SIMULATED
from .variants import copier, copy_signature, run_signature, strided_signature, variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..._plans.indexing import Block
    from ..._plans.plan import SamplerPlan
    from ..._seeding import Key
    from ..tasks import DeviceView

THREADS, GRIDS = (2, 1) if SIMULATED else (256, 16)  # threads of a block; blocks on each multiprocessor
LEAST = 1 if SIMULATED else 128  # blocks: idle ones cost nothing, and numba warns of fewer


def fill(plan: SamplerPlan, key: Key, out: DeviceView, block: Block) -> None:
    """Write the elements of `block` into `out`, a `DeviceView` of its dims and of the plan's dtype.

    The work is queued on the view's stream, and done when that is. For an empty view it compiles what it would need.
    """
    storage, parts = plan.storage, plan.parts
    run = run_arguments(out, block, storage, parts)
    tasks, span, rank, arguments = run or strided_arguments(out, block, storage, parts)  # type: ignore[misc]
    kinds = tuple(tuple(value.dtype for value in values) for values in (plan.params, plan.mask_params))
    label = (out.device, plan.sampler, plan.mask, storage, parts, rank, bool(run), kinds)
    if label not in _kernels:
        made = variant(plan.sampler, plan.mask, storage, parts)
        if run:
            kernel, signature = made.run, run_signature(plan.params, plan.mask_params)
        else:
            kernel, signature = made.strided(rank), strided_signature(rank, plan.params, plan.mask_params)
        _kernels[label] = _compile(kernel, signature, out.device)
    if out.size == 0:
        return
    _launch(_kernels[label], out, tasks, _reach(out, span, storage), *arguments, tuple(map(np.uint64, key.words)),
            plan.params, plan.mask_params)


def copy(values: NDArray[Any], out: DeviceView) -> None:
    """Write a numpy array that broadcasts to `out`, a `DeviceView` of its dtype; no more than it holds is copied."""
    if out.size == 0:
        return
    storage = np.dtype(f"u{min(out.dtype.itemsize, 8)}")
    values = np.ascontiguousarray(values)
    parts = out.dtype.itemsize // storage.itemsize
    tasks, span, rank, arguments = copy_arguments(out, values, storage, parts)  # type: ignore[misc]
    label = (out.device, storage, rank)
    if label not in _kernels:
        _kernels[label] = _compile(copier(storage, rank), copy_signature(rank), out.device)
    with current(out.device):
        with room_for(values.shape, out.device):
            there = cuda.to_device(values.reshape(-1).view(storage), stream=stream_of(out.stream))
        source = there if SIMULATED else np.uint64(there.device_ctypes_pointer.value)
        _launch(_kernels[label], out._replace(wait=True), tasks, _reach(out, span, storage), source, *arguments)


_kernels: dict[tuple, Any] = {}  # compiled, for one device each


def _compile(kernel: Callable[..., None], signature: Any, device: str) -> Any:
    # Without link-time optimization: what the tests assemble and execute is the PTX that runs.
    options = {} if SIMULATED else {"lto": False}
    try:
        with current(device):
            return cuda.jit(signature, **options)(kernel)
    except CudaAPIError as error:
        raise FaninRuntimeError(f"`device` {device!r} must be able to load what CUDA 13 compiles (its driver says: "
                                f"{error}): it may need a newer driver (nvidia.com/drivers)") from None


def _launch(kernel: Any, out: DeviceView, tasks: int, *arguments: Any) -> None:
    with current(out.device):
        stream = stream_of(out.stream)
        most = GRIDS if SIMULATED else GRIDS * cuda.gpus[index_of(out.device)].MULTIPROCESSOR_COUNT
        blocks = min(max(-(-tasks // THREADS), LEAST), most)
        kernel[blocks, THREADS, stream](*arguments)
    if out.wait:
        synchronize(out)


def synchronize(out: DeviceView) -> None:
    """Wait for all that is queued on a view's stream."""
    with current(out.device):
        (stream_of(out.stream) or cuda.default_stream()).synchronize()


def _reach(out: DeviceView, span: tuple[int, int], storage: np.dtype[Any]) -> Any:
    """A kernel's `out`: the address of the lowest number that it writes."""
    below, count = span
    address = out.address - below * storage.itemsize
    if not SIMULATED:
        return np.uint64(address)
    memory: Any = (ctypes.c_uint8 * (count * storage.itemsize)).from_address(address)
    return np.frombuffer(memory, np.uint16 if storage.itemsize == 2 else storage)
