"""Names for what arguments may be: for type checkers and readers, never imported when fanin runs."""

from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any, Literal, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from ._seeding import Stream

Shape: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
DTypeName: TypeAlias = Literal[
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128", "fp16", "bf16", "fp32", "fp64",
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
]
DType: TypeAlias = DTypeName | npt.DTypeLike | str  # and the dtypes of torch, JAX and CuPy
DeviceName: TypeAlias = Literal["cpu", "cuda", "cuda:0", "reference"]
Device: TypeAlias = DeviceName | str | Any  # a name, or a torch.device
Seed: TypeAlias = SupportsIndex | Stream
Item: TypeAlias = SupportsIndex | slice | EllipsisType
Index: TypeAlias = Item | tuple[Item, ...]
Dims: TypeAlias = tuple[int, ...]  # a shape that has been checked
Sampler: TypeAlias = Callable[..., Any]  # of u or of words, and of a plan's parameters
Array: TypeAlias = np.ndarray[Any, Any]
