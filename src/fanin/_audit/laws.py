"""The laws that random weights follow, and the decision which of them a histogram shows.

A law is named when it isn't rejected and its rivals are. The budget: a tensor that was drawn from one of these laws is
called something else about once in 1,000 times at worst (a normal law of some 4,096 values, whose largest happens to
look like a cut at 3 σ), once in 1,000,000 otherwise. The power: from 4,096 values on uniform, normal and normal cut at
up to 3 σ are told apart, and a law whose kurtosis differs by 0.4 from all of them is none of these.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._errors import agreeing, counted
from . import fit

if TYPE_CHECKING:
    from .._types import Array
    from .moments import Moments

ALPHA = 1e-6  # a law is rejected below this p-value
ENOUGH = 4096  # values from which on rivals need not be looked at
RIVAL = 1e-4  # with fewer, a rival is out below this p-value,
FITS = 0.01  # and a law must fit so well to be named
BELLS = 2048  # values below which no law is called normal: trained biases look like it
FEWEST = 64  # values below which no random law is named
# Uniform numbers in bfloat16 and float16 themselves have so many steps in JAX and torch.
GRIDS = (2**7, 2**8, 2**10, 2**11)
# A cut is seen where a normal law would leave so many values beyond it: e^-7.6 is 5e-4, e^-13.8 is 1e-6. Nobody cuts at
# 3.3 σ, many at 2 and 3, so the latter need less.
SEEN, SEEN_WIDE = 7.6, 13.8
CUSTOMARY = 3.1
# Keras on torch, and many a truncated_normal_ copied for torch, draw four times to cut at 2 σ: the share that is left.
LEFT = (1 - math.erf(2.0 * math.sqrt(0.5))) ** 4


class Law(NamedTuple):
    """A law and its parameters.

    Attributes:
        name: "constant", "uniform", "normal", "truncated", "orthogonal", "identity", "dirac", "delta_orthogonal",
            "sparse", "sinusoid", "arange", "none" (of these), "few" (too few values to tell) or "unread".
        parameters: by name; those of "sparse" have `values`, the law of what isn't zero.
        note: what else there is to say, such as which cuts can't be told.
    """

    name: str
    parameters: dict[str, float] = {}
    note: str = ""

    @property
    def is_random(self) -> bool:
        """Whether values were drawn."""
        return self.name in ("uniform", "normal", "truncated", "orthogonal", "delta_orthogonal", "sparse")

    @property
    def is_centred(self) -> bool:
        """Whether it is a law around 0."""
        at = self.parameters
        if self.name == "uniform":
            return abs(at["low"] + at["high"]) <= 0.02 * (at["high"] - at["low"])
        return not at.get("mean")

    @property
    def title(self) -> str:
        """The law without its scale: "normal cut at ±2 σ"."""
        at = self.parameters
        if self.name == "truncated":
            return f"normal cut at ±{at['cut']:.2g} σ"
        if self.name == "sparse":
            return f"sparse, {at['sparsity']:.1%} zeros"
        return TITLES.get(self.name, self.name)

    def __str__(self) -> str:
        """The law with its scale: "normal cut at ±2 σ, σ 0.0227"."""
        at = self.parameters
        if self.name == "uniform":
            return f"uniform {bounds(at['low'], at['high'])}"
        if self.name == "arange":
            return f"{at['start']:g}, {at['start'] + at['step']:g}, …"
        scale = next((f"{words}{at[key]:.3g}" for key, words in SCALES if key in at), "")
        mean = f", mean {at['mean']:.3g}" if at.get("mean") else ""
        return f"{self.title}{scale}{mean}"


TITLES = {"none": "none of these", "few": "too few", "unread": "not read", "sinusoid": "sinusoids",
          "delta_orthogonal": "delta-orthogonal"}
SCALES = (("value", " "), ("std", ", σ "), ("gain", " × "))


def bounds(low: float, high: float) -> str:
    """An interval in words: ±0.05 where it is symmetric.

    >>> bounds(-0.05, 0.05), bounds(0.0, 1.0)
    ('±0.05', '0 to 1')
    """
    width = high - low
    if abs(low + high) <= 0.02 * width:
        return f"±{high:.3g}"
    return f"{0.0 if abs(low) < 1e-3 * width else low:.3g} to {high:.3g}"


def random_law(values: Moments, narrow: bool = False) -> Law:
    """Which of uniform, normal and truncated normal the values follow, "none", or "few".

    Args:
        narrow: whether they are of a half type, in which they may have been drawn, too.
    """
    if values.finite < FEWEST or values.low == values.high:
        return Law("few")
    if values.nonfinite:
        are = agreeing(values.nonfinite, "is", "are")
        return Law("none", note=f"{counted(values.nonfinite, 'value')} {are} not finite")
    mean = 0.0 if abs(values.mean) <= 5 * values.std / math.sqrt(values.finite) else values.mean
    uniform, p_uniform = _uniform(values)
    if narrow:
        p_uniform = max(p_uniform, *(_on_grid(values, steps) for steps in GRIDS))
    normal, p_normal = _normal(values, mean)
    truncated, p_truncated, seen = _truncated(values, mean)
    if seen:
        p_normal = 0.0
    if p_truncated <= ALPHA and values.finite >= ENOUGH:
        truncated, p_truncated = _redrawn(values, mean)
    fits = ALPHA
    if values.finite < ENOUGH:
        fits = FITS
        rivals = [p_uniform, max(_cut_at_two(values, mean), p_truncated), p_normal, _laplace(values)]
        if sum(p > RIVAL for p in rivals) > 1 or RIVAL < max(rivals) <= FITS:
            return Law("few")
        if values.finite < BELLS and p_normal > RIVAL:
            return Law("few", note=f"{normal} fits, and so may others")
    for law, p in ((uniform, p_uniform), (truncated, p_truncated), (normal, p_normal)):
        if p > fits:
            return law
    return Law("none")


def _uniform(values: Moments) -> tuple[Law, float]:
    """A uniform law between the extremes, and its p-value; the ends lie a little farther out."""
    step = (values.high - values.low) / max(values.finite - 1, 1)
    low, high = values.low - step, values.high + step
    if abs(low + high) <= 20 * step:  # symmetric, as nearly all are
        high = max(-low, high) - step / 2
        low = -high

    def cdf(x: Array) -> Array:
        return np.clip((x - low) / (high - low), 0.0, 1.0)

    return Law("uniform", {"low": low, "high": high}), fit.p_value(values.lower, values.upper, values.counts, cdf)


def _on_grid(values: Moments, steps: int) -> float:
    """The p-value of so many equally likely steps between the extremes: what is uniform in a half type's own bits.

    Arithmetic in the half type moves the steps by one or so, which is allowed for.
    """
    if values.finite < 16 * steps or not steps / 2 < len(values.counts) <= 2 * steps:
        return 0.0
    width = values.high - values.low

    def cdf(x: Array) -> Array:
        return np.clip((x - values.low) / width, 0.0, 1.0)

    return fit.distance_p(values.lower, values.upper, values.counts, cdf, allowed=1.5 / steps)


def _normal(values: Moments, mean: float) -> tuple[Law, float]:
    """A normal law and its p-value, and which cuts so many values can't show."""
    std = math.hypot(values.std, values.mean - mean)
    law = Law("normal", {"mean": mean, "std": std}, f"a cut beyond {visible_cut(values.finite):.3g} σ can't be told")
    farthest = max(values.high - mean, mean - values.low) / std
    p_extreme = -math.expm1(-values.finite * fit.two_tails(farthest))
    p = fit.p_value(values.lower, values.upper, values.counts, lambda x: fit.normal_cdf((x - mean) / std), tests=4)
    if values.kurtosis > 7.0 * math.sqrt(24 / values.finite):
        return law, 0.0  # heavier tails than a normal law's, by 7 standard errors
    return law, min(p, 4 * p_extreme)


