"""Which places of a module hold one and the same tensor, and the name that it is drawn and saved under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from operator import itemgetter
from typing import Any

import numpy as np
import torch

from .._drawing.arrays import is_fake
from .._errors import FaninValueError
from ._places import Place, transformers_models
from ._sharded import PLAIN, is_sharded


def aliases(module: torch.nn.Module, prefix: str, located: list[Place]) -> dict[str, str]:
    """{name: the canonical name} of the places whose tensor is drawn under another name.

    Canonical is the first place in module order, and of a transformers model the one that its checkpoints have.

    Raises:
        FaninValueError: a transformers model's weights are not tied though its config says so.
    """
    left_out = _left_out_of_checkpoints(module, prefix)
    tied: dict[str, str] = {}
    for names in _groups(located):
        first = next((name for name in names if name not in left_out), names[0])
        tied |= {name: first for name in names if name != first}
    known = {place.name for place in located}
    broken = [f"{target} to {source}" for target, source in left_out.items()
              if {target, source} <= known and tied.get(target, target) != tied.get(source, source)]
    if broken:
        raise FaninValueError(f"`module` must have the ties that its config says ({', '.join(broken)}; `to_empty` "
                              "breaks ties): call its tie_weights(), or set config.tie_word_embeddings = False")
    return tied


def _groups(located: list[Place]) -> Iterator[list[str]]:
    """The names of places that hold one tensor, where there are several."""
    starts = [_address(tensor) or id(tensor) for tensor in (place.tensor for place in located)]
    counts = Counter(starts)
    same: dict[Hashable, list[str]] = {}
    for place, start in zip(located, starts):
        if counts[start] > 1:  # few do: the rest is not asked of all
            same.setdefault(_identity(place), []).append(place.name)
    yield from same.values()


def _identity(place: Place) -> Hashable:
    """Equal for places that hold one tensor, or several in exactly the same memory."""
    tensor = place.tensor
    if place.computed or tensor.is_meta or is_sharded(tensor) or not tensor.numel() or not _address(tensor):
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _address(tensor: torch.Tensor) -> int:
    """Of its first element; 0 where it has no memory."""
    try:
        return tensor.data_ptr() if type(tensor) in PLAIN or not is_fake(tensor) else 0
    except RuntimeError:  # sparse, or another subclass without memory of its own
        return 0


def _left_out_of_checkpoints(module: torch.nn.Module, prefix: str) -> dict[str, str]:
    """{target: source} of the weights that transformers ties: it saves the source."""
    ties: dict[str, str] = {}
    for path, model in transformers_models(module, "get_expanded_tied_weights_keys", prefix):
        keys = model.get_expanded_tied_weights_keys(all_submodels=False)
        ties |= {path + target: path + source for target, source in keys.items()}
    return ties


def check_apart(tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """FaninValueError for two tensors, of (name, tensor) pairs that have memory, that share it in part."""
    extents = [(*_extent(tensor), name, tensor) for name, tensor in tensors if tensor.numel()]
    extents.sort(key=itemgetter(0))
    reach = 0  # where the last of those before ends
    for number, (start, end, name, tensor) in enumerate(extents):
        if start < reach:
            for _, other_end, other, another in extents[:number]:
                if other_end > start and np.shares_memory(_addresses(tensor), _addresses(another)):
                    raise FaninValueError(f"`module` must have parameters that are tied wholly or not at all ({other} "
                                          f"and {name} share memory in part): copy one of them")
        reach = max(reach, end)


def _extent(tensor: torch.Tensor) -> tuple[int, int]:
    """The address of a tensor's first byte, and that after its last one. (No stride is negative in torch.)"""
    start = tensor.data_ptr()
    if tensor.is_contiguous():
        return start, start + tensor.nbytes
    last = sum((dim - 1) * stride for dim, stride in zip(tensor.shape, tensor.stride()))
    return start, start + (last + 1) * tensor.element_size()


def _addresses(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A tensor's memory as numpy knows it; nothing is read, so it may be a GPU's."""
    return np.asarray(_Memory(tensor))


class _Memory:
    def __init__(self, tensor: torch.Tensor) -> None:
        size = tensor.element_size()
        self.__array_interface__ = {
            "version": 3, "shape": tuple(tensor.shape), "typestr": f"|V{size}", "data": (tensor.data_ptr(), True),
            "strides": tuple(stride * size for stride in tensor.stride())}
