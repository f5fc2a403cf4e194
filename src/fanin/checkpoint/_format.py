"""The safetensors format: its dtypes, the order of tensors in a file, and the bytes before their data.

A file is an 8-byte little-endian length, that many bytes of JSON, and the tensors' bytes. What the format has for a
tensor (a code for its dtype, a place in the file) follows from its name, shape and numpy dtype.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import FLOAT8, FLOATING, as_dtype
from .._errors import FaninValueError, shown
from ..rules import Parameter

if TYPE_CHECKING:
    from .._types import DType

# safetensors' codes and what numpy calls them, in the order of the format's own enumeration: the official writer puts
# the tensors of the last dtype first.
DTYPES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
          "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
          "I16": "int16", "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32",
          "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64", "U64": "uint64"}
# Known to the format, and read, but not drawn: what ml_dtypes calls them, and the bits of an element in a file.
_NARROW = {"F4": ("float4_e2m1fn", 4), "F6_E2M3": ("float6_e2m3fn", 6), "F6_E3M2": ("float6_e3m2fn", 6)}
_CODES = {name: code for code, name in DTYPES.items()} | {name: code for code, (name, _) in _NARROW.items()}
_RANK = {code: rank for rank, code in enumerate(DTYPES)}
MAX_HEADER = 100_000_000  # the official reader's limit


# -- dtypes -------------------------------------------------------------------------------------------------------


@functools.cache
def code_of(dtype: np.dtype[Any]) -> str:
    """safetensors' code of a numpy dtype.

    >>> code_of(np.dtype("float32"))
    'F32'
    """
    return _code(dtype.name)


@functools.cache
def dtype_of(code: str) -> np.dtype[Any]:
    """The numpy dtype of safetensors' code, which must be a known one."""
    if code in DTYPES:
        return as_dtype(DTYPES[code])
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, _NARROW[code][0]))


def parse_dtype(text: str) -> np.dtype[Any]:
    """A dtype by safetensors' code, or by numpy's or torch's name: BF16, bfloat16, torch.bfloat16."""
    return dtype_of(_code(text))


def floating_dtype(dtype: DType) -> np.dtype[Any]:
    """A dtype that random values are drawn in, which is what `--dtype` takes, by any of its names or as a dtype."""
    code = _code(dtype) if isinstance(dtype, str) else code_of(as_dtype(dtype))
    if DTYPES.get(code) not in FLOATING:
        raise FaninValueError(f"`dtype` must be one of F64, F32, F16, BF16 (got {shown(dtype)})")
    return dtype_of(code)


def _code(text: str) -> str:
    name = text.removeprefix("torch.")
    code = _CODES.get(name.lower(), name.upper())
    if code not in DTYPES and code not in _NARROW:
        raise FaninValueError(f"`dtype` must be one of {', '.join(DTYPES)} (got {shown(text)})")
    return code


def is_drawn(dtype: np.dtype[Any]) -> bool:
    """Whether tensors of this dtype can be written, and not only read about."""
    return code_of(dtype) in DTYPES


# -- tensors ------------------------------------------------------------------------------------------------------


def convert(tensors: Iterable[Parameter], dtype: np.dtype[Any] | None) -> list[Parameter]:
    """The tensors with every real floating-point one in `dtype`; None leaves all as they are."""
    converted = [each._replace(dtype=dtype) if dtype is not None and _is_floating(each.dtype) else each
                 for each in tensors]
    for each in converted:
        if not is_drawn(each.dtype):
            raise FaninValueError(f"{each.name!r} has the dtype {code_of(each.dtype)}, which fanin does not draw: "
                                  "choose one that all floating-point tensors are written in, such as --dtype bfloat16")
        # a shape that no array can have is better refused here than inside a write
        if bytes_of(each) > 2**62:
            raise FaninValueError(f"{each.name!r} must have at most 2**62 bytes (got shape {list(each.shape)})")
    return converted


def _is_floating(dtype: np.dtype[Any]) -> bool:
    return not is_drawn(dtype) or dtype.name in FLOATING + FLOAT8


def bits_of(tensor: Parameter) -> int:
    """The bits of a tensor in a file."""
    code = code_of(tensor.dtype)
    return math.prod(tensor.shape) * (_NARROW[code][1] if code in _NARROW else 8 * tensor.dtype.itemsize)


def bytes_of(tensor: Parameter) -> int:
    """The bytes of a tensor in a file."""
    return bits_of(tensor) // 8


def measure(tensors: Sequence[Parameter]) -> tuple[int, int, int]:
    """(tensors, elements, bytes): how many there are in all."""
    return len(tensors), sum(math.prod(each.shape) for each in tensors), sum(map(bytes_of, tensors))


# -- the header ---------------------------------------------------------------------------------------------------


def file_position(tensor: Parameter) -> tuple[int, str]:
    """The key to sort a file's tensors by, as the official writer does: widest dtype first, then by name."""
    return -_RANK[code_of(tensor.dtype)], tensor.name


def encode(tensors: Iterable[Parameter], metadata: dict[str, str]) -> bytes:
    """The bytes before the data: length and JSON, padded to a multiple of 8, as the official writer makes them.

    `tensors` must be sorted by `file_position`. So are the metadata by key, where the official writer's order is
    arbitrary.
    """
    table: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for each in tensors:
        start, end = end, end + bytes_of(each)
        table[each.name] = {"dtype": code_of(each.dtype), "shape": list(each.shape), "data_offsets": [start, end]}
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise FaninValueError(f"a safetensors header must have at most {MAX_HEADER} bytes (this model's has "
                              f"{len(text)}): write more files with --max-shard-size or --shard")
    return len(text).to_bytes(8, "little") + text
