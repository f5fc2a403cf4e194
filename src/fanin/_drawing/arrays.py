"""Arrays of other libraries as views of the same memory, numpy's or a GPU's: what `out=` accepts. And new arrays."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._backends import check_device, get_backend, require_cuda
from .._backends.tasks import DeviceView
from .._dtypes import as_dtype, bfloat16, is_known
from .._errors import FaninError, FaninMemoryError, FaninTypeError, FaninValueError, a_type

if TYPE_CHECKING:
    from .._types import Array, Dims

    View: TypeAlias = Array | DeviceView

ACCEPTED = ("a numpy array, a torch tensor, a CuPy or numba array, or an array with DLPack, __array_interface__ or "
            "__cuda_array_interface__")
ON_GPU = (2, 13)  # DLPack's numbers of CUDA memory, plain and managed
EXAMINED = 2**20  # elements of a strange array that are looked at one by one; a larger one is refused


def writable(out: Any) -> tuple[Any, Callable[[], None]]:
    """`view_of`, and a function to call once the view was written to."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(out, torch.Tensor):
        return view_of(out), lambda: torch.autograd.graph.increment_version(out)
    return view_of(out), _nothing


def view_of(out: Any) -> Any:
    """A writable view of `out`, numpy's or a `DeviceView`.

    Raises:
        FaninTypeError: not an array, or of a dtype that fanin does not write.
        FaninValueError: read-only, on a device of another kind, or with memory that no view can describe.
        FaninRuntimeError: on a GPU, and the CUDA backend can't run here.
    """
    torch = sys.modules.get("torch")  # an object can only be a tensor if its library is loaded already
    if torch is not None and isinstance(out, torch.Tensor):
        view: View = _torch_view(out, torch)
    else:
        view = _numpy_view(out)
    if not is_known(view.dtype):
        raise FaninTypeError(f"`out` must be of a floating-point, complex, integer or bool dtype in native byte order "
                             f"(got {view.dtype})")
    contiguous = False
    if isinstance(view, np.ndarray):
        contiguous = view.flags.c_contiguous
        if not view.flags.writeable:
            raise FaninValueError("`out` must be writable (got a read-only array): pass a copy")
    elif view.size and any(place % min(view.dtype.itemsize, 8) for place in (view.address, *view.strides)):
        raise FaninValueError(f"`out` on a GPU must have its elements at addresses that are multiples of their size "
                              f"(got {view.address:#x} and the strides {view.strides}): pass an array of its own")
    if not contiguous and _overlaps(view):
        raise FaninValueError("`out` must have memory of its own for each element (got a broadcast array, a sliding "
                              f"window or the like, with the strides {view.strides}): pass a copy")
    return view


def _overlaps(view: View) -> bool:
    """Whether two elements of a view share memory. Where the strides alone don't tell, all of them are looked at."""
    if view.size == 0:
        return False
    axes = sorted((abs(stride), dim) for stride, dim in zip(view.strides, view.shape, strict=True) if dim > 1)
    extent = view.dtype.itemsize
    for stride, dim in axes:
        if stride < extent:
            return _overlap_somewhere(axes, view.dtype.itemsize)
        extent += stride * (dim - 1)
    return False


def _overlap_somewhere(axes: list[tuple[int, int]], itemsize: int) -> bool:
    """The same for axes that interleave: every address is made, and compared with its neighbour."""
    if math.prod(dim for _, dim in axes) > EXAMINED or axes[0][0] < itemsize:
        return True
    starts = np.zeros(1, np.int64)
    for stride, dim in axes:
        starts = (starts[:, None] + stride * np.arange(dim)).reshape(-1)
    starts.sort()
    return bool((np.diff(starts) < itemsize).any())


def _nothing() -> None:
    pass


def _numpy_view(out: Any) -> View:
    if isinstance(out, np.ndarray):
        return np.asarray(out)  # a subclass's plain memory
    try:
        return _foreign_view(out)
    except FaninError:
        raise
    except Exception as error:  # whatever the array of an unknown library raises
        raise FaninTypeError(f"`out` must be {ACCEPTED} (got {a_type(out)}, which raised {type(error).__name__}: "
                             f"{error})") from error


