"""The truncated normal of torch 2.12 and later: rounds over the whole tensor until every number is accepted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._shared.errors import TorchValueError
from ._laws import Normal, Uniform, in_memory_order

if TYPE_CHECKING:
    from ..._types import Array
    from ._state import State

MASS = 0.3  # inside, above which normal numbers are drawn until they lie inside


class Truncated(NamedTuple):
    """N(mean, std²) between two absolute bounds."""

    mean: float
    std: float
    low: float
    high: float

    def check(self, dtype: np.dtype[Any]) -> None:
        """Refuse what torch fails at."""
        if self.std == 0:
            raise TorchValueError("`std` must be > 0 under a fanin.compat.torch.Generator, as in torch (got 0.0): use "
                                  "constant_")
        if self.mass <= MASS and not math.isfinite(self.high - self.low):
            raise TorchValueError(f"`a` and `b` must be finite where {MASS:.0%} of N(mean, std²) or less lie between "
                                  f"them, under a fanin.compat.torch.Generator (got {self.low} and {self.high})")

    @property
    def mass(self) -> float:
        """How much of the normal law lies inside, as torch computes it."""
        return _cdf((self.high - self.mean) / self.std) - _cdf((self.low - self.mean) / self.std)

    def write(self, state: State, view: Array) -> None:
        """Fill an array."""
        if self.mass > MASS:
            self._redraw_outside(state, view)
        else:
            self._accept_uniform(state, view)

    def _redraw_outside(self, state: State, view: Array) -> None:
        law = Normal(self.mean, self.std)
        low, high = view.dtype.type(self.low), view.dtype.type(self.high)
        law.write(state, view)
        again = _like(view)
        while (outside := (view < low) | (view > high)).any():
            law.write(state, again)
            np.copyto(view, again, where=outside)

    def _accept_uniform(self, state: State, view: Array) -> None:
        """Uniform proposals, accepted with the density's probability."""
        law, unit = Uniform(self.low, self.high), Uniform(0.0, 1.0)
        peak = -0.5 * ((max(self.low, min(self.mean, self.high)) - self.mean) / self.std) ** 2
        proposal, chance = _like(view), _like(view)
        pending = np.ones(view.shape, bool)
        while pending.any():
            law.write(state, proposal)
            np.copyto(view, proposal, where=pending)
            unit.write(state, chance)
            pending &= _log(chance) > self._log_density(proposal, peak)

    def _log_density(self, x: Array, peak: float) -> Array:
        """Of the normal law, less its largest inside: each operation rounded to the array's type, as torch's are."""
        number = np.float64 if x.dtype.itemsize == 8 else np.float32
        # torch rounds what it subtracts to the array's type first, and not what it divides and multiplies by
        mean, peak = x.dtype.type(self.mean), x.dtype.type(peak)
        for operation, operand in ((np.subtract, number(mean)), (np.divide, number(self.std)), (np.power, 2),
                                   (np.multiply, number(-0.5)), (np.subtract, number(peak))):
            x = operation(x.astype(number), operand).astype(x.dtype)
        return x


def _like(view: Array) -> Array:
    """A new array without gaps whose axes lie in memory in the same order, as `torch.empty_like` makes it."""
    ordered = in_memory_order(view)
    axes = sorted(range(view.ndim), key=lambda axis: abs(view.strides[axis]), reverse=True)
    return np.empty(ordered.shape, view.dtype).transpose(np.argsort(axes))


def _log(x: Array) -> Array:
    """ln, rounded correctly, to a half type by way of float32; -inf at 0."""
    with np.errstate(divide="ignore"):
        exact = np.log(x.astype(np.float64))
    return exact if x.dtype.itemsize == 8 else exact.astype(np.float32).astype(x.dtype)


def _cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0
