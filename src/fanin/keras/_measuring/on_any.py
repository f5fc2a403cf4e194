"""A forward pass on any backend of Keras, such as numpy's, by its arrays as numpy reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from ..._errors import FaninValueError
from ..._signal import Batch, LayerSignal, Passed
from ...rules._slots import Slot
from . import arrays
from .calls import intercepted, kind_of


def measure(model: Any, call: Callable[[Any], Any], inputs: Any, slots: list[Slot], values: Mapping[str, Any],
            batch: Batch, loss: Callable[[Any], Any] | None, grad: bool) -> Passed:
    """A forward pass, and what it shows."""
    if grad:
        raise FaninValueError(f"`grad` must be False on Keras' {keras.backend.backend()} backend: gradients are "
                              "measured on its torch and JAX backends (set KERAS_BACKEND)")
    layers: list[LayerSignal] = []
    calls: dict[str, int] = {}

    def see(name: str, layer: Any, entered: Any, output: Any) -> Any:
        seen, before = arrays.first_real(output), arrays.first_real(entered)
        if seen is not None:
            calls[name] = calls.get(name, 0) + 1
            layers.append(arrays.layer(LayerSignal(name, kind_of(layer), calls[name]), before, seen, batch.rows))
        return output

    held = [(slot.place.variable, keras.ops.convert_to_tensor(values[slot.parameter.name]))
            for slot in slots if slot.parameter.name in values]
    with keras.StatelessScope(held), intercepted(model, see):
        call(inputs)
    return Passed(layers, {}, None)
