"""Hugging Face's names for a model's files, and the index that says which file each tensor is in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._errors import FaninTypeError, FaninValueError, listed
from ..rules import Parameter
from ._format import bytes_of

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"

# What `from_pretrained` looks for: the files of a partition, and a single file, which it prefers.
_MODEL_FILE = re.compile(r"model(-\d{5,}-of-\d{5,})?\.safetensors")


def file_names(count: int) -> list[str]:
    """The names of so many files."""
    return [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]


def is_model_file(name: str) -> bool:
    """Whether a loader would take a file of this name for a model or a part of one."""
    return _MODEL_FILE.fullmatch(name) is not None


def index_text(parts: Mapping[str, Iterable[Parameter]]) -> str:
    """The index of `parts`: file name -> its tensors."""
    owners = {tensor.name: file for file, tensors in parts.items() for tensor in tensors}
    size = sum(bytes_of(tensor) for tensors in parts.values() for tensor in tensors)
    index = {"metadata": {"total_size": size}, "weight_map": owners}
    return json.dumps(index, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def is_index(table: dict[str, Any]) -> bool:
    """Whether a JSON table is an index, and not a table that has a tensor called weight_map."""
    owners = table.get("weight_map")
    return isinstance(owners, dict) and not ("shape" in owners and "dtype" in owners)


def owners_in(path: str, table: dict[str, Any]) -> dict[str, str]:
    """{tensor: file} of the index at `path`, with file names that are safe to open; FaninError otherwise."""
    owners: dict[str, Any] = table["weight_map"]
    if not owners:
        raise FaninValueError(f"{path}: `weight_map` must name at least one tensor (it names none)")
    for name, file in owners.items():
        if not isinstance(file, str):
            raise FaninTypeError(f"{path}: `weight_map` must give each tensor a file's name (got {file!r:.100} for "
                                 f"{name!r:.100})")
        if not file or "\0" in file or "\\" in file or file.startswith("/") or ":" in file or ".." in file.split("/"):
            raise FaninValueError(f"{path}: `weight_map` must name files in its own folder (got {file!r:.200} for "
                                  f"{name!r:.100})")
    pickled = sorted({file for file in owners.values() if not file.endswith(".safetensors")})
    if pickled:
        raise FaninValueError(f"{path}: `weight_map` must name .safetensors files (got {listed(pickled, at_most=5)}): "
                              "convert the model with save_pretrained, which writes them")
    return owners
