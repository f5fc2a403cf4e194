"""Tensors in safetensors headers and in JSON tables, where layers may stand too; and such tables out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ..._checks import shape as check_shape
from ..._errors import FaninError, FaninTypeError, FaninValueError
from ..._json import parse_json
from ...rules import Layer, Parameter
from .._format import MAX_HEADER, bits_of, code_of, parse_dtype
from .load import load
from .spec import Spec, checked


def parse(path: str, table: dict[str, Any], binary: bool) -> Spec:
    """The `Spec` of what `load` returned."""
    try:
        metadata = table.pop("__metadata__", None)
        if metadata is None:  # null is none at all, as for the official reader
            metadata = {}
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise FaninTypeError(f"`__metadata__` must be a table of strings (got {metadata!r:.200})")
        spec = checked([_tensor(name, entry, binary) for name, entry in table.items()], metadata)
        return replace(spec, sources=(path,))
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None


def read_header(path: str) -> Spec:
    """The `Spec` of a safetensors file; in one of fanin's own, with the layers that it was initialized by."""
    table, binary = load(path)
    if not binary:
        raise FaninValueError(f"{path}: must be a safetensors file (it has no header)")
    return with_noted_layers(path, parse(path, table, binary))


def with_noted_layers(path: str, spec: Spec) -> Spec:
    """`spec` with the layers in its metadata, so that a file of fanin's own is initialized anew as it was."""
    try:
        layers = layers_in(spec.metadata)
    except (AttributeError, FaninError) as error:
        raise FaninValueError(f"{path}: `fanin.layers` in the metadata must be as fanin writes them (got {error})") \
            from None
    return replace(spec, tensors=[each._replace(layer=layers.get(each.name)) for each in spec.tensors])


def layers_in(metadata: dict[str, str]) -> dict[str, Layer]:
    """The layers that a file's metadata hold, by the tensor's name."""
    return {name: Layer.from_json(facts) for name, facts in noted(metadata, "fanin.layers").items()}


def noted(metadata: dict[str, str], key: str) -> Any:
    """What fanin has noted in a file's metadata under a key, as JSON; an empty table where it has not."""
    return parse_json(metadata.get(key, "{}"), f"`{key}` in the metadata of fanin")


def table_text(spec: Spec) -> str:
    """A `Spec` as a JSON table, one tensor a line: `fanin init` takes it, on machines without what it was read with.

    >>> import numpy as np
    >>> linear = Parameter("w", (2, 3), np.dtype("float32"), Layer(("Linear",), "oi*"))
    >>> print(table_text(Spec([linear], {})), end="")
    {
    "w": {"shape": [2, 3], "dtype": "F32", "layer": {"types": ["Linear"], "layout": "oi*"}}
    }
    """
    entries: list[tuple[str, Any]] = [("__metadata__", spec.metadata)] if spec.metadata else []
    for each in spec.tensors:
        layer = {} if each.layer is None else {"layer": each.layer.to_json()}
        entries.append((each.name, {"shape": list(each.shape), "dtype": code_of(each.dtype)} | layer))
    lines = ",\n".join(f"{_json(name)}: {_json(entry)}" for name, entry in entries)
    text = f"{{\n{lines}\n}}\n"
    size = len(text.encode())
    if size > MAX_HEADER:
        raise FaninValueError(f"a JSON table must have at most {MAX_HEADER} bytes (this model's has {size})")
    return text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tensor(name: str, entry: Any, binary: bool) -> Parameter:
    """One entry: in a safetensors header it must have offsets, in a JSON table it may have them, and a layer."""
    needed = ("shape", "dtype", "data_offsets") if binary else ("shape", "dtype")
    known = needed if binary else (*needed, "data_offsets", "layer")
    try:
        if not isinstance(entry, dict):
            raise FaninTypeError(f"must be a table with `shape` and `dtype` (got {entry!r:.200})")
        for key in needed:
            if key not in entry:
                raise FaninValueError(f"must have `{key}` (got {entry!r:.200})")
        for key in entry:
            if key not in known:
                raise FaninValueError(f"may have {', '.join(f'`{each}`' for each in known)} only (got {key!r:.200})")
        if not isinstance(entry["shape"], list):
            raise FaninTypeError(f"`shape` must be a list of ints (got {entry['shape']!r:.200})")
        if not isinstance(entry["dtype"], str):
            raise FaninTypeError(f"`dtype` must be a string (got {entry['dtype']!r:.200})")
        layer = Layer.from_json(entry["layer"]) if "layer" in entry else None
        tensor = Parameter(name, check_shape(entry["shape"]), parse_dtype(entry["dtype"]), layer)
        _check_layer(tensor)
        if "data_offsets" in entry:
            _check_offsets(tensor, entry["data_offsets"])
        return tensor
    except FaninError as error:
        raise type(error)(f"tensor {name!r:.200}: {error}") from None


def _check_layer(tensor: Parameter) -> None:
    """FaninError where the layer's layout does not fit the shape."""
    if tensor.layer is None or tensor.layer.layout is None:
        return
    try:
        tensor.layer.fans(tensor.shape)
    except FaninError as error:
        raise type(error)(f"`layer`: {error}") from None


def _check_offsets(tensor: Parameter, offsets: Any) -> None:
    # The data is never read, but offsets that contradict the shape mean a damaged header.
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(end) is int and end >= 0 for end in offsets)):
        raise FaninValueError(f"`data_offsets` must be two ints >= 0 (got {offsets!r:.200})")
    if (offsets[1] - offsets[0]) * 8 != bits_of(tensor):
        raise FaninValueError(f"`data_offsets` must span the tensor's bytes (got {offsets!r:.200} for shape "
                              f"{list(tensor.shape)}, dtype {code_of(tensor.dtype)})")
