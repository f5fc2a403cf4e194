"""One word for a whole network: its weights get a scheme, and all else what it starts from."""

from __future__ import annotations

from typing import Any

from ._parameter import NO_LAYER, Parameter

_ANY_RANK = [2, 3, 4, 5, 6, 7, 8]
_BIASES = r"(.*\.)?((?!dt_)\w+_)?(bias|beta)(_[ih]h.*)?"  # a state space's dt_bias is none
_NORMS = ["*Norm", "*Norm[1-9]d", "*RMSNorm*", "*LayerNorm*", "*BatchNorm*", "*Normalization"]
_TABLES = (r"(.*[._])?(tokens?|class_embedding|pos_embed|pos_embedding|position_embeddings?|"
           r"relative_position_bias_table)")

# What needs no weight's scheme, the first match wins: `layer` is "" where names are all that is known, "?*" elsewhere.
_OTHERS: list[dict[str, Any]] = [
    {"match": "*", "init": "start"},
    {"match": f"re:{_BIASES}", "layer": "?*", "init": "zeros"},
    {"match": rf"re:{_BIASES}|(.*\.)?b", "layer": "", "rank": 1, "init": "zeros"},
    {"match": r"re:(.*\.)?(weight|scale|gamma)", "layer": _NORMS, "init": "ones"},
    {"match": "*weight", "layer": "PReLU", "init": {"name": "constant", "value": 0.25}},
    # embeddings as their framework starts them: torch and equinox, flax, Keras; by names, as torch
    {"match": "*weight", "layer": ["Embedding", "EmbeddingBag"], "init": "normal"},
    {"match": "*embedding", "layer": "Embed",
     "init": {"name": "variance_scaling", "mode": "fan_in", "distribution": "normal"}},
    {"match": "*embeddings", "layer": "*Embedding", "init": "keras:random_uniform"},
    {"match": r"re:(?i)(.*\.)?[^.]*(emb|wte|wpe)[^.]*\.(weight|embeddings?)|(.*\.)?embeddings?", "layer": "", "rank": 2,
     "init": "normal"},
    {"match": "*bias_[kv]", "layer": "MultiheadAttention", "fans": "shape", "init": "xavier_normal"},
    {"match": f"re:{_TABLES}", "rank": [1, *_ANY_RANK], "init": {"name": "normal", "std": 0.02}},
    # norms, and what counts and indexes, by names
    {"match": r"re:(.*\.)?(weight|scale|gamma)", "layer": "", "rank": 1, "init": "ones"},
    {"match": "*position_ids", "init": "arange"},
    {"match": r"re:(.*[._])?(running_mean|num_batches_tracked|token_type_ids)", "init": "zeros"},
    {"match": "*running_var", "init": "ones"},
]
_WEIGHTS: dict[str, Any] = {"match": "*", "weights": True}
_NO_WEIGHTS = ("bias", "beta", "A_log")  # GPT-2's mask, attn.bias, has four axes


def entries(init: Any) -> list[dict[str, Any]]:
    """The rules that one word stands for."""
    return [*_OTHERS, _WEIGHTS | {"init": init}]


def is_weight(parameter: Parameter) -> bool:
    """Whether a layer multiplies by it, as far as one can tell: it is floating-point and no vector with added axes."""
    layer, shape = parameter.layer or NO_LAYER, parameter.shape
    key = parameter.name.rpartition(".")[2]
    if len(shape) < 2 or parameter.dtype.kind in "iub" or key in _NO_WEIGHTS:
        return False
    known = layer.layout is not None or layer.fan_in is not None or key in ("weight", "kernel")
    return known or not layer.types or sum(dim > 1 for dim in shape) > 1
