"""The layers' own weights: their spread, their largest singular value, their gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import nn

from ..._errors import FaninValueError
from ..._signal import LayerSignal
from .._slots import find_slots
from . import numbers


class Weight(NamedTuple):
    """The largest of a module's own tensors that are matrices, convolutions' kernels included."""

    name: str
    fan_in: float | None
    registered: torch.Tensor
    values: torch.Tensor


def own_weights(module: nn.Module) -> dict[int, Weight]:
    """{id of a module: its weight}."""
    found: dict[int, Weight] = {}
    for slot in find_slots(module, False, ""):
        place, parameter = slot.place, slot.parameter
        if slot.buffer or len(parameter.shape) < 2 or not place.spec().is_floating_point():
            continue
        before = found.get(id(place.owner))
        if before is None or before.values.numel() < place.spec().numel():
            with torch.no_grad():
                values = place.tensor if place.computed is None else place.computed.compute(place.computed.registered())
            found[id(place.owner)] = Weight(parameter.name, _fan_in(parameter), place.tensor, values.detach())
    return found


def _fan_in(parameter: object) -> float | None:
    try:
        return float(parameter.fans().fan_in)  # type: ignore[attr-defined]
    except FaninValueError:  # of a layer that tells none, with a shape that doesn't either
        return None


def with_weights(layers: Sequence[LayerSignal], owners: Sequence[nn.Module], weights: Mapping[int, Weight],
                 gradients: Mapping[int, float]) -> list[LayerSignal]:
    """The layers with the figures of their weights.

    Args:
        gradients: {id of a registered tensor: rms of its gradient}.
    """
    figures: dict[int, tuple[float, float]] = {}
    done = []
    for layer, owner in zip(layers, owners, strict=True):
        weight = weights.get(id(owner))
        if weight is not None:
            key = id(weight.registered)
            if key not in figures:
                matrix = numbers.as_matrix(weight.values)
                figures[key] = numbers.std(matrix), numbers.largest_singular_value(matrix) if matrix.numel() else 0.0
            layer = layer._replace(weight=weight.name, fan_in=weight.fan_in, weight_std=figures[key][0],
                                   weight_norm=figures[key][1], weight_gradient=gradients.get(key))
        done.append(layer)
    return done


def spectra(weights: Mapping[int, Weight]) -> dict[str, tuple[float, ...]]:
    """{name of a weight: all its singular values, falling}."""
    return {weight.name: tuple(torch.linalg.svdvals(numbers.as_matrix(weight.values)).tolist())
            for weight in weights.values()}
