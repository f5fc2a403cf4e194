"""Arrays of other libraries as numpy arrays over the same memory: what `out=` accepts."""

import sys

import numpy as np

from ._dtypes import bfloat16, is_known
from ._errors import FaninMemoryError, FaninTypeError, FaninValueError

ACCEPTED = "a numpy array, a torch CPU tensor, or an array with DLPack or __array_interface__"


def writable(out):
    """A writable numpy view of `out`, and a function to call once it was written to.

    Raises:
        FaninTypeError: not an array, or of a dtype that fanin does not write.
        FaninValueError: read-only, on another device, or with memory that no numpy view can describe.
    """
    torch = sys.modules.get("torch")  # an object can only be a tensor if its library is loaded already
    if torch is not None and isinstance(out, torch.Tensor):
        view, written = _torch_view(out, torch), lambda: torch.autograd.graph.increment_version(out)
    else:
        view, written = _numpy_view(out), _nothing
    if not is_known(view.dtype):
        raise FaninTypeError(f"`out` must be of a floating-point, complex, integer or bool dtype in native byte order "
                             f"(got {view.dtype})")
    if not view.flags.writeable:
        raise FaninValueError("`out` must be writable (got a read-only array): pass a copy")
    if view.size and 0 in view.strides and any(stride == 0 and dim > 1
                                               for stride, dim in zip(view.strides, view.shape, strict=True)):
        raise FaninValueError("`out` must have memory for each element (got a broadcast array): pass a copy")
    return view, written


def _nothing():
    pass


def _numpy_view(out):
    if isinstance(out, np.ndarray):
        return np.asarray(out)  # a subclass's plain memory
    if hasattr(out, "__cuda_array_interface__"):
        raise FaninValueError(f"`out` must be in the memory of the CPU (got a {type(out).__name__} on a GPU): this "
                              "version of fanin has no CUDA backend yet")
    if hasattr(out, "__array_interface__") and not isinstance(out, np.generic):  # of a scalar numpy makes a copy
        return np.asarray(out)
    if hasattr(out, "__dlpack__") and hasattr(out, "__dlpack_device__"):
        try:
            return np.from_dlpack(out)
        except (BufferError, RuntimeError, TypeError) as error:
            raise FaninValueError("`out` must be in the memory of the CPU and of a dtype that numpy has (got a "
                                  f"{type(out).__name__}: {error})") from None
    raise FaninTypeError(f"`out` must be {ACCEPTED} (got a {type(out).__name__})")


def _torch_view(tensor, torch):
    if tensor.device.type != "cpu":
        raise FaninValueError(f"`out` must be on the CPU (got a tensor on {tensor.device}): this version of fanin has "
                              "no CUDA backend yet")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_conj() or tensor.is_neg():
        raise FaninValueError("`out` must be a plain strided tensor (got a sparse, quantized, conjugated or negated "
                              "one): pass its contiguous copy")
    plain = tensor.detach()
    try:
        if plain.dtype is torch.bfloat16:
            return plain.view(torch.uint16).numpy().view(bfloat16())
        return plain.numpy()
    except (TypeError, RuntimeError) as error:
        raise FaninTypeError(f"`out` must be a tensor that numpy can view (got {type(tensor).__name__} of "
                             f"{tensor.dtype}: {error})") from None


def empty(shape, dtype):
    """A new array; FaninMemoryError for a shape that no memory holds."""
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:  # ValueError: sizes over the address space
        raise FaninMemoryError(f"`shape` must fit into memory (got {shape}): use `shard` for a part of it ({error})") \
            from None
