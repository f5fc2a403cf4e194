"""What a pass leaves behind, put back: a module is after a measurement what it was before."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..._callers import warn
from ..._errors import FaninWarning, listed
from ..._seeding import Stream
from ...rules import Rules
from .._module import init_module
from .._places import Place
from .._slots import find_slots


@contextlib.contextmanager
def unchanged(module: nn.Module, seed: int) -> Iterator[None]:
    """Within it a module's buffers are copies, and random numbers begin at `seed`; afterwards all is as it was.

    A forward pass updates running statistics, draws dropout's masks, and may set any attribute.
    """
    parts = list(module.modules())
    attributes = [(part, dict(vars(part)), dict(part._buffers), dict(part._parameters)) for part in parts]
    devices = {tensor.device for tensor in (*module.parameters(), *module.buffers())}
    cuda = [device for device in devices if device.type == "cuda"]
    python, legacy = random.getstate(), np.random.get_state()
    copies: dict[int, torch.Tensor] = {}
    try:
        for part in parts:
            for key, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[key] = copies.setdefault(id(buffer), buffer.clone())
        with torch.random.fork_rng(cuda):
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        for part, saved, buffers, parameters in attributes:
            vars(part).clear()
            vars(part).update(saved)
            _put_back(part._buffers, buffers)
            _put_back(part._parameters, parameters)


def _put_back(registered: dict[str, Any], saved: dict[str, Any]) -> None:
    registered.clear()
    registered.update(saved)


@contextlib.contextmanager
def parameters_watched(module: nn.Module) -> Iterator[None]:
    """Warns of parameters that the forward pass itself has written into: these alone are not put back."""
    before = [(name, parameter, parameter._version) for name, parameter in module.named_parameters()]
    yield
    written = [name for name, parameter, version in before if parameter._version != version]
    if written:
        warn(f"the forward pass writes into parameters ({listed(written, 3)}), which are not as they were: "
             "measure a copy.deepcopy of the model")


@contextlib.contextmanager
def drawn(module: nn.Module, rules: Rules, seed: int | Stream | None) -> Iterator[None]:
    """Within it a module has the weights that rules give it; its own wait in their memory, untouched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FaninWarning)  # the draw below gives them
        table = init_module(module, rules, seed=seed, dry_run=True)
    names = {row.parameter.name for row in table.drawn}
    tensors = list(_parameters(slot.place for slot in find_slots(module, False, "") if slot.place.name in names))
    own = [(tensor, tensor.data) for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.data = tensor.data.clone()
        init_module(module, rules, seed=seed)
        yield
    finally:
        for tensor, memory in own:
            tensor.data = memory


def _parameters(places: Iterable[Place]) -> Iterator[torch.Tensor]:
    """The registered parameters behind some places: a computed weight has several."""
    for place in places:
        registered = [place.tensor] if place.computed is None else place.computed.registered().values()
        yield from (tensor for tensor in registered if isinstance(tensor, nn.Parameter))