def _foreign_view(out: Any) -> View:
    if hasattr(out, "__cuda_array_interface__") or hasattr(out, "__cuda_ndarray__"):
        return _device_view(out)
    if hasattr(out, "__array_interface__") and not isinstance(out, np.generic):  # of a scalar numpy makes a copy
        return _interface_view(out)
    if hasattr(out, "__dlpack__") and hasattr(out, "__dlpack_device__"):
        if out.__dlpack_device__()[0] in ON_GPU:
            return _device_view(out)
        try:
            return np.from_dlpack(out)
        except (BufferError, RuntimeError, TypeError) as error:
            raise FaninValueError("`out` must be in the memory of the CPU or a CUDA device, and of a dtype that numpy "
                                  f"has (got {a_type(out)}: {error})") from None
    raise FaninTypeError(f"`out` must be {ACCEPTED} (got {a_type(out)})")


def _interface_view(out: Any) -> Array:
    try:
        return np.asarray(out)
    except Exception as error:  # numpy raises what it meets first
        raise FaninTypeError(f"`out` must have a valid __array_interface__ (got {a_type(out)}: {error})"
                             ) from error


def _device_view(out: Any) -> DeviceView:
    backend = require_cuda(f"`out`, {a_type(out)} on a GPU,")
    if type(out).__module__.split(".")[0] in ("jax", "jaxlib"):
        raise FaninValueError("`out` must be writable (got a JAX array, which is immutable): draw a new "
                              "array")
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(out, cupy.ndarray):
        with out.device:  # a stream of CuPy's is current on one device
            stream = cupy.cuda.get_current_stream().ptr
        return DeviceView(out.data.ptr, out.shape, out.strides, out.dtype, f"cuda:{out.device.id}", stream, owner=out)
    try:
        return backend.view(out)
    except (BufferError, RuntimeError, TypeError, NotImplementedError) as error:
        if isinstance(error, FaninError):
            raise
        raise FaninTypeError(f"`out` must be an array that its library can share (got {a_type(out)}: "
                             f"{error})") from None


def _torch_view(tensor: Any, torch: Any) -> View:
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.is_nested:  # as few are
        require_plain(tensor)
        if is_fake(tensor):
            raise FaninValueError("`out` must have memory (got a FakeTensor, which has a shape and no elements): use "
                                  "`describe` to check a draw")
    try:
        if tensor.is_cuda:
            _check_strided(tensor, torch)
            return _torch_device_view(tensor.detach(), torch)
        return _torch_host_view(tensor.detach(), torch)
    except (TypeError, RuntimeError, AssertionError) as error:  # an assertion for a plain tensor in FakeTensorMode
        if isinstance(error, FaninError):
            raise
        _check_strided(tensor, torch)  # which torch has done, in other words
        raise FaninTypeError(f"`out` must be a tensor that numpy can view (got {type(tensor).__name__} of "
                             f"{tensor.dtype}: {error})") from None


def _torch_host_view(plain: Any, torch: Any, name: str = "out") -> Array:
    dtype = plain.dtype
    view: Array
    if dtype is torch.bfloat16:
        view = plain.view(torch.uint16).numpy().view(bfloat16())
    elif dtype.itemsize == 1 and plain.is_floating_point():
        view = plain.view(torch.uint8).numpy().view(as_dtype(dtype))
    else:
        view = plain.numpy()
    if not plain.data_ptr() and plain.numel():
        raise FaninTypeError(f"`{name}` must have memory of its own (got a tensor inside one of torch's function "
                             "transforms, such as functionalize): use it outside")
    return view


def _check_strided(tensor: Any, torch: Any) -> None:
    """Refuse a tensor whose elements are not numbers in the memory of the CPU or a GPU."""
    if not (tensor.is_cpu or tensor.is_cuda):
        raise FaninValueError(f"`out` must be on the CPU or a CUDA device (got a tensor on {tensor.device})")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_conj() or tensor.is_neg():
        raise FaninValueError("`out` must be a plain strided tensor (got a sparse, quantized, conjugated or negated "
                              "one): pass its contiguous copy")


def require_plain(out: Any) -> None:
    """Refuse a tensor of torch's whose elements have no place, or are not all in one, with what to do instead."""
    torch = sys.modules.get("torch")
    distributed = sys.modules.get("torch.distributed.tensor")
    if torch is None or not isinstance(out, torch.Tensor):
        return
    if distributed is not None and isinstance(out, distributed.DTensor):
        raise FaninTypeError("`out` must be a plain tensor (got a DTensor, of which each process holds a part): make "
                             "one with fanin.torch.distribute, or fill a module with fanin.torch.init_module")
    if torch.nn.parameter.is_lazy(out):
        raise FaninTypeError(f"`out` must have a shape (got {a_type(out)}, which gets one in the first "
                             "forward pass): run the module once, or call its `materialize(shape)`")
    if out.is_nested:
        raise FaninTypeError("`out` must be a plain tensor (got a nested one): fill each of those that its `unbind()` "
                             "returns")


