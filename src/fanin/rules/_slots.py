"""What the adapters of torch, JAX and Keras share: which tensors of a model rules are asked about, and the table.

An adapter finds the tensors of a model, as `Slot`s, and writes what the rows of the table say.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._drawing.compiling import compile_samplers
from .._dtypes import as_dtype
from .._errors import FaninTypeError, FaninValueError, listed, shown
from ._parameter import NO_LAYER, Layer, Parameter
from ._rules import Rules
from ._table import Row, Table
from ._warnings import grouped

if TYPE_CHECKING:
    from .._seeding import Stream


class Slot(NamedTuple):
    """A tensor at one of its places in a model.

    Attributes:
        parameter: what rules see of it.
        place: what the adapter gets at it by.
        tied: the name of the slot that the same tensor is drawn under, where that is another one.
        left: why rules are not asked about it; empty for a parameter.
        buffer: whether it is left because it is a buffer, which the argument `buffers` may choose.
        persistent: whether checkpoints have it.
        frozen: whether it is not trained.
        warning: what its user should know should it be drawn; the same text for many slots becomes one warning.
    """

    parameter: Parameter
    place: Any
    tied: str = ""
    left: str = ""
    buffer: bool = False
    persistent: bool = True
    frozen: bool = False
    warning: str = ""

    @property
    def note(self) -> str:
        """What the table says of a slot that stays as it is; empty for one that rules decide on."""
        return f"tied to {self.tied}" if self.tied else self.left


class Buffers:
    """An argument that chooses buffers: `buffers` of adapters says which count as parameters."""

    def __init__(self, given: Any, argument: str = "buffers") -> None:
        """False, none; True, the persistent ones; a glob or several, those of such names. FaninTypeError for others."""
        self._persistent = given is True
        self._globs = [] if isinstance(given, bool) else [given] if isinstance(given, str) else given
        if not isinstance(self._globs, Sequence) or not all(isinstance(glob, str) for glob in self._globs):
            raise FaninTypeError(f"`{argument}` must be True, False, or a glob or several over their names (got "
                                 f"{shown(given, 100)})")

    def choose(self, slots: Iterable[Slot]) -> list[Slot]:
        """The slots, with those that are chosen no longer left as they are."""
        if not self._persistent and not self._globs:
            return list(slots)
        return [slot._replace(left="") if self.has(slot) else slot for slot in slots]

    def has(self, slot: Slot) -> bool:
        """Whether it is a buffer that is chosen."""
        name = slot.parameter.name
        return slot.buffer and (self._persistent and slot.persistent
                                or any(fnmatch.fnmatchcase(name, glob) for glob in self._globs))


def with_ties(slots: list[Slot]) -> list[Slot]:
    """The slots, each with what all the places know that hold its tensor: an embedding's padding row, the axes."""
    known: dict[str, list[Layer]] = {}
    for slot in slots:
        if slot.tied and slot.parameter.layer:
            known.setdefault(slot.tied, []).append(slot.parameter.layer)
    return [_completed(slot, known[slot.parameter.name]) if slot.parameter.name in known else slot for slot in slots]


def _completed(slot: Slot, others: list[Layer]) -> Slot:
    layer = functools.reduce(Layer.completed, others, slot.parameter.layer or NO_LAYER)
    return slot._replace(parameter=slot.parameter._replace(layer=layer))


def asked(slots: Iterable[Slot]) -> list[Parameter]:
    """The parameters that rules decide on."""
    return [slot.parameter for slot in slots if not slot.note]


def assign_slots(rules: Rules, slots: list[Slot], layout: str = "torch", partial: bool = False,
                 source: int | Stream | None = None, config: Callable[[], Mapping[str, Any]] | None = None) -> Table:
    """A row for each slot, to be drawn with `source`. Rules see tied names as siblings, and none has to match them.

    `config` gives the model's own, which tells the variables of recipes; it is called only for rules that have such.
    """
    notes = [slot.note for slot in slots]
    siblings = [slot.parameter for slot in slots if slot.tied and not slot.left]
    others = {slot.parameter.name: note for slot, note in zip(slots, notes) if note}
    if config is not None and rules.asks_config:
        rules = rules.with_config(config())
    parameters = [slot.parameter for slot, note in zip(slots, notes) if not note]
    table = rules._assign(parameters, layout, partial, siblings, others)
    assigned = iter(table)
    rows = [Row(slot.parameter, note=note) if note else next(assigned) for slot, note in zip(slots, notes)]
    drawn = [slot for slot, row in zip(slots, rows) if row.scheme is not None]
    remarks = grouped((text, slot.parameter.name) for text, slot in _remarks(drawn))
    seed = source if source is None or isinstance(source, int) else source.seed
    return Table(rows, (*table.warnings, *remarks), seed, rules)


def compile_first(rows: Iterable[Row], views: Mapping[str, Any] | None = None) -> None:
    """Compile the users' samplers that rows have: one that doesn't compile must show before the first row is drawn.

    `views` are the memory that is drawn into, by name; on the CPU, where there is none.
    """
    seen = set()  # a model has few plans for its many parameters
    for row in rows:
        if row.scheme is None:
            continue
        name, _, dtype, _ = row.parameter
        out = views[name] if views and name in views else np.empty(0, dtype)
        if (id(row.plan), out.device) not in seen:
            seen.add((id(row.plan), out.device))
            compile_samplers(row.plan, out.device, out)


def _remarks(drawn: list[Slot]) -> Iterator[tuple[str, Slot]]:
    """(what is to be told, of which slot); FaninValueError where there is nothing to draw into at all."""
    empty = [slot for slot in drawn if 0 in slot.parameter.shape]
    hint = " (a ZeRO-3 shard is drawn inside deepspeed.zero.GatheredParameters)" \
        if any(slot.parameter.shape == (0,) for slot in empty) else ""
    if empty and len(empty) == len(drawn):
        raise FaninValueError("a model must have elements to draw (got none in "
                              f"{listed(slot.parameter.name for slot in empty)}){hint}")
    for slot in drawn:
        if slot.warning:
            yield slot.warning, slot
        if slot.frozen and (slot.parameter.layer or NO_LAYER).fixed is None:
            yield "drawn, though frozen (it is not trained)", slot
    for slot in empty:
        yield f"without elements, so nothing is drawn{hint}", slot


def numpy_dtype(name: str, size: int = 1) -> np.dtype[Any]:
    """numpy's counterpart of a framework's dtype of `size` bytes, by name.

    Also of one that fanin can't draw, for its tensor may be tied or kept: ml_dtypes', or plain bytes.
    """
    try:
        return as_dtype(name)
    except FaninTypeError:
        import ml_dtypes

        try:
            return np.dtype(getattr(ml_dtypes, name))
        except (AttributeError, TypeError):
            return np.dtype(f"V{size}")
