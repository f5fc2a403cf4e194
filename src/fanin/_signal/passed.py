"""What a framework's pass through a model hands over."""

from __future__ import annotations

from typing import NamedTuple

from .layers import InitialLoss, LayerSignal


class Batch(NamedTuple):
    """What is known of the inputs: how many rows they have, rms of the real ones, cosine of their first two rows."""

    rows: int | None
    rms: float | None
    cosine: float | None


class Passed(NamedTuple):
    """What a pass has shown.

    Attributes:
        gradients: {name of an array: rms of its gradient}.
        loss: None of a forward pass alone.
    """

    layers: list[LayerSignal]
    gradients: dict[str, float]
    loss: InitialLoss | None
