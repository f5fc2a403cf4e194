"""Taps: identities on layers' outputs, which see how large these are while the pass runs.

With gradients, what they see leaves the pass as the gradient of a vector that nothing reads; without, by a callback. So
no traced value has to be carried out of a transformation, whichever the model uses (jit, scan, remat, vmap), and what
several calls of one tap say is added up.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..._signal import LayerSignal

# Of one tap, in order. `paired` counts the calls that have a cosine, `batched` those that see the whole batch.
FIGURES = ("calls", "rms", "entered", "zeros", "nonfinite", "cosine", "paired", "dead", "batched", "gradient")


class Tap(NamedTuple):
    """One layer's output: the layer's name and type, which call of it, and the output's size."""

    layer: str
    kind: str
    call: int
    size: int

    @property
    def key(self) -> str:
        """What its figures are found by."""
        return f"{self.layer}#{self.call}"


class Taps:
    """The taps of one pass.

    Args:
        batch: how many rows the batch has, if it has any.
        sinks: {a tap's key: the vector whose gradient takes its figures}.
        tally: takes the figures of a pass that has no gradients. With neither taps are only found.

    Attributes:
        found: all that were met, in order of execution.
    """

    def __init__(self, batch: int | None, sinks: Mapping[str, jax.Array] | None = None, tally: Tally | None = None
                 ) -> None:
        self._batch, self._sinks, self._tally = batch, sinks or {}, tally
        self._calls: dict[str, int] = {}
        self.found: list[Tap] = []

    def tap(self, layer: str, kind: str, entered: Any, output: Any) -> Any:
        """The output, with its first array of real numbers tapped."""
        leaves, structure = jax.tree.flatten(output)
        place = next((place for place, leaf in enumerate(leaves) if is_real(leaf)), None)
        if place is None:
            return output
        call = self._calls[layer] = self._calls.get(layer, 0) + 1
        array = leaves[place]
        tap = Tap(layer, kind, call, math.prod(array.shape))
        self.found.append(tap)
        if self._tally is not None:
            jax.debug.callback(functools.partial(self._tally.add, tap.key), self._figures(entered, array))
        elif tap.key in self._sinks:
            leaves[place] = _measured(array, self._sinks[tap.key], self._figures(entered, array))
        return jax.tree.unflatten(structure, leaves)

    def _figures(self, entered: Any, output: Any) -> jax.Array:
        """`FIGURES` but for the gradient."""
        inputs, seen = first_real(entered), jax.lax.stop_gradient(output)
        before = jnp.zeros(()) if inputs is None else rms(jax.lax.stop_gradient(inputs))
        is_zero = seen == 0
        rows = self._batch is not None and self._batch > 1 and seen.ndim > 1 and len(seen) == self._batch
        angle = cosine(seen) if rows else jnp.float32(jnp.nan)
        paired = jnp.isfinite(angle)
        figures = (1, rms(seen), before, jnp.mean(is_zero), jnp.sum(~jnp.isfinite(seen)),
                   jnp.where(paired, angle, 0.0), paired, jnp.mean(is_zero.all(0)) if rows else 0, rows)
        return jnp.stack([jnp.asarray(each, jnp.float32) for each in figures])


class Tally:
    """Sums of figures by tap, added up from the threads that callbacks come from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sums: dict[str, np.ndarray] = {}

    def add(self, key: str, figures: Any) -> None:
        """Add the figures of one call."""
        with self._lock:
            self.sums[key] = self.sums.get(key, 0.0) + np.asarray(figures, np.float64)


def layers(taps: list[Tap], figures: Mapping[str, Any]) -> list[LayerSignal]:
    """What the taps have seen, of those that have seen something: the loss depends on their layers."""
    done: list[LayerSignal] = []
    calls: dict[str, int] = {}
    for tap in taps:
        seen = dict(zip(FIGURES, np.asarray(figures.get(tap.key, ()), np.float64).tolist()))
        if not seen or seen["calls"] == 0:
            continue
        call = calls[tap.layer] = calls.get(tap.layer, 0) + 1
        count = seen["calls"]
        mean, entered = seen["rms"] / count, seen["entered"] / count
        done.append(LayerSignal(
            tap.layer, tap.kind, call, tap.size, mean, mean / entered if entered else None, seen["zeros"] / count,
            seen["dead"] / seen["batched"] if seen["batched"] else None,
            int(seen["nonfinite"]) if math.isfinite(seen["nonfinite"]) else tap.size,
            seen["cosine"] / seen["paired"] if seen["paired"] else None,
            seen["gradient"] / count if "gradient" in seen else None))
    return done


def is_real(leaf: Any) -> bool:
    """Whether a leaf is an array of floating-point numbers."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape") and jnp.issubdtype(leaf.dtype, jnp.floating)


def first_real(tree: Any) -> Any:
    """The first array of floating-point numbers in a tree, or None."""
    return next(filter(is_real, jax.tree.leaves(tree)), None)


def rms(array: Any) -> jax.Array:
    """The root mean square in float32, also where the squares leave it."""
    wide = jnp.asarray(array, jnp.float32)
    largest = jnp.max(jnp.abs(wide), initial=0.0)
    scale = jnp.where(largest > 0, largest, 1.0)
    return scale * jnp.sqrt(jnp.mean(jnp.square(wide / scale)))


def cosine(rows: Any) -> jax.Array:
    """Of the angle between the first two rows; NaN where one is zero."""
    first, second = (jnp.ravel(jnp.asarray(rows[row], jnp.float32)) for row in (0, 1))
    first, second = first / jnp.linalg.norm(first), second / jnp.linalg.norm(second)
    return jnp.sum(first * second)


@jax.custom_vjp
def _measured(array: Any, sink: Any, figures: Any) -> Any:
    """The array itself; the gradient of `sink`, of as many numbers as `FIGURES`, is what it is like."""
    return array


def _forward(array: Any, sink: Any, figures: Any) -> tuple[Any, Any]:
    return array, figures


def _backward(figures: Any, cotangent: Any) -> tuple[Any, Any, Any]:
    return cotangent, jnp.append(figures, rms(cotangent)), jnp.zeros_like(figures)


_measured.defvjp(_forward, _backward)
