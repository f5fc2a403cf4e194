"""What a checkpoint's files hold, by their headers and their index, before a byte of a tensor is read."""

import os
from typing import NamedTuple

from ..._errors import FaninValueError
from .._header import DTYPES
from .._spec import Spec
from .._spec.files import load, parse
from .._spec.folder import INDEX, SINGLE, is_index, weight_map

# what files of one checkpoint have in common
OWN = ("fanin.stream_version", "fanin.seed", "fanin.rules", "fanin.options", "fanin.model", "fanin.layers")


class Contents(NamedTuple):
    """A safetensors file's header: its tensors in the order of their bytes, and where these begin."""

    path: str
    spec: Spec
    start: int


def files_of(path):
    """(paths, owners): the files to compare, and the one that each tensor is in, where an index says it."""
    if os.path.isdir(path):
        names = [name for name in (SINGLE, INDEX) if os.path.exists(os.path.join(path, name))]
        if not names:
            raise FaninValueError(f"{path}: must have {SINGLE} or {INDEX}: give one of its files")
        path = os.path.join(path, names[0])
    if not path.endswith(".json"):
        return [path], None
    table, binary = load(path)
    if binary or not is_index(table):
        raise FaninValueError(f"{path}: must be a safetensors file, or an index with a `weight_map`")
    folder = os.path.dirname(path)
    owners = {name: os.path.join(folder, file) for name, file in weight_map(path, table["weight_map"]).items()}
    return sorted(set(owners.values())), owners


def read_contents(path):
    """The header of a safetensors file, checked against its size."""
    table, binary = load(path)
    if not binary:
        raise FaninValueError("must be a safetensors file (it has no header)")
    spec = parse(path, table, binary)
    places = {name: tuple(entry["data_offsets"]) for name, entry in table.items()}
    tensors = sorted(spec.tensors, key=lambda info: places[info.name])
    end = 0
    for info in tensors:
        if info.dtype not in DTYPES:
            raise FaninValueError(f"{info.name!r} has the dtype {info.dtype}, which fanin does not draw")
        if places[info.name][0] != end:
            raise FaninValueError(f"the tensors must lie one after another without gaps (at byte {end} of the data "
                                  f"comes {info.name!r}, which begins at {places[info.name][0]})")
        end = places[info.name][1]
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        size = os.fstat(file.fileno()).st_size
    if size != start + end:
        fault = "is cut off" if size < start + end else "has something after its last tensor"
        raise FaninValueError(f"{fault}: it must have {start + end} bytes (it has {size})")
    return Contents(path, spec._replace(tensors=tensors), start)


def strangers(contents, owners):
    """(path, problem) of each file that is not of the same checkpoint as the first, or as the index."""
    first = None
    for path, found in contents.items():
        metadata = {key: text for key, text in found.spec.metadata.items() if key in OWN}
        names = {info.name for info in found.spec.tensors}
        listed = names if owners is None else {name for name, owner in owners.items() if owner == path}
        if names != listed:
            name = min(names ^ listed)
            yield path, (f"has {name!r}, which the index says is not there" if name in names else
                         f"lacks {name!r}, which the index says is there")
        elif first is None:
            first = path, metadata
        elif metadata != first[1]:
            key = min(key for key in OWN if metadata.get(key) != first[1].get(key))
            yield path, f"is of another checkpoint than {os.path.basename(first[0])}: `{key}` in their metadata differs"
