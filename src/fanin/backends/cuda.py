"""A GPU through numba-cuda: the only file that names that package, so that its successor can take its place."""

import contextlib
import ctypes
import functools
from typing import Any

import numpy as np
from cuda.core.utils import StridedMemoryView
from llvmlite import ir
from numba import cuda
from numba.cuda import extending, types
from numba.cuda.core import config
from numba.cuda.core.errors import NumbaError
from numba.cuda.cudadrv import driver, nvvm
from numba.cuda.cudadrv.driver import CudaAPIError
from numba.cuda.cudadrv.error import CudaSupportError
from numba.cuda.np.numpy_support import from_dtype

from .._errors import FaninMemoryError, FaninRuntimeError, FaninTypeError, FaninValueError
from ..kernels._device import device_function, register_target
from . import grid
from ._blocks import block_of, is_wide
from ._tasks import DeviceView, c_strides, copy_arguments, run_arguments, strided_arguments

SIMULATED = bool(config.ENABLE_CUDASIM)  # NUMBA_ENABLE_CUDASIM=1: kernels run in Python, on arrays in the CPU's memory
THREADS, GRIDS = (2, 1) if SIMULATED else (256, 16)  # threads of a block; blocks on each multiprocessor
LEAST = 1 if SIMULATED else 128  # blocks: idle ones cost nothing, and numba warns of fewer
LEGACY, PER_THREAD = 1, 2  # the handles of the two default streams
GLOBAL = 1  # the address space of a GPU's main memory, which spares the hardware the question

register_target(extending, types)


# -- memory: a kernel's `out` is an address; in the simulator it is an array --------------------------------------


def _pointer(context, builder, address, at, element, kind):
    offset = builder.mul(at, at.type(context.get_abi_sizeof(element)))
    return builder.inttoptr(builder.add(address, offset), ir.PointerType(kind, GLOBAL))


@extending.intrinsic
def write(_context, out, at, value):
    """Store a number at position `at` after the address `out`."""

    def generate(context, builder, _signature, arguments):
        address, position, number = arguments
        pointer = _pointer(context, builder, address, position, number.type, number.type)
        builder.store(number, pointer, align=context.get_abi_sizeof(number.type))
        return context.get_dummy_value()

    return types.none(types.uint64, types.int64, value), generate


@extending.intrinsic
def write_block(_context, out, at, values):
    """Store a tuple of numbers from position `at` on with one instruction; the address is a multiple of their size."""

    def generate(context, builder, _signature, arguments):
        address, position, numbers = arguments
        element, count = numbers.type.element, numbers.type.count
        kind = ir.VectorType(element, count)
        vector = ir.Constant(kind, ir.Undefined)
        for lane in range(count):
            number = builder.extract_value(numbers, lane)
            vector = builder.insert_element(vector, number, ir.IntType(32)(lane))
        pointer = _pointer(context, builder, address, position, element, kind)
        builder.store(vector, pointer, align=count * context.get_abi_sizeof(element))
        return context.get_dummy_value()

    return types.none(types.uint64, types.int64, values), generate


@functools.cache
def _reader(storage):
    """read(values, at): the number of this dtype at position `at` after an address."""
    number = from_dtype(storage)

    @extending.intrinsic
    def read(_context, values, at):
        def generate(context, builder, signature, arguments):
            address, position = arguments
            element = context.get_value_type(signature.return_type)
            pointer = _pointer(context, builder, address, position, element, element)
            return builder.load(pointer, align=context.get_abi_sizeof(element))

        return number(types.uint64, types.int64), generate

    return read


# -- kernels as plain functions, and their types ------------------------------------------------------------------


def _memory(storage):
    if SIMULATED:
        return {"cuda": cuda, **grid.ARRAYS}
    return {"cuda": cuda, "write": write, "write_block": write_block, "read": _reader(storage)}


class Variant:
    """The kernels of one sampler, mask and storage type, as functions that `cuda.jit` takes."""

    def __init__(self, sampler, mask, storage, parts):
        block = block_of(sampler, mask, storage, parts)
        scope = {"block": _quiet(block) if SIMULATED else block, "NUMBERS": 2 if is_wide(storage) else 4}
        self._scope = scope | _memory(storage)

    @functools.cached_property
    def run(self):
        return grid.specialize(grid.fill_run, **self._scope)

    @functools.cache  # noqa: B019 - a variant lives as long as the process
    def strided(self, rank):
        """The kernel for rows that are numbered along `rank` axes."""
        return grid.specialize(grid.fill_strided, rank, **self._scope)


