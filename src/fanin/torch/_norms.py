"""What a norm's parameters start from, found by trying the layer out: its weight may be applied as 1 + weight.

No name and no type tells this (Gemma, Qwen3-Next and others count from zero, Llama from one), and a weight on the meta
device holds no values. So a copy of the layer with parameters of our own is called on a few numbers. Where they are all
zero, a norm that counts from one gives zeros, and one that counts from zero gives what it normalizes to.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Iterator, Mapping

import torch
from torch import nn

from .._initializers import Constant, Initializer

ZEROS, ONES = Constant(0.0), Constant(1.0)
_LARGEST = 1 << 20  # elements of a weight: norms have far fewer


class Norms:
    """What norms start from; one that is like another is not tried again."""

    def __init__(self) -> None:
        self._known: dict[Hashable, dict[str, Initializer]] = {}

    def starts(self, module: nn.Module) -> Mapping[str, Initializer]:
        """{key of a parameter: what it starts from} of a module that may be a norm; empty where it can't be told."""
        shapes = tuple((key, tuple(each.shape)) for key, each in module._parameters.items() if each is not None)
        if not shapes or not any("norm" in kind.__name__.lower() for kind in type(module).__mro__) \
                or any(math.prod(shape) > _LARGEST for _, shape in shapes) \
                or any(child is not module and _is_more(child) for child in module.modules()):
            return {}
        settings = tuple((key, value) for key, value in vars(module).items()
                         if isinstance(value, (bool, int, float, str)))
        alike = tuple(map(type, module.modules())), shapes, settings
        if alike not in self._known:
            self._known[alike] = _try(module, dict(shapes))
        return self._known[alike]


def _is_more(child: nn.Module) -> bool:
    """Whether a part of a layer is more than an activation or a norm without weights: it has tensors, or hooks."""
    tensors = *child._parameters.values(), *child._buffers.values()
    return any(each is not None for each in tensors) or bool(child._forward_hooks or child._forward_pre_hooks)


def _try(module: nn.Module, shapes: dict[str, tuple[int, ...]]) -> dict[str, Initializer]:
    zeros = {key: torch.zeros(shape, device="cpu") for key, shape in shapes.items()}
    starts: dict[str, Initializer] = {}
    for inputs in _inputs(max(shapes.values(), key=math.prod)):
        at_zeros = _call(module, zeros, inputs)
        if at_zeros is None:
            continue
        counts_from_one = not at_zeros.any()
        for key, zero in zeros.items():
            other = zero + 1 if counts_from_one else zero - 1
            moved = _call(module, zeros | {key: other}, inputs)
            if moved is None or torch.equal(moved, at_zeros):
                continue
            if zero.ndim > 1:  # a matrix that is multiplied with does not act on each element by itself
                chosen = torch.arange(zero.numel(), device="cpu").reshape(zero.shape) % 3 == 0
                part = _call(module, zeros | {key: other * chosen}, inputs)
                if part is None or not torch.equal(part, torch.where(chosen, moved, at_zeros)):
                    continue
            if counts_from_one:
                starts[key] = ZEROS if moved.min() == moved.max() else ONES  # added, or multiplied with what varies
            elif not moved.any() or torch.allclose(moved, at_zeros - 1, rtol=1e-2, atol=1e-3):  # in bfloat16, too
                starts[key] = ZEROS  # its -1 is what a weight's 0 is elsewhere, or it is added
        break
    return starts


def _inputs(shape: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, ...]]:
    """What a norm with a weight of this shape may take: a batch, with a sequence or a picture, beside it a gate."""
    size = math.prod(shape)
    if len(shape) > 1:  # heads and their channels, or channels and axes that are 1 for pictures
        taken = [(2, *shape), (2, 3, *shape), tuple(3 if length == 1 else length for length in shape)]
    else:
        taken = [(2, size), (2, 3, size), (2, size, 3), (2, size, 3, 3), (2, 3, 3, size)]
    for sizes in taken:
        count = math.prod(sizes)
        values = torch.arange(count, device="cpu", dtype=torch.float32).mul(1.7).sin().add(0.1).reshape(sizes)
        yield (values,)
        yield values, values


def _call(module: nn.Module, parameters: dict[str, torch.Tensor], inputs: tuple[torch.Tensor, ...]
          ) -> torch.Tensor | None:
    """What a copy of the module makes of the inputs with these parameters; None where it can't. Nothing of it changes.

    `forward` is the class's: hooks, and what others have put in its place, are not called.
    """
    trial = copy.copy(module)
    trial.__dict__ = vars(module) | {
        "training": False,
        "_parameters": {key: parameters.get(key) for key in module._parameters},
        "_buffers": {key: None if buffer is None else torch.zeros(buffer.shape, device="cpu")
                     for key, buffer in module._buffers.items()}}
    try:
        with torch.no_grad(), torch.random.fork_rng([]):
            made = type(module).forward(trial, *inputs)
    except Exception:  # another layer than it was taken for: its own code says so in any way
        return None
    usable = isinstance(made, torch.Tensor) and made.shape == inputs[0].shape and bool(made.isfinite().all())
    return made.float() if usable else None
