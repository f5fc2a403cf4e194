"""What a checkpoint's files hold, by their headers and their index, before a byte of a tensor is read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..._errors import FaninValueError
from ...rules import Parameter
from .._format import code_of, is_drawn
from .._index import INDEX, SINGLE, is_index, owners_in
from .._spec.load import load
from .._spec.tables import parse

# what files of one checkpoint have in common
_COMMON = ("fanin.stream_version", "fanin.seed", "fanin.rules", "fanin.options", "fanin.model", "fanin.layers")


class Contents(NamedTuple):
    """A safetensors file's header: its tensors in the order of their bytes, and where these begin."""

    path: str
    tensors: list[Parameter]
    metadata: dict[str, str]
    start: int


def files_of(path: str) -> tuple[list[str], dict[str, str] | None]:
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
    owners = {name: os.path.join(folder, file) for name, file in owners_in(path, table).items()}
    return sorted(set(owners.values())), owners


def read_contents(path: str) -> Contents:
    """The header of a safetensors file, checked against its size."""
    table, binary = load(path)
    if not binary:
        raise FaninValueError("must be a safetensors file (it has no header)")
    spec = parse(path, table, binary)
    tensors, end = _in_order(spec.tensors, table)
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        size = os.fstat(file.fileno()).st_size
    if size != start + end:
        fault = "is cut off" if size < start + end else "has something after its last tensor"
        raise FaninValueError(f"{fault}: it must have {start + end} bytes (it has {size})")
    return Contents(path, tensors, spec.metadata, start)


def _in_order(tensors: Iterable[Parameter], table: dict[str, Any]) -> tuple[list[Parameter], int]:
    """The tensors in the order of their bytes, checked to leave no gap, and where the last of them ends."""
    places = {name: tuple(entry["data_offsets"]) for name, entry in table.items()}
    ordered, end = sorted(tensors, key=lambda tensor: places[tensor.name]), 0
    for tensor in ordered:
        if not is_drawn(tensor.dtype):
            raise FaninValueError(f"{tensor.name!r} has the dtype {code_of(tensor.dtype)}, which fanin does not draw")
        start, stop = places[tensor.name]
        if start != end:
            raise FaninValueError(f"the tensors must lie one after another without gaps (at byte {end} of the data "
                                  f"comes {tensor.name!r}, which begins at {start})")
        end = stop
    return ordered, end


def misfits(contents: Iterable[Contents], owners: dict[str, str] | None) -> dict[str, str]:
    """{path: problem} of each file that is of another checkpoint than the first, or that the index is wrong about."""
    problems: dict[str, str] = {}
    first: Contents | None = None
    for file in contents:
        names = {tensor.name for tensor in file.tensors}
        listed = names if owners is None else {name for name, owner in owners.items() if owner == file.path}
        if names != listed:
            name = min(names ^ listed)
            problems[file.path] = (f"has {name!r}, which the index says is not there" if name in names else
                                   f"lacks {name!r}, which the index says is there")
        elif first is None:
            first = file
        else:
            other = [key for key in sorted(_COMMON) if file.metadata.get(key) != first.metadata.get(key)]
            if other:
                problems[file.path] = (f"is of another checkpoint than {os.path.basename(first.path)}: `{other[0]}` in "
                                       "their metadata differs")
    return problems