@functools.cache
def variant(sampler, mask, storage, parts):
    """The `Variant` of these."""
    return Variant(sampler, mask, storage, parts)


@functools.cache
def copier(storage, rank):
    """The kernel that copies and broadcasts an array over `rank` axes."""
    return grid.specialize(grid.copy_strided, rank, **_memory(storage))


def run_signature(params, mask_params):
    """The types that a `run` kernel takes, for the plan's parameters (numpy scalars)."""
    return types.void(types.uint64, *[types.int64] * 4, *_parameters(params, mask_params))


def strided_signature(rank, params, mask_params):
    return types.void(types.uint64, types.int64, types.int64, types.uint64, types.uint64, types.boolean,
                      *[types.int64] * 5, *_axes(rank), *_parameters(params, mask_params))


def copy_signature(rank):
    return types.void(types.uint64, types.uint64, *[types.int64] * 3, *_axes(rank))


def _axes(rank):
    return [types.UniTuple(types.uint64, rank)] * 2 + [types.UniTuple(types.int64, rank)] * 2


def _parameters(params, mask_params):
    return (types.UniTuple(types.uint64, 4), *(types.Tuple([from_dtype(value.dtype) for value in values])
                                               for values in (params, mask_params)))


def _quiet(block):
    """A block function whose integers wrap around without a warning: each simulated thread has numpy's defaults."""

    @device_function
    def quiet(*arguments):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return block(*arguments)

    return quiet


# -- launches -----------------------------------------------------------------------------------------------------


def fill(plan, key, out, block, serial=False):
    """Write the elements of `block` into `out`, a `DeviceView` of its dims and of the plan's dtype.

    The work is queued on the view's stream, and done when that is. `serial` means nothing here. For an empty view it
    compiles what it would need.
    """
    storage, parts = plan.storage, plan.parts
    run = run_arguments(out, block, storage, parts)
    tasks, span, rank, arguments = run or strided_arguments(out, block, storage, parts)
    kinds = tuple(tuple(value.dtype for value in values) for values in (plan.params, plan.mask_params))
    label = (out.device, plan.sampler, plan.mask, storage, parts, rank, bool(run), kinds)
    if label not in _kernels:
        made = variant(plan.sampler, plan.mask, storage, parts)
        if run:
            kernel, signature = made.run, run_signature(plan.params, plan.mask_params)
        else:
            kernel, signature = made.strided(rank), strided_signature(rank, plan.params, plan.mask_params)
        try:
            _kernels[label] = _compile(kernel, signature, out.device)
        except NumbaError as error:  # nothing was written: the kernel was never run
            raise FaninTypeError(f"`sampler` {plan.sampler.__name__} must be made of + - * /, comparisons, `a if "
                                 "condition else b` and fanin.math; the compiler's own words stand above") from error
    if out.size == 0:
        return
    _launch(_kernels[label], out, tasks, _reach(out, span, storage), *arguments, tuple(map(np.uint64, key.words)),
            plan.params, plan.mask_params)


def copy(values, out):
    """Write a numpy array that broadcasts to `out`, a `DeviceView` of its dtype; no more than it holds is copied."""
    if out.size == 0:
        return
    storage = np.dtype(f"u{min(out.dtype.itemsize, 8)}")
    values = np.ascontiguousarray(values)
    parts = out.dtype.itemsize // storage.itemsize
    tasks, span, rank, arguments = copy_arguments(out, values, storage, parts)
    label = (out.device, storage, rank)
    if label not in _kernels:
        _kernels[label] = _compile(copier(storage, rank), copy_signature(rank), out.device)
    with _current(out.device):
        with _room_for(values.shape, out.device):
            there = cuda.to_device(values.reshape(-1).view(storage), stream=_stream(out.stream))
        source = there if SIMULATED else np.uint64(there.device_ctypes_pointer.value)
        _launch(_kernels[label], out._replace(wait=True), tasks, _reach(out, span, storage), source, *arguments)


_kernels: dict[tuple, Any] = {}  # compiled, for one device each


def _compile(kernel, signature, device):
    # Without link-time optimization: what the tests assemble and execute is the PTX that runs.
    options = {} if SIMULATED else {"lto": False}
    try:
        with _current(device):
            return cuda.jit(signature, **options)(kernel)
    except CudaAPIError as error:
        raise FaninRuntimeError(f"`device` {device!r} must be able to load what CUDA 13 compiles (its driver says: "
                                f"{error}): it may need a newer driver (nvidia.com/drivers)") from None


