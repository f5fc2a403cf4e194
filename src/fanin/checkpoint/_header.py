"""The safetensors header: the dtypes it knows, the order of tensors in a file, and the bytes before their data.

A file is an 8-byte little-endian length, that many bytes of JSON, and the tensors' bytes.
"""

import json
import math
from typing import NamedTuple

from .._dtypes import FLOATING, as_dtype
from .._errors import FaninValueError
from ..rules import Layer

# safetensors' codes and what numpy calls them, in the order of the format's own enumeration: the official writer puts
# the tensors of the last dtype first.
DTYPES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16",
          "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64",
          "I64": "int64", "U64": "uint64"}
# Known to the format, not to fanin: bits per element.
_NARROW = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
           "F8_E5M2FNUZ": 8}
_CODES = {name: code for code, name in DTYPES.items()} | {
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0"}
_RANK = {code: rank for rank, code in enumerate(DTYPES)}
MAX_HEADER = 100_000_000  # the official reader's limit


class TensorInfo(NamedTuple):
    """One tensor of a model: name, shape, dtype as safetensors spells it, and its layer where that is known."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layer: Layer | None = None

    @property
    def numpy_dtype(self):
        return as_dtype(DTYPES[self.dtype])

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def bits(self):
        """Bits per element."""
        return _NARROW.get(self.dtype) or 8 * self.numpy_dtype.itemsize

    @property
    def nbytes(self):
        return self.size * self.bits // 8


def dtype_code(text):
    """safetensors' code of a dtype given as that code or as numpy's or torch's name: BF16, bfloat16, torch.bfloat16."""
    name = text.removeprefix("torch.")
    code = _CODES.get(name.lower(), name.upper())
    if code not in DTYPES and code not in _NARROW:
        raise FaninValueError(f"`dtype` must be one of {', '.join(DTYPES)} (got {text!r})")
    return code


def floating_code(text):
    """The same for a dtype that random values are drawn in, which is what `--dtype` takes."""
    code = dtype_code(text)
    if DTYPES.get(code) not in FLOATING:
        raise FaninValueError(f"`dtype` must be one of F64, F32, F16, BF16 (got {text!r})")
    return code


def convert(tensors, code):
    """The tensors with every real floating-point one in the dtype `code`; None leaves all as they are."""
    converted = [info._replace(dtype=code) if code and _is_floating(info.dtype) else info for info in tensors]
    for info in converted:
        if info.dtype in _NARROW:
            raise FaninValueError(f"{info.name!r} has the dtype {info.dtype}, which fanin does not draw: choose one "
                                  "that all floating-point tensors are written in, such as --dtype bfloat16")
        # a shape that no array can have is better refused here than inside a write
        if info.nbytes > 2**62:
            raise FaninValueError(f"{info.name!r} must have at most 2**62 bytes (got shape {list(info.shape)})")
    return converted


def _is_floating(code):
    return code in _NARROW or DTYPES[code] in FLOATING


def file_order(tensors):
    """The tensors in the order of the official writer: widest dtype first, then by name."""
    return sorted(tensors, key=lambda info: (-_RANK[info.dtype], info.name))


def encode(tensors, metadata):
    """The bytes before the data: length and JSON, padded to a multiple of 8, as the official writer makes them.

    `tensors` must be in `file_order`. Metadata keys are sorted, where the official writer's order is arbitrary.
    """
    table = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for info in tensors:
        start, end = end, end + info.nbytes
        table[info.name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": [start, end]}
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise FaninValueError(f"a safetensors header must have at most {MAX_HEADER} bytes (this model's has "
                              f"{len(text)}): write more files with --max-shard-size or --shard")
    return len(text).to_bytes(8, "little") + text
