"""What the layers of flax and equinox say of their parameters: which axes are in and out, groups, type names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

from .._errors import FaninTypeError, with_article
from .._initializers import Constant
from ..rules import Layer

_BASES = {"Module", "Pytree", "Object"}  # of each layer
_PYTHONS = ("builtins", "abc", "collections.abc", "typing")
_NORMALIZING = {(library, kind) for library in ("equinox", "flax") for kind in ("WeightNorm", "SpectralNorm")}
_Described = tuple[dict[str, tuple[str, Iterable[int]]], int]  # ({field: (roles, shape)}, groups)


def layer_of(owner: Any, field: str, shape: tuple[int, ...]) -> Layer:
    """What the object that holds a parameter under the name `field` says of it; flax' and equinox' layers are known."""
    classes = type(owner).__mro__
    types = tuple(cls.__name__ for cls in classes if cls.__name__ not in _BASES and cls.__module__ not in _PYTHONS)
    keys = [(cls.__module__.split(".")[0], cls.__name__) for cls in classes]
    if any(key in _NORMS for key in keys):
        return Layer(types, start=_NORM.get(field))
    known = next((_KNOWN[key] for key in keys if key in _KNOWN), None)
    if known is None:
        return Layer(types)
    fields, groups = known(owner)
    if field not in fields:
        return Layer(types)
    layout = _stacked(shape, *fields[field])
    return Layer(types, layout, groups if layout is not None else 1)


def check_layer(layer: Any) -> None:
    """FaninTypeError for a layer that normalizes the weights of another one, and keeps what must follow from them."""
    for cls in type(layer).__mro__:
        library = cls.__module__.split(".")[0]
        if (library, cls.__name__) in _NORMALIZING:
            kind = with_article(cls.__name__)
            raise FaninTypeError(f"`model` must hold plain layers (got {kind} of {library}, which keeps what follows "
                                 "from the weights of its layer): initialize the layer before it is wrapped")


def _stacked(shape: tuple[int, ...], roles: str, own: Iterable[int]) -> str | None:
    """The layout of a parameter whose layer has the shape `own` and these roles, with the axes that vmap and scan add.

    The roles are one letter an axis, k a kernel axis. Added axes are of a batch, in front unless they don't fit there.
    """
    known = tuple(own)
    for added in itertools.combinations(range(len(shape)), len(shape) - len(known)):
        if tuple(dim for axis, dim in enumerate(shape) if axis not in added) == known:
            left = iter(roles)
            layout = re.sub("k+", "*", "".join("b" if axis in added else next(left) for axis in range(len(shape))))
            return layout if layout.count("*") < 2 else None
    return None


# -- each takes the layer and returns {field: (roles, shape)} and the number of groups --------------------------------

def _linear(layer: Any) -> _Described:
    return {"kernel": ("io", (layer.in_features, layer.out_features))}, 1


def _linear_general(layer: Any) -> _Described:
    batch, ins, outs = tuple(layer.batch_axis.values()), tuple(layer.in_features), tuple(layer.out_features)
    return {"kernel": ("b" * len(batch) + "i" * len(ins) + "o" * len(outs), batch + ins + outs)}, 1


def _einsum(layer: Any) -> _Described:
    operands, result = layer.einsum_str.replace(" ", "").split("->")
    inputs, kernel = operands.split(",")
    roles = "".join("b" if index in inputs and index in result else "i" if index in inputs else "o" for index in kernel)
    return {"kernel": (roles, layer.kernel_shape)}, 1


def _flax_conv(layer: Any) -> _Described:
    roles = "oi" if getattr(layer, "transpose_kernel", False) else "io"
    kernel = "k" * (len(layer.kernel_shape) - 2)
    return {"kernel": (kernel + roles, layer.kernel_shape)}, getattr(layer, "feature_group_count", 1)


def _embed(layer: Any) -> _Described:
    return {"embedding": ("oi", (layer.num_embeddings, layer.features))}, 1  # as flax counts in its own default


def _equinox_linear(layer: Any) -> _Described:
    shape = [1 if features == "scalar" else features for features in (layer.out_features, layer.in_features)]
    return {"weight": ("oi", shape)}, 1


def _equinox_conv(layer: Any) -> _Described:
    # a transposed one's too: its weight is that of the convolution over the dilated input
    shape = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
    return {"weight": ("oi" + "k" * len(layer.kernel_size), shape)}, layer.groups


def _equinox_embedding(layer: Any) -> _Described:
    return {"weight": ("oi", (layer.num_embeddings, layer.embedding_size))}, 1


def _equinox_cell(gates: int) -> Callable[[Any], _Described]:
    return lambda cell: ({"weight_ih": ("oi", (gates * cell.hidden_size, cell.input_size)),
                          "weight_hh": ("oi", (gates * cell.hidden_size, cell.hidden_size))}, 1)


_NORMS = {(library, norm) for library in ("flax", "equinox")
          for norm in ("LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm", "InstanceNorm")}
_NORM = {"scale": Constant(1.0), "weight": Constant(1.0), "bias": Constant(0.0),  # flax says scale, equinox weight
         "mean": Constant(0.0), "var": Constant(1.0)}  # flax' running statistics
_KNOWN: dict[tuple[str, str], Callable[[Any], _Described]] = {
    ("flax", "Linear"): _linear, ("flax", "LinearGeneral"): _linear_general, ("flax", "Einsum"): _einsum,
    ("flax", "Conv"): _flax_conv, ("flax", "ConvTranspose"): _flax_conv, ("flax", "Embed"): _embed,
    ("equinox", "Linear"): _equinox_linear, ("equinox", "Conv"): _equinox_conv,
    ("equinox", "ConvTranspose"): _equinox_conv, ("equinox", "Embedding"): _equinox_embedding,
    ("equinox", "GRUCell"): _equinox_cell(3), ("equinox", "LSTMCell"): _equinox_cell(4),
}
