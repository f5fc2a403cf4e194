"""Mixtures of experts: which axes of a batch of matrices are in and out, told by what stands beside it in the layer.

The first axis counts the experts. Whether a matrix is (in, out) or (out, in) no name tells, and often the sizes do.
"""

from __future__ import annotations

from typing import Any

from torch import nn

_SIZES = (("input_size", "output_size"), ("in_features", "out_features"), ("in_dim", "out_dim"))
_HIDDEN = ("hidden_size", "hidden_dim", "embed_dim", "d_model", "dim")
_UP, _DOWN = {"up", "gate", "w1", "w3", "wi", "fc1"}, {"down", "w2", "wo", "fc2"}


def experts_layout(module: nn.Module, key: str) -> str | None:
    """The layout of `module.<key>`, a parameter with three axes: "bio", "boi", or None where it can't be told."""
    transposed: Any = getattr(module, "is_transposed", None)
    if isinstance(transposed, bool):  # transformers', `use_experts_implementation`
        return "bio" if transposed else "boi"
    shape = _shape(module, key)
    if len(shape) != 3:
        return None
    return _by_sizes(module, shape) or _by_a_gated_pair(module, key, shape) or _by_the_hidden_size(module, key, shape)


def _by_sizes(module: nn.Module, shape: tuple[int, ...]) -> str | None:
    """Of a layer that says how many go in and how many come out."""
    for names in _SIZES:
        sizes = tuple(_size(module, name) for name in names)
        if shape[1:] == sizes[::-1]:
            return "boi"
        if shape[1:] == sizes:
            return "bio"
    return None


def _by_a_gated_pair(module: nn.Module, key: str, shape: tuple[int, ...]) -> str | None:
    """Of two weights, one that maps to twice as many, for values and gates, as the other maps back from."""
    for other in module._parameters:
        found = _shape(module, other)
        if other == key or len(found) != 3:
            continue
        for (_, *wide), (_, *narrow) in ((shape, found), (found, shape)):
            if wide == [narrow[1], 2 * narrow[0]]:
                return "bio"
            if wide == [2 * narrow[1], narrow[0]]:
                return "boi"
    return None


def _by_the_hidden_size(module: nn.Module, key: str, shape: tuple[int, ...]) -> str | None:
    """Of a weight whose name says whether it leads away from the hidden size, which the layer tells, or back to it."""
    words = set(key.split("_"))
    up, down = bool(words & _UP), bool(words & _DOWN)
    sizes = {_size(module, name) for name in _HIDDEN}
    first, second = (size in sizes for size in shape[1:])
    if up == down or first == second:
        return None
    return "bio" if first == up else "boi"


def _size(module: nn.Module, name: str) -> int | None:
    size: Any = getattr(module, name, None)
    return size if isinstance(size, int) else None


def _shape(module: nn.Module, key: str) -> tuple[int, ...]:
    tensor = module._parameters.get(key)
    return () if tensor is None else tuple(tensor.shape)
