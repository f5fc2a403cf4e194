"""Hooks that turn each layer's output, and its gradient, into a few numbers while the pass runs; no tensor is kept."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree
from torch.utils.weak import WeakIdKeyDictionary

from ..._signal import LayerSignal
from .._places import modules
from . import numbers


class Probes:
    """What the layers' outputs are like, in order of execution.

    Attributes:
        owners: the module of each layer, at the layer's place in `layers`.
    """

    def __init__(self, batch: int | None) -> None:
        self._batch = batch
        self._layers: list[LayerSignal] = []
        self._gradients: dict[int, float] = {}
        self._calls: dict[str, int] = {}
        self._known: Any = WeakIdKeyDictionary()  # {tensor: (version, rms)}, so that an input is not measured again
        self._last: Any = None  # a weak reference to the last output
        self._recording = False
        self.owners: list[nn.Module] = []

    @contextlib.contextmanager
    def recording(self, module: nn.Module) -> Iterator[None]:
        """Within it the outputs of a module's layers are measured.

        Not in the backward pass, in which checkpointed layers run again.
        """
        names: dict[int, str] = {}
        handles = []
        for path, part in modules(module):
            if id(part) not in names:
                names[id(part)] = path.removesuffix(".")
                handles.append(part.register_forward_hook(self._hook(names[id(part)]), with_kwargs=True))
        self._recording = True
        try:
            yield
        finally:
            self._recording = False
            for handle in handles:
                handle.remove()

    def layers(self) -> list[LayerSignal]:
        """The layers with the gradients that have come by."""
        return [layer._replace(gradient=self._gradients.get(place)) for place, layer in enumerate(self._layers)]

    def _hook(self, name: str) -> Any:
        def hook(part: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            if self._recording:
                self.see(name, type(part).__name__, part, (args, kwargs), output)

        return hook

    def see(self, name: str, kind: str, part: nn.Module, entered: Any, output: Any) -> None:
        """Measure the output of one call of a layer, if there is a tensor of real numbers in it."""
        tensor = first_real(output)
        if tensor is not None and not self._is_last(tensor):
            self._record(name, kind, part, first_real(entered), tensor)

    def _is_last(self, tensor: torch.Tensor) -> bool:
        """Whether it was measured before: as the output of a container's last layer, or the input of an identity."""
        return self._last is not None and self._last[0]() is tensor and self._last[1] == tensor._version

    def _record(self, name: str, kind: str, part: nn.Module, entered: torch.Tensor | None, output: torch.Tensor
                ) -> None:
        place, self._calls[name] = len(self._layers), self._calls.get(name, 0) + 1
        plain = output.detach()
        before = None if entered is None else self._rms(entered, entered is output)
        rms = numbers.rms(plain)
        finite = rms < float("inf")  # NaN is not
        zeros, dead = numbers.zeros(plain, self._batch)
        self._layers.append(LayerSignal(
            name, kind, self._calls[name], output.numel(), rms,
            rms / before if before else None, zeros, dead, 0 if finite else numbers.nonfinite(plain),
            numbers.cosine(plain, self._batch) if finite else None))
        self.owners.append(part)
        self._known[output] = output._version, rms
        self._last = weakref.ref(output), output._version
        if output.requires_grad:
            output.register_hook(lambda gradient: self._gradients.__setitem__(place, numbers.rms(gradient.detach())))

    def _rms(self, tensor: torch.Tensor, in_place: bool) -> float | None:
        version, rms = self._known.get(tensor, (None, None))
        if in_place or version == tensor._version:
            return rms  # of a tensor that its layer has overwritten: what it was before
        return numbers.rms(tensor.detach())


def first_real(value: Any) -> torch.Tensor | None:
    """The first floating-point or complex tensor in an output, whatever it is made of."""
    if isinstance(value, torch.Tensor):
        return value if value.is_floating_point() or value.is_complex() else None
    if isinstance(value, Mapping):
        items: Any = [item for key, item in value.items() if key != "loss"]
    elif isinstance(value, (tuple, list)):
        items = value
    else:
        items = (leaf for leaf in _pytree.tree_leaves(value) if leaf is not value)
    return next((found for item in items if (found := first_real(item)) is not None), None)
