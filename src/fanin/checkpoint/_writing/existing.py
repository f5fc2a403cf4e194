"""Files that are there already: whether a run may replace them, and what they hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ..._errors import FaninError, FaninValueError, agreeing, counted
from .._format import measure
from .._spec.load import load
from .._spec.tables import parse


def check_existing(places: Mapping[str, bool], sources: Iterable[str], overwrite: bool) -> None:
    """Refuse to replace a file that the model is read from and, unless `overwrite`, one that holds something else.

    Args:
        places: the paths of a run's files, and whether each is there as this run would write it.
        sources: the paths that the model is read from.
    """
    sources = [source for source in sources if os.path.exists(source)]
    for path, is_same in places.items():
        if not os.path.lexists(path):
            continue
        if any(os.path.exists(path) and os.path.samefile(path, source) for source in sources):
            raise FaninValueError(f"`output` must not be a file that the model is read from (got {path}): choose "
                                  "another name or folder")
        if not is_same and not overwrite:
            raise FaninValueError(f"{path} must not be there with other contents than this run's (it holds "
                                  f"{_contents(path)}): choose another name or folder, or replace it with --overwrite "
                                  "(overwrite=True)")


def _contents(path: str) -> str:
    """What a file holds, in a few words."""
    try:
        size = os.path.getsize(path)
        table, binary = load(path)
        if not binary:
            return _no_safetensors(size)
        spec = parse(path, table, binary)
    except (FaninError, OSError):
        return _no_safetensors(size)
    tensors, elements, _ = measure(spec.tensors)
    seed = spec.metadata.get("fanin.seed")
    origin = "not fanin's" if seed is None else f"fanin's with seed {seed:.20}"
    return f"{counted(tensors, 'tensor')}, {counted(elements, 'element')}, {origin}"


def _no_safetensors(size: int) -> str:
    return f"{counted(size, 'byte')} that {agreeing(size, 'is', 'are')} no safetensors file"