def is_fake(out: Any) -> bool:
    """Whether this is torch's FakeTensor, which has a shape and no elements, like a tensor on meta."""
    fake = sys.modules.get("torch._subclasses.fake_tensor")
    return fake is not None and isinstance(out, fake.FakeTensor)


def is_empty(tensor: Any) -> bool:
    """Whether a tensor of torch's has a shape and no elements: on meta, or a FakeTensor."""
    return bool(tensor.is_meta) or is_fake(tensor)


def _torch_device_view(tensor: Any, torch: Any) -> DeviceView:
    if torch.version.hip:
        raise FaninValueError("`out` must be on the CPU or a CUDA device (got a tensor on an AMD GPU)")
    require_cuda("`out`, a torch tensor on a GPU,")
    try:
        dtype = as_dtype(tensor.dtype)
    except FaninTypeError:
        raise FaninTypeError(f"`out` must be of a floating-point, complex, integer or bool dtype (got {tensor.dtype})"
                             ) from None
    size = tensor.element_size()
    return DeviceView(tensor.data_ptr(), tuple(tensor.shape), tuple(stride * size for stride in tensor.stride()),
                      dtype, f"cuda:{tensor.device.index}",
                      torch.cuda.current_stream(tensor.device).cuda_stream, owner=tensor)


def as_numpy(name: str, value: Any) -> Array:
    """The values of an array of any library, or of nested lists, as a numpy array: perhaps the same memory.

    Raises:
        FaninTypeError: a tensor that has no values, or none that numpy can hold.
    """
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(value, torch.Tensor):
            _require_values(name, value, torch)
            return _torch_host_view(value.detach().cpu().resolve_conj().resolve_neg(), torch, name)
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value, device="cpu")
    except (BufferError, NotImplementedError, RuntimeError, TypeError) as error:
        if isinstance(error, FaninError):
            raise
        raise FaninTypeError(f"`{name}` must be an array whose values numpy can hold (got {a_type(value)}: "
                             f"{error})") from None
    masked = sys.modules.get("numpy.ma")  # which numpy imports when it is used
    if masked is not None and masked.is_masked(value):
        raise FaninTypeError(f"`{name}` must have all its values (got {a_type(value)} that hides some): pass its "
                             "`filled(0.0)`, or `data`")
    return np.asarray(value)


def _require_values(name: str, tensor: Any, torch: Any) -> None:
    """Refuse a tensor of torch's that has no values, or has them not all here, with what to do instead."""
    distributed = sys.modules.get("torch.distributed.tensor")
    if torch.nn.parameter.is_lazy(tensor):
        raise FaninTypeError(f"`{name}` must have values (got {a_type(tensor)}, which gets them in the first forward "
                             "pass): run the module once")
    if distributed is not None and isinstance(tensor, distributed.DTensor):
        raise FaninTypeError(f"`{name}` must be a plain tensor (got a DTensor, of which each process holds a part): "
                             "pass its `full_tensor()`")
    if tensor.is_nested:
        raise FaninTypeError(f"`{name}` must be a plain tensor (got a nested one): pass one of those that its "
                             "`unbind()` returns")
    if is_empty(tensor):
        raise FaninTypeError(f"`{name}` must have values (got a tensor that has a shape and no elements)")


def place(device: Any, view: Any) -> str:
    """The device of a view, which must be the one that was asked for."""
    here = view.device
    asked = check_device(device)
    if asked == here or asked == "reference" and here == "cpu" or str(device) in ("cuda", "gpu") and here != "cpu":
        return asked if here == "cpu" else here
    raise FaninValueError(f"`out` must be on the device asked for, {asked} (got an array on {here}): leave `device` "
                          "out")


def new(shape: Dims, dtype: np.dtype[Any], device: str) -> tuple[Any, View]:
    """A new array on a device, and the view of it that is to be filled."""
    if not device.startswith("cuda"):
        array = empty(shape, dtype)
        return array, array
    return get_backend(device).empty(shape, dtype, device)


def empty(shape: Dims, dtype: np.dtype[Any]) -> Array:
    """A new array; FaninMemoryError for a shape that no memory holds."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:  # ValueError: sizes over the address space
        raise FaninMemoryError(f"`shape` must fit into memory (got {shape}): use `shard` for a part of it ({error})") \
            from None
