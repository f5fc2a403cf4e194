"""The places of a module as rules see them: which are drawn, which are tied, and which buffers stay as they are."""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple

import numpy as np

from .._dtypes import as_dtype
from .._errors import FaninTypeError
from ..rules import Parameter, Row
from ._layers import layer_of
from ._places import Place, places
from ._ties import aliases


class Entry(NamedTuple):
    """One place of the module, what rules see of it, and whether and why it is not drawn."""

    place: Place
    parameter: Parameter
    tied: str = ""  # to the place of this name
    left: bool = False  # a buffer that rules aren't asked about

    @property
    def note(self):
        return f"tied to {self.tied}" if self.tied else "buffer, left as it is" if self.left else ""


def list_entries(module, buffers, prefix):
    """An `Entry` for each place of the module, in module order."""
    if not isinstance(prefix, str):
        raise FaninTypeError(f"`prefix` must be a string such as 'decoder' (got {prefix!r})")
    path = prefix.removesuffix(".") + "." if prefix else ""
    wanted = _wanted(buffers)
    found = places(module, path)
    tied = aliases(module, path, found)
    entries = []
    for place in found:
        spec = place.spec()
        parameter = Parameter(place.name, tuple(spec.shape), _numpy_dtype(spec.dtype),
                              layer_of(place.owner, place.key, spec.ndim))
        entries.append(Entry(place, parameter, tied.get(place.name, ""), place.buffer and not wanted(place)))
    return entries


def assign(rules, entries):
    """A row for each entry. Rules see tied names as siblings, and none has to match them."""
    tied = [re.escape(entry.parameter.name) for entry in entries if entry.tied]
    if tied:
        rules = rules.override({f"re:{'|'.join(tied)}": "keep"})
    assigned = iter(rules.assign([entry.parameter for entry in entries if not entry.left]))
    rows = [Row(entry.parameter) if entry.left else next(assigned) for entry in entries]
    return [Row(entry.parameter, note=entry.note) if entry.note else row
            for entry, row in zip(entries, rows, strict=True)]


def _wanted(buffers):
    """Whether rules are asked about a buffer."""
    if isinstance(buffers, bool):
        return lambda place: buffers and place.persistent
    globs = [buffers] if isinstance(buffers, str) else buffers
    if not isinstance(globs, (list, tuple)) or not all(isinstance(glob, str) for glob in globs):
        raise FaninTypeError(f"`buffers` must be True, False, or a glob or several over their names (got {buffers!r})")
    return lambda place: any(fnmatch.fnmatchcase(place.name, glob) for glob in globs)


def _numpy_dtype(dtype):
    """numpy's counterpart, also of a type that fanin can't draw: its parameter may be tied or kept."""
    try:
        return as_dtype(dtype)
    except FaninTypeError:
        import ml_dtypes

        try:
            return np.dtype(getattr(ml_dtypes, str(dtype).removeprefix("torch."), f"V{dtype.itemsize}"))
        except TypeError:
            return np.dtype(f"V{dtype.itemsize}")
