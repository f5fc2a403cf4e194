"""`init_module`: a module's parameters by rules, in place. `parameters`: what rules see of it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from .._backends import check_device
from .._checks import flag
from .._drawing import arrays
from .._drawing.execute import materialize
from .._errors import FaninError, FaninValueError, listed, shown
from .._graphs import outside_graphs
from .._plans import indexing
from .._plans.plan import is_random
from .._seeding import Key, check_source, take_key
from ..rules import Parameter, Row, Rules, Table
from ..rules._slots import Slot, asked, assign_slots, compile_first
from ..rules._warnings import emit
from . import _meta, _offloaded, _parametrized, _peft, _sharded
from ._places import Place, check_module, config_of
from ._slots import find_slots
from ._ties import check_apart

if TYPE_CHECKING:
    from .._initializers import Initializer
    from .._seeding import Stream
    from .._types import Seed
    from ..rules._names import RulesLike

NO_KEY = Key(0, 0)


def parameters(module: nn.Module, *, buffers: bool | str | Sequence[str] = False, prefix: str = "") -> list[Parameter]:
    """List a module's parameters as rules see them: name, shape, dtype and layer of each, tied ones once.

    Names are those of `module.state_dict()` without what wrappers add: `torch.compile`, DistributedDataParallel,
    DataParallel and activation checkpointing. A parametrized weight is named as if it were plain. Of tied parameters
    the first counts, of a transformers model the one that `save_pretrained` saves.

    Args:
        module: on any device, meta too.
        buffers: False: none; True: also the persistent ones, so that these are the tensors of a checkpoint; a glob or
            several: the buffers with such names, persistent or not.
        prefix: the module's own place in a larger one: "decoder" gives "decoder.weight".

    Returns:
        A list in module order.

    Raises:
        FaninTypeError, FaninValueError: not a module, a lazy module without shapes, parameters of FSDP1, broken ties.

    >>> import torch
    >>> from fanin.torch import parameters
    >>> [(each.name, each.shape, each.layer.groups) for each in parameters(torch.nn.Conv1d(4, 8, 3, groups=2))]
    [('weight', (8, 2, 3), 2), ('bias', (8,), 1)]
    """
    return asked(find_slots(module, buffers, prefix))


@outside_graphs
def init_module(module: nn.Module, rules: RulesLike, *, seed: Seed | None = None,
                device: str | torch.device | None = None, buffers: bool | str | Sequence[str] = False,
                refill_buffers: bool | str | Sequence[str] = False, prefix: str = "", partial: bool = False,
                dry_run: bool = False) -> Table:
    """Initialize a module's parameters in place, each by the first rule that matches it.

    Each tensor gets the values of `scheme(shape, dtype, seed=seed, name=<its name in the plain module>)`. They depend
    neither on the other parameters, nor on wrappers, devices, ranks and order. Fans follow the layer's type where the
    shape alone can't tell them: transposed and grouped convolutions, attention's in_proj_weight, the
    stacked gates of recurrent layers. The padding row of an embedding is zero.

    The module is initialized completely or not at all: all errors are found first. Autograd sees a change in place
    (a backward pass over old values raises an error); `requires_grad`, `grad` and the memory stay.

    Args:
        module: plain; compiled, checkpoint-wrapped, in DistributedDataParallel; parametrized, with weight_norm,
            spectral_norm or pruning; with peft's LoRA; sharded into DTensors (`fully_shard`, tensor parallelism), of
            which each rank draws only its part. Not scripted, traced or exported: initialize it before.
        rules: `fanin.Rules`, or what makes them: one word ("he_normal", a scheme) for the weights, with the usual
            initial values for all other parameters; a recipe or rule set ("gpt2", "torch"); {"*.bias": "zeros", "*":
            "normal"}; a list of entries; a file.
        seed: an int in [0, 2**64), or a `Stream`, whose position stays, or None, the default stream. Give the same on
            every rank.
        device: where to put tensors on the meta device: "cpu", "cuda", "cuda:1". Tensors with memory stay where they
            are. Tied weights stay tied. Buffers are filled by their own modules: by transformers models' own code
            (rotary frequencies, position ids, masks), `reset_parameters`, `reset_running_stats`; a buffer that nothing
            fills is an error. Make the optimizer afterwards: the parameters are new objects.
        buffers: which buffers the rules are for; all others stay as they are. False: none; True: the persistent
            ones; a glob or several: the buffers with such names.
        refill_buffers: which of the other buffers their own modules fill although they have memory already, as
            after `to_empty`, which leaves in it whatever was there. False: none; True: all; a glob or several.
        prefix: the module's place in a larger one, so that it gets the values it would get there: "decoder".
        partial: whether this is only a part of a model, such as a pipeline's stage: then a rule that decides nothing
            is no warning. A `prefix` implies it.
        dry_run: only return the table.

    Returns:
        The table of what each parameter gets, in module order, with a row for each tied name and buffer. Its
        `warnings` were also issued, each as a `fanin.FaninWarning`, before anything was written.

    Raises:
        FaninValueError, FaninTypeError: a parameter that no rule matches, a scheme that its shape or dtype does not
            allow, a module on meta without `device`, buffers that nothing fills. Nothing was written.

    torch's own layers draw from one global generator in the order of construction, and count the fans of transposed and
    grouped convolutions and of in_proj_weight from the shape alone (pytorch #23854); "fans": "shape" in a rule does so.

    >>> import torch
    >>> from fanin.torch import init_module
    >>> model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    >>> print(init_module(model, {"*.bias": "zeros", "*.weight": {"name": "normal", "std": 0.02}}, seed=0))
    4 tensors, 137 k parameters, 547 kB of float32
    parameter    shape  layer   rule      scheme               fan_in  fan_out   std
    0.weight   512×256  Linear  *.weight  Normal(std=0.02)        256      512  0.02
    0.bias         512  Linear  *.bias    Constant(value=0.0)                      0
    2.weight    10×512  Linear  *.weight  Normal(std=0.02)        512       10  0.02
    2.bias          10  Linear  *.bias    Constant(value=0.0)                      0
    """
    rules, source = Rules.of(rules), check_source(seed)
    target, dry_run = _device(device), flag("dry_run", dry_run)
    check_module(module)
    _offloaded.check_here(module)
    _sharded.prepare(module, seed)
    slots = find_slots(module, buffers, prefix)
    table = assign_slots(rules, slots, partial=flag("partial", partial) or bool(prefix), source=source,
                         config=functools.partial(config_of, module))
    refill = _meta.chosen(refill_buffers, slots)
    table = table.with_warnings(*_meta.warnings(slots, refill))
    drawn = [(slot.place, row) for slot, row in zip(slots, table, strict=True) if row.scheme is not None]
    views = _check_tensors(drawn)
    if dry_run:
        emit(table.warnings)
        return table
    _check_real(place for place, _ in drawn if place.name not in views)
    meta = [slot for slot in slots if slot.place.name not in views and slot.place.tensor.is_meta]
    to_draw = {place.name for place, _ in drawn}
    following = _peft.following([slot.place for slot in slots if not slot.tied], to_draw)
    written = _parametrized.states(place for place, _ in drawn)
    to_draw |= set(following)
    if written:
        to_draw |= {slot.place.name for slot in slots if id(slot.place.tensor) in written}
    _check_meta(meta, to_draw, target)
    emit(table.warnings)
    compile_first(table, views)
    ready = {place.name: _parametrized.prepare(place, row, source, target)
             for place, row in drawn if place.computed}
    notes = {name: each.note for name, each in following.items()} | {name: note for name, (_, note) in ready.items()}
    if meta and target is not None or refill:
        notes |= _leave_meta(module, slots, to_draw, refill, target, source)
        views.clear()  # the module's tensors may be other ones now
    changed: list[torch.Tensor] = []
    try:
        for place, row in drawn:
            if place.computed:
                _parametrized.write(place.computed, ready.pop(place.name)[0])
                continue
            tensor, view = place.tensor, views.get(place.name)
            if view is None and _sharded.is_sharded(tensor):
                _draw_shard(tensor, row, source)
                continue
            changed.append(tensor)
            _draw(tensor, view, row, source)
    finally:
        torch.autograd.graph.increment_version(changed)
    _peft.settle(following.values())
    return _with_notes(table, notes)


def _draw(tensor: torch.Tensor, view: Any, row: Row, source: int | Stream) -> None:
    """Draw a row into its tensor: through the view of it that the checks made, if it had memory then."""
    memory = arrays.view_of(tensor) if view is None else view
    key = take_key(source, row.parameter.name) if is_random(row.plan) else NO_KEY  # which takes longer than zeros
    materialize(row.plan, key, memory.device, memory, indexing.whole(row.parameter.shape))


def _draw_shard(tensor: Any, row: Row, source: int | Stream) -> None:
    name, shape, scheme = row.parameter.name, row.parameter.shape, cast("Initializer", row.scheme)
    _sharded.fill(tensor, lambda index, out: scheme.shard(shape, index, seed=source, name=name, out=out))


def _with_notes(table: Table, notes: dict[str, str]) -> Table:
    if not notes:
        return table
    return Table((row._replace(note=notes[name]) if (name := row.parameter.name) in notes else row for row in table),
                 table.warnings, table.seed, table.rules)


def _device(device: Any) -> torch.device | None:
    if device is None:
        return None
    try:
        target = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise FaninValueError(f"`device` must be 'cpu', 'cuda' or one of several such as 'cuda:1' (got "
                              f"{shown(device)}: {error})") from None
    if target.type == "cuda":
        check_device(str(target))  # which says what is missing
    elif target.type != "cpu":
        raise FaninValueError(f"`device` must be 'cpu', 'cuda' or one of several such as 'cuda:1' (got "
                              f"{shown(device)})")
    return target


def _check_tensors(drawn: list[tuple[Place, Row]]) -> dict[str, Any]:
    """Everything that could keep a tensor from being written, before the first one is.

    Returns what `arrays.view_of` gives for the plain tensors that have memory, by name.
    """
    views, plain = {}, []
    for place, _ in drawn:
        tensor = place.tensor
        try:
            if place.computed:
                _parametrized.check(place.computed)
            elif _sharded.is_sharded(tensor):
                _sharded.check(tensor)
            elif not arrays.is_empty(tensor):
                views[place.name] = arrays.view_of(tensor)
                plain.append((place.name, tensor))
        except FaninError as error:
            raise type(error)(f"{place.name!r}: {error}".replace("`out`", "it")) from None
    check_apart(plain)
    return views


def _check_real(others: Iterable[Place]) -> None:
    """FaninValueError for tensors without elements, among those that have no memory to view."""
    fake = [place.name for place in others if arrays.is_fake(place.tensor)]
    if fake:
        raise FaninValueError(f"`module` must have tensors with elements (got FakeTensors, which have none, as "
                              f"{listed(fake)}): build it on the meta device and pass `device`, or pass dry_run=True "
                              "for the table alone")


def _check_meta(meta: list[Slot], to_draw: set[str], device: torch.device | None) -> None:
    """What is on the meta device must be drawn, and have a device to go to."""
    if device is None:
        there = [slot.place.name for slot in meta if slot.place.name in to_draw]
        if there:
            raise FaninValueError(f"`device` must say where to put a module on the meta device (got None, and "
                                  f"{listed(there)} there): pass device='cpu' or 'cuda', or dry_run=True for the "
                                  "table alone")
        return
    empty = [slot.place.name for slot in meta if slot.place.name not in to_draw
             and not slot.tied and (not slot.buffer or slot.place.computed)]
    if empty:
        raise FaninValueError(f"`rules` must give a value to each parameter on the meta device (none for "
                              f"{listed(empty)}): what is left as it is would be whatever the memory holds")


def _leave_meta(module: nn.Module, slots: list[Slot], to_draw: set[str], refill: set[str], device: torch.device | None,
                source: int | Stream) -> dict[str, str]:
    """Materialize what is on the meta device, fill buffers; {name of a buffer: the note in the table}."""
    filled = _meta.materialize(module, [slot.place for slot in slots], device, to_draw, refill, source)
    tied = {slot.place.name for slot in slots if slot.tied}
    return {name: f"buffer, filled by {by}" for name, by in filled.items() if name not in tied}