def _truncated(values: Moments, mean: float) -> tuple[Law, float, bool]:
    """A normal law cut at both ends, its p-value, and whether the cut is seen."""
    farthest = max(values.high - mean, mean - values.low)
    std = math.hypot(values.std, values.mean - mean)
    cut = _cut_of((std / farthest) ** 2)
    if cut is None:  # wider than uniform, or as far as no cut shows
        return Law("none"), 0.0, False
    beyond = values.finite * fit.two_tails(cut)
    seen = beyond > (SEEN if cut <= CUSTOMARY else SEEN_WIDE)
    parent = farthest / cut
    law = Law("truncated", {"mean": mean, "std": parent, "cut": cut, "bound": farthest})
    if not seen:
        return law, 0.0, False
    return law, _truncated_p(values, mean, parent, cut), True


def _redrawn(values: Moments, mean: float) -> tuple[Law, float]:
    """A normal law cut at 2 σ by drawing four times, which leaves a few values beyond the cut, and its p-value.

    Five tests share the budget: that of how many are beyond, and that of how far, stand beside the histogram's three.
    """
    parent = math.hypot(values.std, values.mean - mean) / math.sqrt(cut_variance(2.0))
    edge = 2 * parent * (1 + 4 / math.sqrt(2 * values.finite))  # by the error of std; a value nearer counts as inside
    beyond = int(values.counts[(values.lower - mean >= edge) | (values.upper - mean <= -edge)].sum())
    law = Law("truncated", {"mean": mean, "std": parent, "cut": 2.0, "bound": 2 * parent},
              f"values beyond the cut: {beyond:,}, as where a draw is repeated three times at most (Keras on torch)")
    if not beyond:
        return law, 0.0
    farthest = max(values.high - mean, mean - values.low) / parent
    p_far = -math.expm1(beyond * math.log1p(-fit.two_tails(farthest) / fit.two_tails(2.0)))
    p_many = fit.poisson_tail(beyond, values.finite * LEFT)
    return law, min(1.0, 5 * min(p_far, p_many), 5 / 3 * _truncated_p(values, mean, parent, 2.0))


