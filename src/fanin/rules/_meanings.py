"""What a parameter starts from by its meaning, where that leaves no choice."""

from __future__ import annotations

from collections.abc import Mapping

from .._initializers import Initializer
from ._parameter import Parameter


def start(parameter: Parameter, model: Mapping[str, Parameter]) -> Initializer | None:
    """The scheme that a parameter starts from, whatever the rules: told by its layer; None where there is a choice.

    `model` has all parameters by name, because some are known by their siblings.
    """
    return parameter.layer.start if parameter.layer is not None else None
