"""Frozen tables that a model computes, such as Whisper's sinusoids: found by having it fill them twice.

They are parameters that are never trained, so what rules would draw into them stays. transformers' own code gives their
values; where these don't follow from the seed, the model means no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import nn

from .._errors import FaninError
from .._initializers import Constant
from ..rules._slots import Slot
from ._buffers import as_initialized, call, on_meta, stand_ins
from ._places import Place, transformers_models

_POSITIONS = re.compile(r"(?i).*(pos|sinus)")  # in a parameter's name, or a type's
_RANKS = (2, 3)


class _Trial(NamedTuple):
    place: Place
    memory: torch.Tensor
    old: torch.Tensor


def with_tables(module: nn.Module, slots: list[Slot]) -> list[Slot]:
    """The slots, those of frozen tables with the values that the model computes for them."""
    candidates = [slot for slot in slots if _may_be_table(slot)]
    if not candidates:
        return slots
    values: dict[str, Constant] = {}
    for path, model in transformers_models(module, "initialize_weights"):
        owners = set(map(id, model.modules()))
        values |= _computed(model, path, [slot.place for slot in candidates if id(slot.place.owner) in owners
                                          and slot.place.name not in values])
    return [slot._replace(fixed=values.get(slot.place.name)) for slot in slots]


def _may_be_table(slot: Slot) -> bool:
    parameter, layer = slot.parameter, slot.parameter.layer
    words = (parameter.name, *(layer.types if layer else ()))
    return (slot.frozen and not slot.note and not slot.place.computed and len(parameter.shape) in _RANKS
            and parameter.dtype.kind not in "iub" and any(map(_POSITIONS.match, words)))


def _computed(model: Any, path: str, places: Iterable[Place]) -> dict[str, Constant]:
    """{name: values} of those that the model fills with the same numbers whatever torch's seed is."""
    places = list(places)
    try:
        first, second = (_filled(model, path, places, seed) for seed in (0, 1))
    except FaninError:  # its code needs what it has not here: nothing is known of these tables
        return {}
    return {place.name: Constant(one.numpy()) for place, one, other in zip(places, first, second)
            if bool(one.isfinite().all()) and torch.equal(one, other)}


def _filled(model: Any, path: str, places: list[Place], seed: int) -> list[torch.Tensor]:
    """What the model writes into tensors of NaNs in these places. The module is as before."""
    trials = [_Trial(place, nn.Parameter(torch.full(tuple(place.tensor.shape), torch.nan, device="cpu"), False),
                     place.tensor) for place in places]
    try:
        for trial in trials:
            trial.place.owner._parameters[trial.place.key] = trial.memory
        with torch.device("cpu"), torch.no_grad(), torch.random.fork_rng([]), stand_ins(model, trials, on_meta), \
                as_initialized(model, trials):
            torch.manual_seed(seed)
            call(model.initialize_weights, model, path)
        return [trial.place.tensor.detach() for trial in trials]
    finally:
        for trial in trials:
            trial.place.owner._parameters[trial.place.key] = trial.old
