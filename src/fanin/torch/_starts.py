"""What torch's layers start from besides their weights; norms and biases are known by their names."""

from __future__ import annotations

from typing import Any

from torch import nn

from .._initializers import Constant, Initializer

# (type, key of a parameter) -> its start; the rest of what a type says is in _layers.py
_STARTS: list[tuple[Any, str, str | Initializer]] = [
    ((nn.Embedding, nn.EmbeddingBag), "weight", "normal"),
    (nn.PReLU, "weight", Constant(0.25)),
    (nn.MultiheadAttention, "bias_k", "xavier_normal"),
    (nn.MultiheadAttention, "bias_v", "xavier_normal"),
]


def start_of(kind: type, key: str) -> str | Initializer | None:
    """What the parameter `key` of a module of this type starts from, where only the type tells."""
    return next((start for base, name, start in _STARTS if name == key and issubclass(kind, base)), None)
