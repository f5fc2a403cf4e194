"""`verify_model`: what a Keras model holds, compared with what would be drawn into it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from .._seeding import check_source
from ..rules import Comparison, Rules
from ..rules._comparison import Index, Tally, whole_block
from ..rules._slots import assign_slots
from ._model import find_slots

if TYPE_CHECKING:
    from .._types import Array, Seed
    from ..rules._names import RulesLike


def verify_model(model: keras.layers.Layer, rules: RulesLike, *, seed: Seed | None = None,
                 buffers: bool | str | Sequence[str] = False) -> Comparison:
    """Compare a model's variables with what `init_model` would draw into them, bit by bit; nothing is assigned.

    Args:
        model, rules, seed, buffers: as they were given to `init_model`.

    Returns:
        A `fanin.rules.Comparison`, which prints as a summary: `ok`, and the `differences`. Orthogonal tensors are
        compared within their bound.

    Raises:
        FaninTypeError, FaninValueError: as `init_model`.

    >>> import keras
    >>> from fanin.keras import init_model, verify_model
    >>> model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(512)])
    >>> _ = init_model(model, "he_normal", seed=7)
    >>> print(verify_model(model, "he_normal", seed=7))
    OK, 2 tensors, 131,584 elements
    """
    rules, source = Rules.of(rules), check_source(seed)
    slots = find_slots(model, buffers)
    table = assign_slots(rules, slots, "jax", partial=True, source=source)  # `init_model` has told of idle rules
    tally = Tally()
    for slot, row in zip(slots, table, strict=True):
        if row.scheme is not None:
            values = values_of(slot.place.variable)

            def read(cut: Index, values: Array = values) -> Array:
                return values[cut]

            tally.compare_block(row, source, whole_block(row.parameter.shape), read)
    return tally.result(table)


def values_of(variable: Any) -> Array:
    """What a variable holds, as a numpy array."""
    with warnings.catch_warnings():  # Keras' torch backend's own, of numpy's new argument `copy`
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(keras.ops.convert_to_numpy(variable.value))
