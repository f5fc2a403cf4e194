"""What the backward pass starts from: the user's loss, the model's own, or a random projection of the output."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..._errors import FaninTypeError, FaninValueError, a_type, shown
from ..._initializers import Normal
from ..._signal import InitialLoss
from .probes import first_real


def start(output: Any, loss: Callable[[Any], Any] | None) -> tuple[torch.Tensor, InitialLoss]:
    """(the scalar to differentiate, what is known of the loss)."""
    if loss is not None:
        value, source = loss(output), "the given loss"
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            raise FaninTypeError(f"`loss` must give a tensor with one element (got {shown(value, 100)}): average it")
        return value.reshape(()), _known(output, value, source)
    own = _field(output, "loss")
    if isinstance(own, torch.Tensor) and own.numel() == 1:
        return own.reshape(()), _known(output, own, "the model's own loss")
    whole = first_real(output)
    if whole is None:
        raise FaninTypeError(f"`model` must give a floating-point tensor, or something that holds one (got "
                             f"{a_type(output)}): pass `loss`, a function of its output")
    return _projection(whole), _known(output, None, "a random projection of the output with unit variance")


def _known(output: Any, loss: torch.Tensor | None, source: str) -> InitialLoss:
    named = _field(output, "logits")
    logits = named if isinstance(named, torch.Tensor) else output
    value = None if loss is None else float(loss.detach())
    if not _may_be_logits(logits):
        return InitialLoss(value, source)
    return InitialLoss(value, source, logits.shape[-1], _guess(logits), logits is named)


def _projection(output: torch.Tensor) -> torch.Tensor:
    direction = torch.empty(output.shape, dtype=torch.float32)
    Normal()(tuple(output.shape), seed=0, name="fanin.signal", out=direction)  # the same each time
    return (output * direction.to(output.device, output.dtype)).sum().real


def _field(output: Any, name: str) -> Any:
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


def _may_be_logits(tensor: Any) -> bool:
    """Whether the last axis may hold classes: of what the output calls logits, or of a batch by several numbers."""
    return isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.dim() >= 2 and \
        tensor.shape[-1] >= 2 and tensor.numel() > 0


def _guess(logits: torch.Tensor) -> float | None:
    """The mean cross entropy with classes that are drawn at random."""
    wide = logits.detach().float()
    guess = float((torch.logsumexp(wide, -1) - wide.mean(-1)).mean())
    return guess if math.isfinite(guess) else None


def check(loss: Any) -> None:
    """FaninTypeError for a loss that can't be called."""
    if loss is not None and not callable(loss):
        raise FaninTypeError(f"`loss` must be a function of the model's output (got {shown(loss, 100)}): "
                             "lambda output: cross_entropy(output, targets)")


def check_scalar(value: torch.Tensor) -> None:
    """FaninValueError for a loss that no parameter is behind."""
    if not value.requires_grad:
        raise FaninValueError("`model` must have a parameter that requires a gradient, and `loss` must depend on it "
                              "(got none): pass grad=False for the forward pass alone")
