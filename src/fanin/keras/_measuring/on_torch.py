"""A pass on Keras' torch backend: what `fanin.torch` measures with, at the calls of Keras' layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import torch

from ..._signal import Batch, Passed
from ...rules._slots import Slot
from ...torch._measuring import losses, numbers, state
from ...torch._measuring.probes import Probes
from .calls import intercepted, kind_of


def measure(model: Any, call: Callable[[Any], Any], inputs: Any, slots: list[Slot], values: Mapping[str, Any],
            batch: Batch, loss: Callable[[Any], Any] | None, grad: bool) -> Passed:
    """A forward pass, with `grad` a backward one, and what they show."""
    probes, tensors = Probes(batch.rows), {}
    for slot in slots:
        name, variable = slot.parameter.name, slot.place.variable
        own = values.get(name, variable.value)
        tensor = keras.ops.convert_to_tensor(own, dtype=variable.dtype).detach()
        tensors[name] = tensor.requires_grad_(variable.trainable)

    def see(name: str, layer: Any, entered: Any, output: Any) -> Any:
        probes.see(name, kind_of(layer), layer, entered, output)
        return output

    fixed = [(slot.place.variable, tensors[slot.parameter.name]) for slot in slots]
    with torch.inference_mode(False), state.unchanged(model, 0), torch.set_grad_enabled(grad):
        # copies, since a wrapped torch module may write into them
        copies = keras.tree.map_structure(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, inputs)
        with keras.StatelessScope(fixed), intercepted(model, see):
            output = call(copies)
        if not grad:
            return Passed(probes.layers(), {}, None)
        value, known = losses.start(output, loss)
        losses.check_scalar(value)
        trained = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
        found = torch.autograd.grad(value, list(trained.values()), allow_unused=True)
    gradients = {name: numbers.rms(each) for name, each in zip(trained, found) if each is not None}
    return Passed(probes.layers(), gradients, known)