def _truncated_p(values: Moments, mean: float, parent: float, cut: float) -> float:
    tail = fit.two_tails(cut) / 2

    def cdf(x: Array) -> Array:
        return np.clip((fit.normal_cdf((x - mean) / parent) - tail) / (1 - 2 * tail), 0.0, 1.0)

    return fit.p_value(values.lower, values.upper, values.counts, cdf)


def _cut_at_two(values: Moments, mean: float) -> float:
    """The p-value of the usual truncated law, cut at 2 std of its parent, as a rival where values are few."""
    std = math.hypot(values.std, values.mean - mean)
    parent = std / math.sqrt(cut_variance(2.0))
    if max(values.high - mean, mean - values.low) > 2 * parent * (1 + 4 / math.sqrt(2 * values.finite)):
        return 0.0
    return _truncated_p(values, mean, parent, 2.0)


def _laplace(values: Moments) -> float:
    """The p-value of a Laplace law: what is heavier than normal is a rival of it where values are few."""
    scale = values.std / math.sqrt(2)

    def cdf(x: Array) -> Array:
        z = (x - values.mean) / scale
        tail = np.exp(-np.abs(z)) / 2
        return np.where(z < 0, tail, 1 - tail)

    return fit.p_value(values.lower, values.upper, values.counts, cdf)


@functools.cache
def visible_cut(count: int) -> float:
    """The farthest cut, in σ, that so many values show.

    >>> round(visible_cut(4096), 2), round(visible_cut(10**6), 2)
    (3.1, 4.35)
    """
    low, high = 0.0, 40.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        seen = count * fit.two_tails(middle) > (SEEN if middle <= CUSTOMARY else SEEN_WIDE)
        low, high = (middle, high) if seen else (low, middle)
    return low


def cut_variance(cut: float) -> float:
    """The variance of N(0, 1) cut at ±`cut`.

    >>> round(cut_variance(2.0) ** 0.5, 6)
    0.879626
    """
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return 1 - 2 * cut * density / math.erf(cut * math.sqrt(0.5))


def _cut_of(ratio: float) -> float | None:
    """The cut whose law has this variance over its bound squared, between 1/3 (uniform) and 0; None outside."""
    low, high = 0.2, 12.0
    if not cut_variance(high) / high**2 < ratio < cut_variance(low) / low**2:
        return None
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if cut_variance(middle) / middle**2 > ratio else (low, middle)
    return low
