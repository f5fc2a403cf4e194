"""What is audited: tensors by name, which come in pieces, from a file, a folder, or a state dict."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .._drawing.arrays import as_numpy
from .._dtypes import is_known
from .._errors import FaninError, FaninTypeError, FaninValueError, shown
from ..checkpoint._direct import Reader
from ..checkpoint._format import bits_of, bytes_of
from ..checkpoint._index import is_index
from ..checkpoint._spec.folder import read_folder, read_index
from ..checkpoint._spec.load import load
from ..checkpoint._spec.spec import Spec
from ..checkpoint._spec.tables import read_header
from ..rules import Parameter

if TYPE_CHECKING:
    from .._types import Array

PIECE = 2**18  # elements: what the statistics make of a piece stays in a processor's second cache


class Tensor(NamedTuple):
    """A tensor that can be read.

    Attributes:
        parameter: its name, shape, dtype and, where it is known, layer.
        pieces: makes an iterator of its values, in C order; each piece but the last has a multiple of the given count.
        place: where its memory is, the same for tensors that share it; None in files.
    """

    parameter: Parameter
    pieces: Callable[[int], Iterator[Array]] | None
    place: tuple[Any, ...] | None = None


class Source(NamedTuple):
    """Tensors, what they are called together, and what a folder's config.json says of them."""

    tensors: list[Tensor]
    title: str
    config: Mapping[str, Any]


def open_source(source: Any) -> Source:
    """The tensors of a path, or of a mapping from names to arrays."""
    if isinstance(source, (str, os.PathLike)):
        return _of_path(os.fspath(source))
    if isinstance(source, Mapping):
        return Source([_of_array(name, value) for name, value in _flat(source)], "state dict", {})
    raise FaninTypeError("`source` must be a safetensors file, a folder with such files, or a mapping from names to "
                         f"arrays, as of module.state_dict() (got {shown(source)})")


# -- files --------------------------------------------------------------------------------------------------------


def _of_path(path: str) -> Source:
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    spec = _spec(path)
    places = {}
    for file in spec.sources:
        table, binary = load(file)
        if not binary:  # an index
            continue
        with open(file, "rb") as opened:
            start = 8 + int.from_bytes(opened.read(8), "little")
        size = os.path.getsize(file)
        for name, entry in table.items():
            if name != "__metadata__":
                places[name] = file, start + entry["data_offsets"][0]
                if start + entry["data_offsets"][1] > size:
                    raise FaninValueError(f"{file}: is cut off: {name!r} ends behind the file's end")
    tensors = [_of_file(parameter, *places[parameter.name]) for parameter in spec.tensors]
    return Source(tensors, path, _config(folder))


def _spec(path: str) -> Spec:
    """The headers behind a path."""
    if path.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".keras", ".msgpack", ".npz", ".onnx", ".gguf")):
        raise FaninValueError(f"{path}: must be a safetensors file or a folder with such files: give its tensors as a "
                              "mapping, fanin.audit(state_dict)")
    if os.path.isdir(path):
        return read_folder(path)
    table, binary = load(path)
    if binary:
        return read_header(path)
    if is_index(table):
        return read_index(path, table)
    raise FaninValueError(f"{path}: must be a safetensors file, an index, or a folder with either (it is a JSON table "
                          "without values)")


def _of_file(parameter: Parameter, path: str, offset: int) -> Tensor:
    if bits_of(parameter) != 8 * math.prod(parameter.shape) * parameter.dtype.itemsize:
        return Tensor(parameter, None)  # numbers narrower than a byte

    def pieces(multiple: int) -> Iterator[Array]:
        step = _step(multiple) * parameter.dtype.itemsize
        with Reader(path, step) as file:
            for start in range(0, bytes_of(parameter), step):
                count = min(step, bytes_of(parameter) - start)
                try:
                    yield file.read(offset + start, count).view(parameter.dtype)
                except EOFError:
                    raise FaninValueError(f"{path}: was cut off while it was read") from None

    return Tensor(parameter, pieces)


def _config(folder: str) -> Mapping[str, Any]:
    """What config.json beside the weights says, as far as it can be read; nothing depends on it but two remarks."""
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


# -- arrays -------------------------------------------------------------------------------------------------------


def _flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and arrays; mappings inside mappings, such as flax's variables, get names with dots, as in `fanin.jax`."""
    for key, value in values.items():
        if not isinstance(key, (str, int)):
            raise FaninTypeError(f"`source` must map names to arrays (got the key {shown(key)})")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _of_array(name: str, value: Any) -> Tensor:
    array = as_numpy(name, value)
    dtype = array.dtype
    parameter = Parameter(name, array.shape, dtype)
    if dtype.hasobject or not is_known(dtype):
        return Tensor(parameter, None)
    place = _place(value, array) if array.size else None
    del array  # of a GPU's tensor a copy, which is made again when its turn comes

    def pieces(multiple: int) -> Iterator[Array]:
        flat = as_numpy(name, value).reshape(-1)
        for start in range(0, len(flat), _step(multiple)):
            yield flat[start:start + _step(multiple)]

    return Tensor(parameter, pieces, place)


def _place(value: Any, array: Array) -> tuple[Any, ...]:
    """What tensors have in common that are one: torch's and numpy's by their memory, others as objects."""
    if hasattr(value, "data_ptr"):
        return value.data_ptr(), str(value.device), array.shape, tuple(value.stride())
    if array is value:
        return array.__array_interface__["data"][0], "cpu", array.shape, array.strides
    return id(value), type(value).__name__


def _step(multiple: int) -> int:
    """How many elements a piece has, a multiple of a row's."""
    return max(PIECE // multiple, 1) * multiple


def nbytes(parameter: Parameter) -> int:
    """The bytes of a tensor, also of a dtype that checkpoints don't have."""
    try:
        return bytes_of(parameter)
    except FaninError:
        return math.prod(parameter.shape) * parameter.dtype.itemsize
