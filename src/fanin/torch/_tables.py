"""Frozen tables that a model computes, such as Whisper's sinusoids: found by having it fill them twice.

They are parameters that are never trained, so no rule changes what they start from. transformers' own code gives their
values; where these don't follow from the seed, the model means no others. What is a scheme's table but for rounding is
drawn by that scheme, with the same bits everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from .._errors import FaninError
from .._initializers import Constant, Initializer, Sinusoidal
from ..rules._parameter import NO_LAYER
from ..rules._slots import Slot
from ._buffers import as_initialized, call, on_meta, stand_ins
from ._places import Place, transformers_models

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POSITIONS = re.compile(r"(?i).*(pos|sinus)")  # in a parameter's name, or a type's
_RANKS = (2, 3)
_SCHEMES = [Sinusoidal(halves=halves, endpoint=endpoint) for halves in (True, False) for endpoint in (True, False)]
_LOST = 2.0**-20  # of an angle of 1, and of a value, by models that compute them in float32


class _Trial(NamedTuple):
    place: Place
    memory: torch.Tensor
    old: torch.Tensor


def with_tables(module: nn.Module, slots: list[Slot]) -> list[Slot]:
    """The slots, those of frozen tables with what gives the values that the model computes for them."""
    candidates = [slot for slot in slots if _may_be_table(slot)]
    if not candidates:
        return slots
    found: dict[str, Initializer] = {}
    for path, model in transformers_models(module, "initialize_weights"):
        owners = set(map(id, model.modules()))
        found |= _computed(model, path, [slot.place for slot in candidates if id(slot.place.owner) in owners
                                         and slot.place.name not in found])
    return [_fixed(slot, found[slot.place.name]) if slot.place.name in found else slot for slot in slots]


def _fixed(slot: Slot, scheme: Initializer) -> Slot:
    layer = (slot.parameter.layer or NO_LAYER)._replace(fixed=scheme)
    return slot._replace(parameter=slot.parameter._replace(layer=layer))


def _may_be_table(slot: Slot) -> bool:
    if not slot.frozen or slot.note or slot.place.computed:
        return False
    parameter, layer = slot.parameter, slot.parameter.layer
    return (len(parameter.shape) in _RANKS and parameter.dtype.kind not in "iub"
            and any(map(_POSITIONS.match, (parameter.name, *(layer.types if layer else ())))))


def _computed(model: Any, path: str, places: Iterable[Place]) -> dict[str, Initializer]:
    """{name: what gives the values} of those that the model fills with the same numbers whatever torch's seed is."""
    places = list(places)
    try:
        first, second = (_filled(model, path, places, seed) for seed in (0, 1))
    except FaninError:  # its code needs what it has not here: nothing is known of these tables
        return {}
    return {place.name: _scheme(one.numpy()) for place, one, other in zip(places, first, second)
            if bool(one.isfinite().all()) and torch.equal(one, other)}


def _scheme(table: NDArray[Any]) -> Initializer:
    """What gives the values of a table: a scheme's, or a constant's."""
    for scheme in _SCHEMES:
        lost = _LOST * (1 + np.arange(table.shape[-2])[:, None])
        if (np.abs(scheme(table.shape) - table) <= lost).all():
            return scheme
    return Constant(table if np.ptp(table) else table.flat[0])


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
