"""What a parameter starts from, whatever the weights get: its layer's own word, or what its name and shape say.

Biases start from zeros, norms from ones. `weights` are all else that has two axes or more: what layers multiply by.
"""

from __future__ import annotations

import re
from typing import Any

from ._parameter import Layer, Parameter

_NO_LAYER = Layer()
_NORM = re.compile(r"\w*Norm(?:alization|(?!al))\w*")  # a type's name; NormalNoise is none
_BIAS = re.compile(r"bias|in_proj_bias|bias_[ih]h(_l\d+(_reverse)?)?")
_SCALE, _SHIFT = {"weight", "scale", "gamma"}, {"bias", "beta"}
_EMBEDDING = re.compile(r"(?i).*(?:emb|wte|wpe)[^.]*\.(?:weight|embeddings?)|(?:.*\.)?embeddings?")
_OF_BUFFERS = {"running_mean": "zeros", "running_var": "ones", "num_batches_tracked": "zeros",
               "position_ids": "arange", "token_type_ids": "zeros"}


def start_of(parameter: Parameter) -> Any:
    """The `init` that a parameter starts from, or None where it is a weight or nothing is known of it."""
    name, shape, _, layer = parameter
    layer = layer or _NO_LAYER
    if layer.start is not None:
        return layer.start
    key, rank = name.rpartition(".")[2], len(shape)
    if key in _OF_BUFFERS:
        return _OF_BUFFERS[key]
    if is_norm(layer) and key in _SCALE | _SHIFT:
        return "zeros" if key in _SHIFT else "ones"
    if _BIAS.fullmatch(key) and rank == 1:
        return "zeros"
    if layer.types:
        return None
    # names are all that is known: a weight with one axis is a norm's
    if rank == 1 and (key in _SCALE or key == "beta"):
        return "zeros" if key == "beta" else "ones"
    return "normal" if rank == 2 and _EMBEDDING.fullmatch(name) else None


def is_norm(layer: Layer) -> bool:
    """Whether the layer's type says that it is a norm. One whose weight has axes in and out is another layer."""
    return layer.layout is None and any(_NORM.fullmatch(each) for each in layer.types)


def is_weight(parameter: Parameter) -> bool:
    """Whether layers multiply by it: it has two axes or more, and nothing else to start from."""
    key = parameter.name.rpartition(".")[2]
    return (len(parameter.shape) >= 2 and parameter.dtype.kind not in "iub" and not _BIAS.fullmatch(key)
            and start_of(parameter) is None)
