"""The figures that are measured: of each layer, and of the loss."""

from __future__ import annotations

import math
from typing import NamedTuple


class LayerSignal(NamedTuple):
    """What goes through one layer, each time that it is called. A figure that can't be told is None.

    Attributes:
        layer: its name in the model, "layers.0.mlp"; empty for the model as a whole.
        kind: its type, "Linear"; of Keras with the layer's activation, "Dense relu".
        call: which call of the layer it is, from 1.
        size: the number of elements of the output, all rows of the batch together.
        rms: of the output, the square root of the mean square.
        ratio: `rms` by that of the layer's input.
        zeros: the share of zeros in the output.
        dead: the share of units that are zero in every row of the batch.
        nonfinite: how many elements are infinite or NaN.
        cosine: of the angle between the outputs of the batch's first two rows.
        gradient: rms of the loss's gradient with respect to the output.
        weight: the name of the layer's own weight, the largest of several.
        fan_in: of that weight.
        weight_std: its standard deviation.
        weight_norm: its largest singular value, as a matrix (outputs by all else): a lower bound, within 15 %.
        weight_gradient: rms of the loss's gradient with respect to it.
    """

    layer: str
    kind: str
    call: int = 1
    size: int = 0
    rms: float = 0.0
    ratio: float | None = None
    zeros: float | None = None
    dead: float | None = None
    nonfinite: int = 0
    cosine: float | None = None
    gradient: float | None = None
    weight: str | None = None
    fan_in: float | None = None
    weight_std: float | None = None
    weight_norm: float | None = None
    weight_gradient: float | None = None

    @property
    def title(self) -> str:
        """The layer as a table names it.

        >>> LayerSignal("relu", "ReLU", 2).title, LayerSignal("", "GPT2Model").title
        ('relu, call 2', '(GPT2Model)')
        """
        name = self.layer or f"({self.kind})"
        return name if self.call == 1 else f"{name}, call {self.call}"

    @property
    def gradient_norm(self) -> float | None:
        """The length of the gradient, which a layer with orthogonal weights keeps, unlike its rms."""
        return None if self.gradient is None else self.gradient * math.sqrt(self.size)


class InitialLoss(NamedTuple):
    """The loss before the first step.

    Attributes:
        value: the loss; None where the gradient is that of a random projection of the output.
        source: where it comes from, in words.
        classes: how many logits there are, where the output is logits.
        guess: the cross entropy of these logits with classes that are drawn at random; ln(classes) at best.
        is_logits: whether the output itself is named so.
    """

    value: float | None
    source: str
    classes: int | None = None
    guess: float | None = None
    is_logits: bool = False

    @property
    def is_cross_entropy(self) -> bool:
        """Whether the loss can be one of the logits': then it is near that of a guess."""
        return self.value is not None and self.guess is not None and abs(self.value - self.guess) < 0.5 * self.guess
