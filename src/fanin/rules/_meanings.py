"""What a parameter starts from by its meaning, where that leaves no choice."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .._initializers import Constant, Initializer, LogOfUniform, MambaALog, MambaDtBias
from ._adapters import start_of_adapter
from ._parameter import NO_LAYER, Parameter

# A state-space mixer (Mamba, Gated DeltaNet and their kin) is known by an `A_log`; these are beside it.
_A_LOG, _SKIP = "A_log", "D"
_STATE_SPACE: dict[str, Initializer] = {
    "dt_bias": MambaDtBias(), "dt_proj.bias": MambaDtBias(), "dt_proj_bias": MambaDtBias(), _SKIP: Constant(1.0)}


def start(parameter: Parameter, model: Mapping[str, Parameter]) -> Initializer | None:
    """The scheme that a parameter starts from, whatever the rules: told by its layer, or by its name and its siblings;
    None where there is a choice.

    `model` has all parameters by name.
    """
    layer = parameter.layer or NO_LAYER
    if told := layer.fixed or layer.start:
        return told
    if adapter := start_of_adapter(parameter.name):
        return adapter
    prefix, key = _split(parameter.name, _A_LOG, *_STATE_SPACE)
    if key == _A_LOG:
        return _a_log(parameter.shape, model.get(prefix + _SKIP))
    return _STATE_SPACE[key] if key and prefix + _A_LOG in model else None


def _split(name: str, *keys: str) -> tuple[str, str]:
    """(what stands before, the key) of a name that ends with one of the keys, between dots; else empty."""
    for key in keys:
        prefix = name.removesuffix(key)
        if prefix != name and (not prefix or prefix.endswith(".")):
            return prefix, key
    return "", ""


def _a_log(shape: tuple[int, ...], skip: Parameter | None) -> Initializer | None:
    """Of Mamba, whose A has an axis of states that D has not, or of Mamba-2, with one number for a head; else None."""
    if skip is not None and shape[:-1] == skip.shape:
        return MambaALog()
    heads = shape == skip.shape if skip is not None else math.prod(shape) == max(shape, default=0)
    return LogOfUniform(1.0, 16.0) if heads else None
