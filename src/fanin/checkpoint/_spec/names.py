"""What names and shapes alone don't tell of a tensor, where it matters: remarks for whoever initializes by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...rules import Parameter
from ...rules._warnings import grouped

_EMBEDDING = re.compile(r"(.*[._])?(wte|wpe|shared|[^.]*embed[^.]*)\.weight")
_EXPERT = re.compile(r"(.*\.)?experts\.\d+\..*")


def untold(tensors: Iterable[Parameter]) -> list[str]:
    """A remark for each kind of tensor without a layer whose meaning stays unknown, with the tensors' names.

    >>> import numpy as np
    >>> untold([Parameter("wte.weight", (50, 8), np.dtype("float32"))])[0][:66]
    'it may be an embedding with a padding row, which would not be zero'
    """
    unknown = {each.name: each for each in tensors if each.layer is None}
    return [f"{text} (names and shapes alone don't tell; a config.json beside them, or `layer` in a JSON table, does)"
            for text in grouped(_remarks(unknown))]


def _remarks(tensors: dict[str, Parameter]) -> Iterator[tuple[str, str]]:
    """(remark, name) of each tensor that needs one."""
    turned = {name.rpartition(".")[0].rpartition(".")[2] for name, tensor in tensors.items()
              if _is_turned(tensor, tensors)}
    for name, tensor in tensors.items():
        rank, holder = len(tensor.shape), name.rpartition(".")[0].rpartition(".")[2]
        if rank == 2 and _EMBEDDING.fullmatch(name):
            yield "it may be an embedding with a padding row, which would not be zero", name
        elif rank == 2 and name.endswith("weight") and holder in turned:
            yield "by its bias it is stored (in, out), but it is taken as (out, in) where fans are counted", name
        elif _EXPERT.fullmatch(name):
            yield "transformers may load it into one tensor for all experts, which init_module draws as a whole", name
        elif rank == 3 and "expert" in name:
            yield "it may be a stack of experts, but it is taken as (out, in, kernel) where fans are counted", name


def _is_turned(tensor: Parameter, tensors: dict[str, Parameter]) -> bool:
    """Whether a matrix has a bias with an element for each of its columns, and not for each of its rows."""
    bias = tensors.get(tensor.name.removesuffix("weight") + "bias")
    return (tensor.name.endswith("weight") and len(tensor.shape) == 2 and bias is not None
            and bias.shape == tensor.shape[1:] != tensor.shape[:1])
