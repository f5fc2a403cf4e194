"""GPUs, their streams, and arrays in their memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
from cuda.core.utils import StridedMemoryView
from numba import cuda
from numba.cuda.cudadrv import driver, nvvm
from numba.cuda.cudadrv.driver import CudaAPIError
from numba.cuda.cudadrv.error import CudaSupportError

from ..._errors import FaninMemoryError, FaninRuntimeError, FaninValueError
from ..requirements import NO_DRIVER
from ..tasks import DeviceView, c_strides
from .memory import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Iterator

LEGACY, PER_THREAD = 1, 2  # the handles of the two default streams


def missing() -> list[str]:
    """What keeps this machine from CUDA besides packages, each in a few words and with the cure."""
    if SIMULATED:
        return []
    lacks = _missing_gpu()
    if not nvvm.is_available():
        lacks.append("NVIDIA's compiler library NVVM, which was not found: pip install 'fanin[cuda]'")
    return lacks


def _missing_gpu() -> list[str]:
    try:
        count = len(cuda.gpus)
    except CudaSupportError as error:
        if "cannot be found" in str(error):
            return [NO_DRIVER]
        if "NO_DEVICE" not in str(error):
            return [f"an NVIDIA driver that starts ({' '.join(str(error).split())}): see nvidia.com/drivers"]
        count = 0
    return [] if count else ["a CUDA device, and the NVIDIA driver finds none on this machine"]


def devices() -> list[tuple[str, str]]:
    """(name, description) of each CUDA device that was found."""
    if SIMULATED:
        return [("cuda:0", "numba's simulator (NUMBA_ENABLE_CUDASIM=1)")]
    return [(f"cuda:{gpu.id}", f"{gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name}, compute capability "
             f"{'.'.join(map(str, gpu.compute_capability))}, {gpu.MULTIPROCESSOR_COUNT} multiprocessors")
            for gpu in cuda.gpus]


def device_name(index: int | None) -> str:
    """"cuda:N" for a device's index, by default the index of this thread's current device.

    Raises FaninRuntimeError where there is no such device.
    """
    if index is None:
        current = cuda.gpus.current
        return f"cuda:{current.id if current is not None else 0}"
    if index >= len(cuda.gpus):
        raise FaninRuntimeError(f"`device` must be one that this machine has, cuda:0 to cuda:{len(cuda.gpus) - 1} "
                                f"(got 'cuda:{index}')")
    return f"cuda:{index}"


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], device: str) -> tuple[Any, DeviceView]:
    """A new array of numba's on a device, and its view: filled before the caller goes on, whoever reads it then.

    There is no bfloat16 array: its bit patterns are held by uint16.
    """
    with current(device), room_for(shape, device):
        array = cuda.device_array(shape, np.uint16 if dtype.name == "bfloat16" else dtype)
        return array, DeviceView(_address(array), tuple(shape), tuple(array.strides), dtype, device, 0, wait=True)


@contextlib.contextmanager
def room_for(shape: tuple[int, ...], device: str) -> Iterator[None]:
    try:
        yield
    except (MemoryError, CudaAPIError, ValueError, OverflowError) as error:
        raise FaninMemoryError(f"`shape` must fit into the memory of {device} (got {shape}): use `shard` for a part "
                               f"of it ({error})") from None


def view(out: Any) -> DeviceView:
    """The `DeviceView` of an array with __cuda_array_interface__ or DLPack on a GPU, or of the simulator's.

    numba's own arrays are in the order of their stream. What another library will do next with its array, and on which
    stream, the protocols don't say: such an array is ready when it is handed back.
    """
    is_numbas = getattr(out, "__cuda_ndarray__", False)
    if is_numbas and SIMULATED:
        return DeviceView(_address(out), tuple(out.shape), tuple(out.strides), out.dtype, "cuda:0", owner=out)
    interface = getattr(out, "__cuda_array_interface__", None)
    if interface is None:
        return _dlpack_view(out)
    address, read_only = interface["data"]
    if read_only:
        raise FaninValueError("`out` must be writable (got a read-only array): pass a copy")
    if interface.get("mask") is not None:
        raise FaninValueError("`out` must have no mask (got a masked array on a GPU): pass its data")
    shape, dtype = tuple(interface["shape"]), np.dtype(interface["typestr"])
    return DeviceView(address, shape, interface.get("strides") or c_strides(shape, dtype.itemsize), dtype,
                      _device_of(address), interface.get("stream") or 0, wait=not is_numbas, owner=out)


def _dlpack_view(out: Any) -> DeviceView:
    with current(f"cuda:{out.__dlpack_device__()[1]}"):
        found = StridedMemoryView.from_dlpack(out, stream_ptr=LEGACY)  # its library makes this stream wait for its own
    if found.readonly:
        raise FaninValueError("`out` must be writable (got a read-only array): pass a copy")
    dtype, shape = np.dtype(found.dtype), tuple(found.shape)
    strides = c_strides(shape, 1) if found.strides is None else found.strides  # in elements
    return DeviceView(found.ptr, shape, tuple(stride * dtype.itemsize for stride in strides), dtype,
                      f"cuda:{found.device_id}", LEGACY, wait=True, owner=found)


def _address(array: Any) -> int:
    return array.ctypes.data if SIMULATED else array.device_ctypes_pointer.value or 0


def _device_of(address: int) -> str:
    if SIMULATED or not address:
        return device_name(None)
    attribute = driver.binding.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    return f"cuda:{int(driver.driver.cuPointerGetAttribute(attribute, driver.binding.CUdeviceptr(address)))}"


def index_of(device: str) -> int:
    return int(device.partition(":")[2])


def current(device: str) -> Any:
    return cuda.gpus[index_of(device)]


def stream_of(stream: Any) -> Any:
    """What a launch takes, for a stream of numba's or the address of another library's."""
    if not isinstance(stream, int) or stream == 0:
        return stream
    if stream == LEGACY:
        return cuda.legacy_default_stream()
    if stream == PER_THREAD:
        return cuda.per_thread_default_stream()
    return cuda.external_stream(stream)
