"""The tensors of a module as rules see them: which are tied, and which are buffers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import nn

from .._errors import FaninTypeError, shown
from ..rules import Parameter
from ..rules._slots import Buffers, Slot, numpy_dtype, with_ties
from ._layers import Layers
from ._parametrized import states
from ._places import Place, places
from ._tables import with_tables
from ._ties import aliases


def find_slots(module: Any, buffers: Any, prefix: str) -> list[Slot]:
    """A `Slot` for each parameter and buffer at each of its places, in module order; its `place` is a `Place`."""
    if not isinstance(prefix, str):
        raise FaninTypeError(f"`prefix` must be a string such as 'decoder' (got {shown(prefix)})")
    chosen, path = Buffers(buffers), prefix.removesuffix(".") + "." if prefix else ""
    located = places(module, path)
    tied = aliases(module, path, located)
    layers, slots, followed = Layers(module), [], states(located)
    for place in located:
        tensor = place.tensor
        spec = place.spec() if place.computed else tensor
        layer = layers.find(place.owner, place.key, spec.ndim)
        if place.name in tied and place.key == "bias" and isinstance(place.owner, nn.Linear):
            # under the other name no weight need be beside it: BERT's head holds its decoder's bias
            layer = layer._replace(fan_in=place.owner.in_features, fan_out=place.owner.out_features)
        parameter = Parameter(place.name, tuple(spec.shape), _numpy_dtype(spec.dtype), layer)
        follows = followed.get(id(tensor))
        slots.append(Slot(parameter, place, tied.get(place.name, ""), _left(place, follows),
                          place.buffer and not follows, place.persistent,
                          not place.buffer and not tensor.requires_grad))
    return with_tables(module, with_ties(chosen.choose(slots)))


def _left(place: Place, follows: str | None) -> str:
    """Why rules are not asked about the tensor at a place; empty where they are."""
    if follows:
        return f"buffer, computed from {follows}"
    if place.buffer:
        return "buffer, left as it is"
    return f"left as it is: {place.follows.note}" if place.follows else ""


@functools.cache
def _numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    return numpy_dtype(str(dtype).removeprefix("torch."), dtype.itemsize)
