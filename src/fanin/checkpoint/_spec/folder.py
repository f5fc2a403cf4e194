"""Hugging Face's folders and indexes: which file holds which tensor, and in each file's header what it is.

Only headers are read, so a folder whose files are cut off after their headers is as good as the whole model. The
tensors are in the order of the files' names, and within each as in its header, which is the same on every machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..._errors import FaninValueError, listed
from ...rules import Parameter
from .._format import bytes_of
from .._index import INDEX, SINGLE, is_index, owners_in
from .load import load
from .spec import Spec, checked
from .tables import read_header

_INDEX = re.compile(r".*\.safetensors\.index(\.[^.]*)?\.json")  # also of other parts, and of a variant: index.fp16.json


def read_folder(folder: str) -> Spec:
    """The model in a folder: its safetensors file, or the files that its index lists."""
    name, notes = _choose(folder)
    path = os.path.join(folder, name)
    if name.endswith(".json"):
        table, binary = load(path)
        if binary or not is_index(table):
            raise FaninValueError(f"{path}: must be an index with a `weight_map`")
        spec = read_index(path, table)
    else:
        spec = read_header(path)
    return replace(spec, notes=(*spec.notes, *notes))


def _choose(folder: str) -> tuple[str, list[str]]:
    """(name of the file to read, notes), by the names in the folder alone."""
    names = sorted(os.listdir(folder))
    files = [name for name in names if name.endswith(".safetensors")]
    indexes = [name for name in names if _INDEX.fullmatch(name)]
    if SINGLE in files:  # as in transformers
        return SINGLE, [f"{SINGLE} was read, and not {INDEX}, as transformers does"] if INDEX in indexes else []
    if INDEX in indexes or len(indexes) == 1:
        return (INDEX if INDEX in indexes else indexes[0]), []
    if indexes:
        raise FaninValueError(f"{folder}: must have one index (got {listed(indexes, at_most=5)}): give the one that is "
                              "meant")
    if len(files) == 1:
        return files[0], []
    if files:
        raise FaninValueError(f"{folder}: must have {INDEX} for several files (got {listed(files, at_most=5)}): give "
                              "one of them, or a JSON table")
    wanted = f"{folder}: must have {SINGLE}, {INDEX}, or transformers' config.json"
    below = [name for name in names if has_weights(os.path.join(folder, name))]
    if below:
        raise FaninValueError(f"{wanted}: give one of its folders that do, such as {os.path.join(folder, below[0])}")
    pickled = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"))]
    if pickled:
        raise FaninValueError(f"{wanted} (it has {listed(pickled, at_most=5)}): convert it with save_pretrained, which "
                              "writes them, or give a function that builds the model, as FILE.py:FUNCTION")
    raise FaninValueError(f"{wanted}: give a function that builds the model, as FILE.py:FUNCTION")


def has_weights(folder: str) -> bool:
    """Whether a folder has a safetensors file or an index of some."""
    try:
        names = os.listdir(folder)
    except OSError:  # a file, or a folder that may not be read
        return False
    return any(name.endswith(".safetensors") or _INDEX.fullmatch(name) for name in names)


def read_index(path: str, table: dict[str, Any]) -> Spec:
    """The model behind an index, checked against the headers of all files that it lists."""
    owners = owners_in(path, table)
    folder = os.path.dirname(path)
    tensors: list[Parameter] = []
    metadata: list[dict[str, str]] = []
    moved: list[str] = []
    extra: list[str] = []
    for file in sorted(set(owners.values())):
        spec = _read_file(path, folder, file)
        metadata.append(spec.metadata)
        for tensor in spec.tensors:
            owner = owners.get(tensor.name)
            if owner is None:
                extra.append(f"{tensor.name} in {file}")
            elif owner != file:
                moved.append(f"{tensor.name} is in {file}, not in {owner}")
            else:
                tensors.append(tensor)
    if moved:
        raise FaninValueError(f"{path}: `weight_map` must name the file that each tensor is in "
                              f"({listed(moved, at_most=5)})")
    present = {tensor.name for tensor in tensors}
    lost = [f"{name} in {file}" for name, file in owners.items() if name not in present]
    if lost:
        raise FaninValueError(f"{path}: `weight_map` must name tensors that the files have (it has "
                              f"{listed(lost, at_most=5)}, which are not there)")
    if extra:
        raise FaninValueError(f"{path}: `weight_map` must name all tensors of its files (it lacks "
                              f"{listed(extra, at_most=5)})")
    sources = path, *(os.path.join(folder, file) for file in sorted(set(owners.values())))
    common = {key: text for key, text in metadata[0].items() if all(other.get(key) == text for other in metadata)}
    return replace(checked(tensors, common, _size_note(path, table, tensors)), sources=sources)


def _read_file(index: str, folder: str, file: str) -> Spec:
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        raise FaninValueError(f"{path}: No such file, but {index} lists it: its header is enough")
    return read_header(path)


def _size_note(path: str, table: dict[str, Any], tensors: Iterable[Parameter]) -> tuple[str, ...]:
    """A wrong `total_size` is a remark: published indexes have some, nothing reads it, and headers say the truth."""
    metadata = table.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    size = sum(map(bytes_of, tensors))
    if total is None or total == size:
        return ()
    return (f"{path}: `total_size` is {total}, but the tensors of its files have {size} bytes",)