def _launch(kernel, out, tasks, *arguments):
    with _current(out.device):
        stream = _stream(out.stream)
        most = GRIDS if SIMULATED else GRIDS * cuda.gpus[_index(out.device)].MULTIPROCESSOR_COUNT
        blocks = min(max(-(-tasks // THREADS), LEAST), most)
        kernel[blocks, THREADS, stream](*arguments)
    if out.wait:
        synchronize(out)


def synchronize(out):
    """Wait for all that is queued on a view's stream."""
    with _current(out.device):
        (_stream(out.stream) or cuda.default_stream()).synchronize()


def _reach(out, span, storage):
    """A kernel's `out`: the address of the lowest number that it writes."""
    below, count = span
    address = out.address - below * storage.itemsize
    if not SIMULATED:
        return np.uint64(address)
    memory = (ctypes.c_uint8 * (count * storage.itemsize)).from_address(address)
    return np.frombuffer(memory, np.uint16 if storage.itemsize == 2 else storage)


# -- devices, streams, arrays -------------------------------------------------------------------------------------


def missing():
    """What keeps this machine from CUDA, in a few words and with the cure; None where nothing does."""
    if tuple(map(int, np.__version__.split(".")[:2])) >= (2, 5):
        return (f"a numpy older than 2.5, with which numba-cuda breaks (this is {np.__version__}): "
                "pip install 'numpy<2.5'")
    if SIMULATED:
        return None
    try:
        count = len(cuda.gpus)
    except CudaSupportError as error:
        if "cannot be found" in str(error):
            return "an NVIDIA driver, and none was found: install one (nvidia.com/drivers)"
        if "NO_DEVICE" not in str(error):
            return f"an NVIDIA driver that starts ({' '.join(str(error).split())}): see nvidia.com/drivers"
        count = 0
    if count == 0:
        return "a CUDA device, and the NVIDIA driver finds none on this machine"
    if not nvvm.is_available():
        return "NVIDIA's compiler library NVVM, which was not found: pip install 'fanin[cuda]'"
    return None


def devices():
    """(name, description) of each CUDA device that was found."""
    if SIMULATED:
        return [("cuda:0", "numba's simulator (NUMBA_ENABLE_CUDASIM=1)")]
    return [(f"cuda:{gpu.id}", f"{gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name}, compute capability "
             f"{'.'.join(map(str, gpu.compute_capability))}, {gpu.MULTIPROCESSOR_COUNT} multiprocessors")
            for gpu in cuda.gpus]


def device_name(index):
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


def empty(shape, dtype, device):
    """A new array of numba's on a device, and its view: filled before the caller goes on, whoever reads it then.

    There is no bfloat16 array: its bit patterns are held by uint16.
    """
    with _current(device), _room_for(shape, device):
        array = cuda.device_array(shape, np.uint16 if dtype.name == "bfloat16" else dtype)
        return array, DeviceView(_address(array), tuple(shape), tuple(array.strides), dtype, device, 0, wait=True)


@contextlib.contextmanager
def _room_for(shape, device):
    try:
        yield
    except (MemoryError, CudaAPIError, ValueError, OverflowError) as error:
        raise FaninMemoryError(f"`shape` must fit into the memory of {device} (got {shape}): use `shard` for a part "
                               f"of it ({error})") from None


def view(out):
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


def _dlpack_view(out):
    with _current(f"cuda:{out.__dlpack_device__()[1]}"):
        found = StridedMemoryView.from_dlpack(out, stream_ptr=LEGACY)  # its library makes this stream wait for its own
    if found.readonly:
        raise FaninValueError("`out` must be writable (got a read-only array): pass a copy")
    dtype, shape = np.dtype(found.dtype), tuple(found.shape)
    strides = c_strides(shape, 1) if found.strides is None else found.strides  # in elements
    return DeviceView(found.ptr, shape, tuple(stride * dtype.itemsize for stride in strides), dtype,
                      f"cuda:{found.device_id}", LEGACY, wait=True, owner=found)


def _address(array):
    return array.ctypes.data if SIMULATED else array.device_ctypes_pointer.value or 0


def _device_of(address):
    if SIMULATED or not address:
        return device_name(None)
    attribute = driver.binding.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    return f"cuda:{int(driver.driver.cuPointerGetAttribute(attribute, driver.binding.CUdeviceptr(address)))}"


def _index(device):
    return int(device.partition(":")[2])


def _current(device):
    return cuda.gpus[_index(device)]


def _stream(stream):
    """What a launch takes, for a stream of numba's or the address of another library's."""
    if not isinstance(stream, int) or stream == 0:
        return stream
    if stream == LEGACY:
        return cuda.legacy_default_stream()
    if stream == PER_THREAD:
        return cuda.per_thread_default_stream()
    return cuda.external_stream(stream)
