"""Taps: identities on layers' outputs. What they see leaves the pass as the gradient of a vector that nothing reads.

So no traced value has to be carried out of a transformation, whichever the model uses (jit, scan, remat, vmap): JAX
adds up what several calls of one tap say.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

FIGURES = ("calls", "rms", "entered", "zeros", "nonfinite", "cosine", "paired", "gradient")  # of one tap, in order


class Tap(NamedTuple):
    """One layer's output: the layer's name and type, which call of it, and the output's size."""

    layer: str
    kind: str
    call: int
    size: int


class Taps:
    """The taps of one pass.

    Attributes:
        found: all that were met, in order of execution.
    """

    def __init__(self, batch: int | None, sinks: dict[str, jax.Array] | None = None) -> None:
        self._batch, self._sinks = batch, sinks
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
        if self._sinks is not None and key(tap) in self._sinks:
            inputs = first_real(entered)
            before = jnp.zeros(()) if inputs is None else rms(jax.lax.stop_gradient(inputs))
            rows = self._batch is not None and self._batch > 1 and array.ndim > 1 and len(array) == self._batch
            leaves[place] = _tap(rows, array, self._sinks[key(tap)], before)
        return jax.tree.unflatten(structure, leaves)


def key(tap: Tap) -> str:
    """What a tap's vector is found by."""
    return f"{tap.layer}#{tap.call}"


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
    return array


def _forward(array: Any, sink: Any, figures: Any) -> tuple[Any, Any]:
    return array, figures


def _backward(figures: Any, cotangent: Any) -> tuple[Any, Any, Any]:
    return cotangent, jnp.append(figures, rms(cotangent)), jnp.zeros_like(figures)


_measured.defvjp(_forward, _backward)


def _tap(rows: bool, array: Any, sink: jax.Array, entered: jax.Array) -> Any:
    """The array itself; the gradient of `sink`, of as many numbers as `FIGURES`, is what it is like."""
    seen = jax.lax.stop_gradient(array)
    angle = cosine(seen) if rows else jnp.float32(jnp.nan)
    paired = jnp.isfinite(angle)
    figures = jnp.stack([jnp.float32(1), rms(seen), entered, jnp.mean(seen == 0, dtype=jnp.float32),
                         jnp.sum(~jnp.isfinite(seen)).astype(jnp.float32), jnp.where(paired, angle, 0.0),
                         paired.astype(jnp.float32)])
    return _measured(array, sink, figures)
