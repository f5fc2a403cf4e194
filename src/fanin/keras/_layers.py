"""What Keras' layers say of their variables: the roles of the axes, groups, fans where the shape can't tell them.

Keras counts fans from the shape alone, as if every kernel were (*kernel, in, out): wrong for depthwise, grouped and
transposed convolutions, for attention's (in, heads, size), and for gates side by side.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from .._initializers import Constant
from ..rules import Layer


def layer_of(owner: Any, name: str, shape: tuple[int, ...]) -> Layer:
    """The `Layer` of the variable `name` of a layer."""
    types: list[str] = []
    facts: dict[str, Any] = {}
    for kind in type(owner).__mro__:
        if kind in (keras.Model, keras.layers.Layer):
            break
        types.append(kind.__name__)
        if kind.__module__.startswith("keras.") and kind.__name__ in _FACTS:
            facts = facts or _FACTS[kind.__name__](owner, name, shape)
    return Layer(tuple(types), **facts)


def _dense(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"layout": "io"} if name in ("kernel", "lora_kernel_a", "lora_kernel_b") else {}


def _einsum_dense(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    if name != "kernel":
        return {}
    inputs, kernel, output = owner.equation.replace(" ", "").replace("->", ",").split(",")
    roles = {(True, False): "i", (False, True): "o", (True, True): "b"}
    layout = "".join(roles.get((axis in inputs, axis in output), "?") for axis in kernel)
    return {"layout": layout} if "?" not in layout and len(layout) == len(shape) else {}


def _embedding(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    # A row is an output, looked up: fan_in is its length, as in torch and flax (Keras counts the rows).
    return {"layout": {"embeddings": "oi", "reverse_embeddings": "io"}[name]} \
        if name in ("embeddings", "reverse_embeddings") else {}


def _conv(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"layout": "*io", "groups": owner.groups} if name == "kernel" else {}


def _conv_transpose(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"layout": "*oi", "transposed": True} if name == "kernel" else {}


def _depthwise(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    # (*kernel, in, multiplier): each of the `in` channels is a convolution of its own
    return {"layout": "*bo"} if name in ("kernel", "depthwise_kernel") else \
        {"layout": "*io"} if name == "pointwise_kernel" else {}


def _recurrent(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    # Gates stand side by side along the last axis: each has `units` outputs.
    return {"layout": "io", "fan_out": owner.units} if name in ("kernel", "recurrent_kernel") else {}


def _conv_recurrent(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"layout": "*io", "fan_out": owner.filters * math.prod(shape[:-2])} \
        if name in ("kernel", "recurrent_kernel") else {}


def _torch_module(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"layout": "oi*"} if len(shape) > 1 else {}


def _norm(owner: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"start": _NORM.get(name)}


_NORM = {"gamma": Constant(1.0), "scale": Constant(1.0), "beta": Constant(0.0),
         "moving_mean": Constant(0.0), "moving_variance": Constant(1.0)}

# By the names of Keras' own classes, not all of which it exports.
_FACTS = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "BaseConv": _conv,
    "BaseConvTranspose": _conv_transpose,
    "BaseDepthwiseConv": _depthwise,
    "BaseSeparableConv": _depthwise,
    "SimpleRNNCell": _recurrent,
    "LSTMCell": _recurrent,
    "GRUCell": _recurrent,
    "ConvLSTMCell": _conv_recurrent,
    "BatchNormalization": _norm,
    "LayerNormalization": _norm,
    "GroupNormalization": _norm,
    "RMSNormalization": _norm,
    "TorchModuleWrapper": _torch_module,
}
