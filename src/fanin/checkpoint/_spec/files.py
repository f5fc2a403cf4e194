"""Safetensors headers and JSON tables: names, shapes and dtypes, and in a table also layers.

Of a safetensors file only the header is read, so a header without its data is as good as the whole file.
"""

import json
import os

from ..._checks import shape as check_shape
from ..._checks import unique_keys
from ..._errors import FaninError, FaninTypeError, FaninValueError
from ...rules import Layer
from .._header import MAX_HEADER, TensorInfo, dtype_code
from .spec import checked


def load(path):
    """(table, binary): the JSON of a safetensors file's header, or of a JSON file, and which of the two it is."""
    with open(path, "rb") as file:
        start = file.read(8)
        # A JSON text holds no NUL, and the length of no header that the official reader takes fills all eight bytes.
        binary = b"\0" in start
        text = _header_text(path, start, file) if binary else _json_text(path, start, file)
    try:
        table = json.loads(text.decode("utf-8" if binary else "utf-8-sig"), object_pairs_hook=unique_keys,
                           parse_constant=_no_constant)
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        kind = "its header" if binary else "it"
        also = "" if binary else ", and it has no safetensors header either"
        raise FaninValueError(f"{path}: {kind} is not valid JSON ({_reason(error)}){also}") from None
    if not isinstance(table, dict):
        raise FaninTypeError(f"{path}: must be a table of names (got a JSON {type(table).__name__})")
    return table, binary


def parse(path, table, binary):
    """The `Spec` of what `load` returned."""
    try:
        metadata = table.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise FaninTypeError(f"`__metadata__` must be a table of strings (got {metadata!r})")
        return checked([_tensor(name, entry, binary) for name, entry in table.items()], metadata)
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None


def read_header(path):
    """The `Spec` of a safetensors file; in one of fanin's own, with the layers that it was initialized by."""
    table, binary = load(path)
    if not binary:
        raise FaninValueError(f"{path}: must be a safetensors file (it has no header)")
    return with_noted_layers(path, parse(path, table, binary))


def with_noted_layers(path, spec):
    """`spec` with the layers in its metadata, so that a file of fanin's own is initialized anew as it was."""
    try:
        noted = json.loads(spec.metadata.get("fanin.layers", "{}"))
        layers = {name: Layer.from_json(facts) for name, facts in noted.items()}
    except (ValueError, RecursionError, AttributeError, FaninError) as error:
        raise FaninValueError(f"{path}: `fanin.layers` in the metadata must be as fanin writes them (got {error})") \
            from None
    return spec._replace(tensors=[info._replace(layer=layers.get(info.name)) for info in spec.tensors])


def table_text(spec):
    """A `Spec` as a JSON table, one tensor a line: `fanin init` takes it, on machines without what it was read with.

    >>> from fanin.checkpoint._spec import Spec
    >>> from fanin.checkpoint._header import TensorInfo
    >>> print(table_text(Spec([TensorInfo("w", (2, 3), "F32", Layer(("Linear",), "oi*"))], {})), end="")
    {
    "w": {"shape": [2, 3], "dtype": "F32", "layer": {"types": ["Linear"], "layout": "oi*"}}
    }
    """
    entries = [("__metadata__", dict(spec.metadata))] if spec.metadata else []
    for info in spec.tensors:
        layer = {} if info.layer is None else {"layer": info.layer.to_json()}
        entries.append((info.name, {"shape": list(info.shape), "dtype": info.dtype} | layer))
    lines = ",\n".join(f"{_json(name)}: {_json(entry)}" for name, entry in entries)
    text = f"{{\n{lines}\n}}\n"
    if len(text.encode()) > MAX_HEADER:
        raise FaninValueError(f"a JSON table must have at most {MAX_HEADER} bytes (this model's has "
                              f"{len(text.encode())})")
    return text


def write_table(spec, path):
    """Write `table_text(spec)` to a file, whole or not at all."""
    text, temporary = table_text(spec), f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        with open(temporary, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _json(value):
    return json.dumps(value, ensure_ascii=False)


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
    if text.startswith(b"version https://git-lfs"):
        raise FaninValueError(f"{path}: must be the file itself (got Git LFS's pointer to it): fetch it with "
                              "git lfs pull")
    if len(text) > MAX_HEADER:
        raise FaninValueError(f"{path}: a JSON table must have at most {MAX_HEADER} bytes; this is neither one nor a "
                              "safetensors file")
    return text


def _no_constant(text):
    raise ValueError(f"{text} is no JSON number")


def _reason(error):
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _tensor(name, entry, binary):
    """One entry: in a safetensors header it must have offsets, in a JSON table it may have them, and a layer."""
    needed = ("shape", "dtype", "data_offsets") if binary else ("shape", "dtype")
    known = needed if binary else (*needed, "data_offsets", "layer")
    try:
        if not isinstance(entry, dict):
            raise FaninTypeError(f"must be a table with `shape` and `dtype` (got {entry!r})")
        for key in needed:
            if key not in entry:
                raise FaninValueError(f"must have `{key}` (got {entry!r})")
        for key in entry:
            if key not in known:
                raise FaninValueError(f"may have {', '.join(f'`{each}`' for each in known)} only (got {key!r})")
        if not isinstance(entry["shape"], list):
            raise FaninTypeError(f"`shape` must be a list of ints (got {entry['shape']!r})")
        if not isinstance(entry["dtype"], str):
            raise FaninTypeError(f"`dtype` must be a string (got {entry['dtype']!r})")
        layer = Layer.from_json(entry["layer"]) if "layer" in entry else None
        info = TensorInfo(name, check_shape(entry["shape"]), dtype_code(entry["dtype"]), layer)
        if layer is not None:
            _check_layer(info)
        if "data_offsets" in entry:
            _check_offsets(info, entry["data_offsets"])
        return info
    except FaninError as error:
        raise type(error)(f"tensor {name!r}: {error}") from None


def _check_layer(info):
    if info.layer.layout is not None:
        try:
            info.layer.fans(info.shape)
        except FaninError as error:
            raise type(error)(f"`layer`: {error}") from None


def _check_offsets(info, offsets):
    # The data is never read, but offsets that contradict the shape mean a damaged header.
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(end) is int and end >= 0 for end in offsets)):
        raise FaninValueError(f"`data_offsets` must be two ints >= 0 (got {offsets!r})")
    if (offsets[1] - offsets[0]) * 8 != info.size * info.bits:
        raise FaninValueError(f"`data_offsets` must span the tensor's bytes (got {offsets} for shape "
                              f"{list(info.shape)}, dtype {info.dtype})")
