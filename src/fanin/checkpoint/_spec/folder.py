"""Hugging Face's folders and indexes: which file holds which tensor, and in each file's header what it is.

Only headers are read, so a folder whose files are cut off after their headers is as good as the whole model. The
tensors are in the order of the files' names, and within each as in its header, which is the same on every machine.
"""

import os
import re

from ..._errors import FaninTypeError, FaninValueError
from .files import load, read_header
from .spec import checked, listed

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_INDEX = re.compile(r".*\.safetensors\.index(\.[^.]*)?\.json")  # also of other parts, and of a variant: index.fp16.json


def is_index(table):
    """Whether a JSON table is an index, and not a table that has a tensor of this name."""
    files = table.get("weight_map")
    return isinstance(files, dict) and not ("shape" in files and "dtype" in files)


def read_folder(folder):
    """The model in a folder: its safetensors file, or the files that its index lists."""
    name, note = _choose(folder)
    path = os.path.join(folder, name)
    if name.endswith(".json"):
        table, binary = load(path)
        if binary or not is_index(table):
            raise FaninValueError(f"{path}: must be an index with a `weight_map`")
        spec = read_index(path, table)
    else:
        spec = read_header(path)
    return spec._replace(notes=(*spec.notes, *note))


def _choose(folder):
    """(name of the file to read, notes), by the names in the folder alone."""
    names = sorted(os.listdir(folder))
    files = [name for name in names if name.endswith(".safetensors")]
    indexes = [name for name in names if _INDEX.fullmatch(name)]
    if SINGLE in files:  # as in transformers
        return SINGLE, [f"{SINGLE} was read, and not {INDEX}, as transformers does"] if INDEX in indexes else []
    if INDEX in indexes or len(indexes) == 1:
        return (INDEX if INDEX in indexes else indexes[0]), []
    if indexes:
        raise FaninValueError(f"{folder}: must have one index (got {listed(indexes)}): give the one that is meant")
    if len(files) == 1:
        return files[0], []
    if files:
        raise FaninValueError(f"{folder}: must have {INDEX} for several files (got {listed(files)}): give one of them, "
                              "or a JSON table")
    below = [name for name in names if _has_model(os.path.join(folder, name))]
    if below:
        raise FaninValueError(f"{folder}: must have {SINGLE} or {INDEX}: give one of its folders that do, such as "
                              f"{os.path.join(folder, below[0])}")
    pickled = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack"))]
    found = f" (it has {listed(pickled)})" if pickled else ""
    way = "convert it with save_pretrained, which writes them, or " if pickled else ""
    raise FaninValueError(f"{folder}: must have {SINGLE} or {INDEX}{found}: {way}give a function that builds the "
                          "model, as FILE.py:FUNCTION")


def _has_model(folder):
    try:
        names = os.listdir(folder)
    except OSError:  # a file, or a folder that may not be read
        return False
    return any(name.endswith(".safetensors") or _INDEX.fullmatch(name) for name in names)


def read_index(path, table):
    """The model behind an index, checked against the headers of all files that it lists."""
    owners = weight_map(path, table["weight_map"])
    folder = os.path.dirname(path)
    tensors, metadata, moved, extra = [], [], [], []
    for file in sorted(set(owners.values())):
        spec = _read_file(path, folder, file)
        metadata.append(spec.metadata)
        for info in spec.tensors:
            owner = owners.get(info.name)
            if owner is None:
                extra.append(f"{info.name} in {file}")
            elif owner != file:
                moved.append(f"{info.name} is in {file}, not in {owner}")
            else:
                tensors.append(info)
    if moved:
        raise FaninValueError(f"{path}: `weight_map` must name the file that each tensor is in ({listed(moved)})")
    found = {info.name for info in tensors}
    lost = [f"{name} in {file}" for name, file in owners.items() if name not in found]
    if lost:
        raise FaninValueError(f"{path}: `weight_map` must name tensors that the files have (it has {listed(lost)}, "
                              "which are not there)")
    if extra:
        raise FaninValueError(f"{path}: `weight_map` must name all tensors of its files (it lacks {listed(extra)})")
    common = {key: text for key, text in metadata[0].items() if all(other.get(key) == text for other in metadata)}
    return checked(tensors, common, _size_note(path, table, tensors))


def weight_map(path, owners):
    if not owners:
        raise FaninValueError(f"{path}: `weight_map` must name at least one tensor (it names none)")
    for name, file in owners.items():
        if not isinstance(file, str):
            raise FaninTypeError(f"{path}: `weight_map` must give each tensor a file's name (got {file!r} for "
                                 f"{name!r})")
        if not file or "\0" in file or "\\" in file or file.startswith("/") or ":" in file or ".." in file.split("/"):
            raise FaninValueError(f"{path}: `weight_map` must name files in its own folder (got {file!r} for "
                                  f"{name!r})")
    pickled = sorted({file for file in owners.values() if not file.endswith(".safetensors")})
    if pickled:
        raise FaninValueError(f"{path}: `weight_map` must name .safetensors files (got {listed(pickled)}): convert the "
                              "model with save_pretrained, which writes them")
    return owners


def _read_file(index, folder, file):
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        raise FaninValueError(f"{path}: No such file, but {index} lists it: its header is enough")
    return read_header(path)


def _size_note(path, table, tensors):
    """A wrong `total_size` is a remark: published indexes have some, nothing reads it, and headers say the truth."""
    metadata = table.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    size = sum(info.nbytes for info in tensors)
    if total is None or total == size:
        return ()
    return (f"{path}: `total_size` is {total}, but the tensors of its files have {size} bytes",)
