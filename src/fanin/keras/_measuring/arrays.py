"""Arrays of any backend in a few numbers, by numpy."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..._signal import Batch, LayerSignal

if TYPE_CHECKING:
    from ..._types import Array


def of_inputs(inputs: Any) -> Batch:
    """The `Batch` that some inputs are."""
    shapes = [leaf.shape for leaf in keras.tree.flatten(inputs) if hasattr(leaf, "shape")]
    rows = next((int(shape[0]) for shape in shapes if len(shape)), None)
    entered = first_real(inputs)
    if entered is None:
        return Batch(rows, None, None)
    return Batch(rows, rms(entered), cosine(entered, rows))


def first_real(tree: Any) -> Array | None:
    """The first array of floating-point numbers in a structure, as float64."""
    for leaf in keras.tree.flatten(tree):
        if hasattr(leaf, "dtype") and "float" in keras.backend.standardize_dtype(leaf.dtype):
            with warnings.catch_warnings():  # Keras' own on torch, of numpy's new argument `copy`
                warnings.simplefilter("ignore", DeprecationWarning)
                return np.asarray(keras.ops.convert_to_numpy(leaf)).astype(np.float64)
    return None


def layer(row: LayerSignal, entered: Array | None, output: Array, rows: int | None) -> LayerSignal:
    """A row with the figures of a layer's output."""
    size, before, is_zero = rms(output), 0.0 if entered is None else rms(entered), output == 0
    has_rows = rows is not None and rows > 1 and output.ndim > 1 and len(output) == rows
    return row._replace(
        size=output.size, rms=size, ratio=size / before if before else None,
        zeros=float(is_zero.mean()) if output.size else 0.0, dead=float(is_zero.all(0).mean()) if has_rows else None,
        nonfinite=int(output.size - np.isfinite(output).sum()), cosine=cosine(output, rows))


def rms(array: Array) -> float:
    """The root mean square; not finite where an element isn't."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.sqrt(float(np.mean(np.square(array)))) if array.size else 0.0


def cosine(array: Array, rows: int | None) -> float | None:
    """Of the angle between the first two rows of a batch; None where there are no two, or one is zero."""
    if rows is None or rows < 2 or array.ndim < 2 or len(array) != rows:
        return None
    first, second = array[:2].reshape(2, -1)
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if 0 < lengths < math.inf else None
