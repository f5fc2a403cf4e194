"""Reading what a model consists of: names, shapes and dtypes, from a safetensors header or a JSON table.

Of a safetensors file only the header is read, so a header without its data is as good as the whole file.
"""

import json
import os
from typing import NamedTuple

from .._checks import shape as check_shape
from .._errors import FaninError, FaninTypeError, FaninValueError
from .header import MAX_HEADER, TensorInfo, dtype_code


class Spec(NamedTuple):
    """What a model file says about its tensors, in its own order, and its metadata."""

    tensors: list[TensorInfo]
    metadata: dict[str, str]


def read_spec(path):
    """The tensors and the metadata that a safetensors file, the beginning of one, or a JSON table describes.

    A JSON table is `{name: {"shape": [...], "dtype": "F32"}}`; it may be a header's JSON, `data_offsets` and all.
    """
    if os.path.isdir(path):
        raise FaninValueError(f"{path}: this version does not read folders: give one .safetensors file, its header, or "
                              "a JSON table of names, shapes and dtypes")
    if str(path).lower().endswith(".onnx"):
        raise FaninValueError(f"{path}: this version does not read ONNX: give a .safetensors file, its header, or a "
                              "JSON table of names, shapes and dtypes")
    with open(path, "rb") as file:
        start = file.read(8)
        # A JSON text holds no NUL, and the length of no header that the official reader takes fills all eight bytes.
        binary = b"\0" in start
        text = _header_text(path, start, file) if binary else _json_text(path, start, file)
    try:
        table = json.loads(text.decode("utf-8" if binary else "utf-8-sig"), object_pairs_hook=unique_keys,
                           parse_constant=_no_constant)
        return _spec(table, offsets_needed=binary)
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        kind = "its header" if binary else "it"
        also = "" if binary else ", and it has no safetensors header either"
        raise FaninValueError(f"{path}: {kind} is not valid JSON ({_reason(error)}){also}") from None


def _header_text(path, start, file):
    length = int.from_bytes(start, "little")
    if len(start) < 8:
        raise FaninValueError(f"{path}: a safetensors file must begin with 8 bytes of length (it has {len(start)})")
    if length > MAX_HEADER:
        raise FaninValueError(f"{path}: a safetensors header must have at most {MAX_HEADER} bytes (its length field "
                              f"says {length}); it may not be a safetensors file")
    text = file.read(length)
    if len(text) < length:
        raise FaninValueError(f"{path}: the safetensors header is cut off: it must have {length} bytes ({len(text)} "
                              "are there)")
    return text


def _json_text(path, start, file):
    text = start + file.read(MAX_HEADER + 1)
    if len(text) > MAX_HEADER:
        raise FaninValueError(f"{path}: a JSON table must have at most {MAX_HEADER} bytes; this is neither one nor a "
                              "safetensors file")
    return text


def unique_keys(pairs):
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FaninValueError(f"names must be unique (got {twice!r} twice)")
    return table


def _no_constant(text):
    raise ValueError(f"{text} is no JSON number")


def _reason(error):
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _spec(table, offsets_needed):
    if not isinstance(table, dict):
        raise FaninTypeError(f"must be a table of names (got a JSON {type(table).__name__})")
    if isinstance(table.get("weight_map"), dict):
        raise FaninValueError("this version does not read Hugging Face indexes: give one of the files that it lists, "
                              "or a JSON table of all names, shapes and dtypes")
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FaninTypeError(f"`__metadata__` must be a table of strings (got {metadata!r})")
    for text in [*metadata, *metadata.values(), *table]:
        _check_text(text)
    if not table:
        raise FaninValueError("must name at least one tensor (it names none)")
    return Spec([_tensor(name, entry, offsets_needed) for name, entry in table.items()], metadata)


def _check_text(text):
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can escape half a surrogate pair, UTF-8 cannot hold it
        raise FaninValueError(f"names and metadata must be valid Unicode (got {text!r})") from None


def _tensor(name, entry, offsets_needed):
    try:
        if not isinstance(entry, dict):
            raise FaninTypeError(f"must be a table with `shape` and `dtype` (got {entry!r})")
        for key in ("shape", "dtype", *(["data_offsets"] if offsets_needed else [])):
            if key not in entry:
                raise FaninValueError(f"must have `{key}` (got {entry!r})")
        for key in entry:
            if key not in ("shape", "dtype", "data_offsets"):
                raise FaninValueError(f"may have `shape`, `dtype` and `data_offsets` only (got {key!r})")
        if not isinstance(entry["shape"], list):
            raise FaninTypeError(f"`shape` must be a list of ints (got {entry['shape']!r})")
        if not isinstance(entry["dtype"], str):
            raise FaninTypeError(f"`dtype` must be a string (got {entry['dtype']!r})")
        info = TensorInfo(name, check_shape(entry["shape"]), dtype_code(entry["dtype"]))
        if "data_offsets" in entry:
            _check_offsets(info, entry["data_offsets"])
        return info
    except FaninError as error:
        raise type(error)(f"tensor {name!r}: {error}") from None


def _check_offsets(info, offsets):
    # The data is never read, but offsets that contradict the shape mean a damaged header.
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(end) is int and end >= 0 for end in offsets)):
        raise FaninValueError(f"`data_offsets` must be two ints >= 0 (got {offsets!r})")
    if (offsets[1] - offsets[0]) * 8 != info.size * info.bits:
        raise FaninValueError(f"`data_offsets` must span the tensor's bytes (got {offsets} for shape "
                              f"{list(info.shape)}, dtype {info.dtype})")
