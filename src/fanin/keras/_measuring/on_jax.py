"""A pass on Keras' JAX backend: the taps of `fanin.jax`, at the calls of Keras' layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from ..._signal import Batch, Passed
from ...jax._measuring import passes
from ...jax._measuring.taps import Taps
from ...rules._slots import Slot
from .calls import intercepted, kind_of


def measure(model: Any, call: Callable[[Any], Any], inputs: Any, slots: list[Slot], values: Mapping[str, Any],
            batch: Batch, loss: Callable[[Any], Any] | None, grad: bool) -> Passed:
    """A forward pass, with `grad` a backward one, and what they show."""
    variables = {slot.parameter.name: slot.place.variable for slot in slots}
    arrays = {name: keras.ops.convert_to_tensor(values[name], dtype=variable.dtype) if name in values
              else variable.value for name, variable in variables.items()}
    trained = {name: array for name, array in arrays.items() if variables[name].trainable}

    def run(traced: Mapping[str, Any], taps: Taps) -> Any:
        def see(name: str, layer: Any, entered: Any, output: Any) -> Any:
            return taps.tap(name, kind_of(layer), entered, output)

        held = [(variables[name], array) for name, array in {**arrays, **traced}.items()]
        with keras.StatelessScope(held), intercepted(model, see):
            return call(inputs)

    return passes.backward(run, trained, batch, loss) if grad else passes.forward(run, trained, batch)
