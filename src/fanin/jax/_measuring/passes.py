"""One pass of a function with taps in it, forward and backward or forward alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ..._errors import FaninTypeError
from ..._initializers import Normal
from ..._signal import Batch, InitialLoss, Passed
from . import taps

Run = Callable[[Mapping[str, Any], taps.Taps], Any]


def of_inputs(inputs: Any) -> Batch:
    """The `Batch` that a tree of arrays is."""
    rows = next((len(leaf) for leaf in jax.tree.leaves(inputs) if getattr(leaf, "ndim", 0)), None)
    entered = taps.first_real(inputs)
    if entered is None:
        return Batch(rows, None, None)
    has_pair = rows is not None and rows > 1 and entered.ndim > 1 and len(entered) == rows
    return Batch(rows, float(taps.rms(entered)), _finite(taps.cosine(entered)) if has_pair else None)


def forward(run: Run, arrays: Mapping[str, Any], batch: Batch) -> Passed:
    """Run forward only."""
    tally, found = taps.Tally(), []

    @jax.jit
    def whole(arrays: Mapping[str, Any]) -> Any:
        seen = taps.Taps(batch.rows, tally=tally)
        output = run(arrays, seen)
        found[:] = seen.found
        return taps.first_real(output)

    jax.block_until_ready(whole(arrays))
    jax.effects_barrier()  # the last callbacks may still be under way
    return Passed(taps.layers(found, tally.sums), {}, None)


def backward(run: Run, arrays: Mapping[str, Any], batch: Batch, loss: Callable[[Any], Any] | None) -> Passed:
    """Run forward, and back from a loss or a random projection of the output."""
    found: list[taps.Tap] = []

    def find(arrays: Mapping[str, Any]) -> Any:
        seen = taps.Taps(batch.rows)
        output = run(arrays, seen)
        found[:] = seen.found
        return taps.first_real(output)

    shape = jax.eval_shape(find, arrays)
    project = _projection(shape) if loss is None and found else None

    def scalar(arrays: Mapping[str, Any], sinks: Mapping[str, Any]) -> tuple[Any, Any]:
        output = run(arrays, taps.Taps(batch.rows, sinks))
        value = loss(output) if loss is not None else jnp.sum(taps.first_real(output) * project)
        if jnp.shape(value) != ():
            raise FaninTypeError(f"`loss` must give a scalar (got a shape of {jnp.shape(value)}): average it")
        return value, taps.first_real(output)

    @jax.jit
    def whole(arrays: Mapping[str, Any], sinks: Mapping[str, Any]) -> Any:
        (value, output), (gradients, figures) = jax.value_and_grad(scalar, (0, 1), has_aux=True)(arrays, sinks)
        return value, output, jax.tree.map(taps.rms, gradients), figures

    if not found:
        return Passed([], {}, None)
    sinks = {tap.key: jnp.zeros(len(taps.FIGURES), jnp.float32) for tap in found}
    value, output, gradients, figures = whole(arrays, sinks)
    return Passed(taps.layers(found, figures), {name: float(each) for name, each in gradients.items()},
                  _loss(output, None if loss is None else float(value)))


def _projection(output: Any) -> jax.Array:
    if output is None:
        raise FaninTypeError("the model must give floating-point arrays (got none): pass `loss`, a function of what it "
                             "gives")
    return jnp.asarray(Normal()(tuple(output.shape), seed=0, name="fanin.signal"), output.dtype)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _loss(output: Any, value: float | None) -> InitialLoss:
    source = "the given loss" if value is not None else "a random projection of the output with unit variance"
    if output is None or output.ndim < 2 or output.shape[-1] < 2:
        return InitialLoss(value, source)
    wide = jnp.asarray(output, jnp.float32)
    guess = _finite(jnp.mean(jax.nn.logsumexp(wide, -1) - jnp.mean(wide, -1)))
    return InitialLoss(value, source, output.shape[-1], guess)
