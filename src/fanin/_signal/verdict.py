"""Whether the signal lives: thresholds on what arrives, forward at the output and backward at the input.

What happens in a branch does not count where a sum goes round it: forward the loudest of all later layers decides, and
backward that of all earlier ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from .._errors import agreeing, counted
from .layers import InitialLoss, LayerSignal

# All are documented in docs/signal.md.
DIES = 1e-3  # of the rms at the input, or of the gradient at the output, arrives
EXPLODES = 1e3  # times it
COLLAPSES = 1e-4  # is what two rows' cosine lacks to 1
LOSS = 2.0  # times ln(classes) is a loss that says logits are too large

# As layers are called in torch and Keras, and activations of Keras' layers.
_RELUS = {"ReLU", "ReLU6", "LeakyReLU", "PReLU", "GELU", "SiLU", "NewGELUActivation", "Mish", "Hardswish",
          "relu", "relu6", "leaky_relu", "gelu", "silu", "mish", "hard_silu", "elu"}
_SATURATING = {"Tanh", "Sigmoid", "Hardtanh", "Softsign", "tanh", "sigmoid", "hard_tanh", "soft_sign"}


class Fault(NamedTuple):
    """Where the signal is lost.

    Attributes:
        text: a sentence.
        word: what happens there, in short.
        place: at which of the layers, by its place in their order.
        backward: whether it is the gradient.
    """

    text: str
    word: Literal["dies", "explodes", "not finite", "alike"]
    place: int
    backward: bool = False


class Verdict(NamedTuple):
    """A judgement of a signal.

    Attributes:
        alive: whether it reaches the output, and its gradient the input.
        words: a sentence or two for each finding.
        faults: where it is lost, which a picture marks.
    """

    alive: bool
    words: tuple[str, ...]
    faults: tuple[Fault, ...] = ()


def judge(layers: Sequence[LayerSignal], input_rms: float | None, input_cosine: float | None,
          loss: InitialLoss | None) -> Verdict:
    """The verdict on layers in their order of execution."""
    faults = [fault for fault in (_forward(layers, input_rms), _backward(layers), _collapse(layers, input_cosine))
              if fault]
    words = [fault.text for fault in faults] or [_alive(layers, input_rms)]
    if faults and faults[0].word in ("dies", "alike"):
        words[0] = f"The signal dies. {words[0]}"
    zero = [row.title for row in layers if row.weight_norm == 0]
    if zero and len(zero) <= 3:
        words.append(f"{' and '.join(zero)} {agreeing(len(zero), 'starts', 'start')} from zero weights: nothing passes "
                     "through there before the first step.")
    if loss is not None and (remark := _loss(loss)):
        words.append(remark)
    usual = _usual(layers) if faults else ""
    return Verdict(not faults, (*words, usual) if usual else tuple(words), tuple(faults))


def _forward(layers: Sequence[LayerSignal], input_rms: float | None) -> Fault | None:
    for place, row in enumerate(layers):
        if row.nonfinite:
            return Fault(f"Outputs are not finite from {_named(row)} on ({row.nonfinite:,} of "
                         f"{counted(row.size, 'value')}).", "not finite", place)
    start = input_rms if input_rms else layers[0].rms
    origin = "the input" if input_rms else _named(layers[0])
    for place, row in enumerate(layers):
        if row.rms > EXPLODES * max(start, 1.0 if not input_rms else 0.0):
            return Fault(f"It explodes: the rms of outputs goes from {start:.2g} at {origin} to {row.rms:.2g} at "
                         f"{_named(row)}, {_rate(layers[:place + 1], start, row.rms)}.", "explodes", place)
    later = list(accumulate(reversed([row.rms for row in layers]), max))[::-1]  # the loudest from there on
    for place, (row, loudest) in enumerate(zip(layers, later)):
        if loudest < DIES * start:
            if row.weight_norm == 0:
                return None  # zero by its weights, which is said elsewhere
            if row.rms == 0:
                return Fault(f"All outputs are zero from {_named(row)} on.", "dies", place)
            end = max(place for place, each in enumerate(layers) if each.rms)  # farther on float32 may have no number
            last = layers[end]
            return Fault(f"Going forward, the rms of outputs falls from {start:.2g} at {origin} to {last.rms:.2g} at "
                         f"{_named(last)}, {_rate(layers[:end + 1], start, last.rms)}; it is below {DIES:g} of the "
                         f"start from {_named(row)} on.", "dies", place)
    return None


def _backward(layers: Sequence[LayerSignal]) -> Fault | None:
    places = [place for place, row in enumerate(layers) if row.gradient is not None]
    rows = [layers[place] for place in places]
    norms = [row.gradient_norm or 0.0 for row in rows]
    if len(rows) < 2:
        return None
    end = norms[-1]
    if any(not math.isfinite(norm) for norm in norms):
        last = max(place for place, norm in enumerate(norms) if not math.isfinite(norm))
        return Fault(f"Gradients are not finite at {_named(rows[last])} and before it.", "not finite", places[last],
                     True)
    for place in reversed(range(len(rows))):
        if norms[place] > EXPLODES * end:
            return Fault(f"It explodes going back: the gradient grows from a length of {end:.2g} at the output to "
                         f"{max(norms):.2g}, {_rate(rows[place:], end, norms[place])}; it is above {EXPLODES:g} times "
                         f"that at {_named(rows[place])}.", "explodes", places[place], True)
    earlier = list(accumulate(norms, max))  # the strongest up to there
    for place in reversed(range(len(rows) - 1)):
        if earlier[place] < DIES * end:
            after, first = rows[place + 1], rows[0]
            if after.weight_norm == 0:
                return None
            text = (f"Going back, the gradient falls to {first.gradient:.2g} (rms) at {_named(first)}, "
                    f"{_rate(rows, end, norms[0])}; less than {DIES:g} of its length at the output passes "
                    f"{_named(after)}.")
            if earlier[place] == 0:
                text = f"No gradient passes {_named(after)}: it is zero at {_named(rows[place])} and before it."
            return Fault(text, "dies", places[place + 1], True)
    return None


def _collapse(layers: Sequence[LayerSignal], input_cosine: float | None) -> Fault | None:
    rows = [row for row in layers if row.cosine is not None]
    if not rows or (input_cosine is not None and 1 - input_cosine < COLLAPSES):
        return None
    start = len(rows)
    while start and 1 - (rows[start - 1].cosine or 0.0) < COLLAPSES:
        start -= 1
    if sum(row.weight_std is not None for row in rows[start:]) < 2:  # a softmax or a sigmoid at the end is no collapse
        return None
    return Fault(f"Rows of the batch become alike: from {_named(rows[start])} on the outputs of two of them have a "
                 f"cosine of {rows[-1].cosine:.6f}, so the network hardly sees which input it has.", "alike",
                 layers.index(rows[start]))


def _alive(layers: Sequence[LayerSignal], input_rms: float | None) -> str:
    start = f"{input_rms:.2g} at the input" if input_rms else f"{layers[0].rms:.2g} at {_named(layers[0])}"
    words = f"Alive: the rms of outputs goes from {start} to {layers[-1].rms:.2g} at the output"
    rows = [row for row in layers if row.gradient_norm is not None]
    if len(rows) > 1 and rows[-1].gradient_norm and rows[0].gradient_norm:
        back = rows[0].gradient_norm / rows[-1].gradient_norm
        words += f", and {back:.2g} times the gradient's length there comes back to {_named(rows[0])}"
    depth = _depth(layers)
    return f"{words} (through {counted(depth, 'layer')} with weights)."


def _loss(loss: InitialLoss) -> str:
    if loss.classes is None or loss.guess is None:
        return ""
    best = math.log(loss.classes)
    value = loss.value if loss.is_cross_entropy else loss.guess if loss.is_logits else None
    if value is None or value <= LOSS * best:
        return ""
    return (f"The initial loss is {value:.3g} where ln({loss.classes:,}) = {best:.3g} is a guess's: logits are too "
            "large; usual is a last layer with std 1/√fan_in or smaller.")


def _usual(layers: Sequence[LayerSignal]) -> str:
    """How the weights' std compares to what is usual before the activation that the layers have."""
    gains = [math.log(row.weight_std * math.sqrt(row.fan_in)) for row in layers
             if row.weight_std and row.fan_in and "Embedding" not in row.kind]
    if not gains:
        return ""
    gain = math.exp(sum(gains) / len(gains))
    kinds = {word for row in layers for word in row.kind.split()}
    words, usual = [], []
    if kinds & _RELUS or not kinds & _SATURATING:  # also where activations are functions, not layers
        usual.append(math.sqrt(2))
        words.append('1.41/√fan_in before ReLU ("he_normal")')
    if kinds & _SATURATING or not kinds & _RELUS:
        usual.append(1.0)
        words.append('1/√fan_in before tanh or nothing ("glorot_normal")')
    if any(0.9 < gain / each < 1.1 for each in usual):
        return ""
    return (f"Weights have a std of {gain:.2g}/√fan_in on average; usual is {' and '.join(words)}, and where branches "
            "are added up, 1/√(2·blocks) of it in the last layer of each.")


def _rate(layers: Sequence[LayerSignal], start: float, end: float) -> str:
    depth = _depth(layers)
    if not depth or not start or not end:
        return "at once"
    return f"a factor {(end / start) ** (1 / depth):.2g} per layer with weights"


def _depth(layers: Sequence[LayerSignal]) -> int:
    return sum(row.weight_std is not None for row in layers)


def _named(row: LayerSignal) -> str:
    return f"{row.title} ({row.kind})" if row.layer else "the output"
