"""What torch's layers say of their parameters: the roles of the axes, groups, fans where the shape can't tell them.

torch counts fans from the shape alone, which is wrong for transposed and grouped convolutions and for stacked
projections (pytorch #23854); the layer's type knows better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm

from .._initializers import Constant, MambaDtBias
from ..rules import Layer
from ._experts import experts_layout
from ._norms import ONES, ZEROS, Norms

# Where torch makes a class on the fly, a parametrized or sharded Linear stays a Linear.
_MADE_BY_TORCH = ("torch.nn.utils.parametrize", "torch.distributed.")


_Describe = Callable[[Any, str], dict[str, Any]]  # (module, key of a parameter) -> fields of a `Layer`


class Layers:
    """The layers of one model, which has many of a few types: what a type tells is looked up once."""

    def __init__(self, module: nn.Module) -> None:
        self._kinds: dict[type, tuple[tuple[str, ...], _Describe | None]] = {}
        self._alike: dict[tuple[type, str], Layer] = {}  # of types that describe all their modules alike
        self._norms = Norms()
        modules = list(module.modules())
        self._in_transformers = {id(part) for whole in modules if isinstance(whole, nn.Transformer)
                                 for stack in (whole.encoder, whole.decoder) for part in stack.modules()}
        self._time_steps = _time_steps(modules)

    def find(self, module: Any, key: str, rank: int) -> Layer:
        """The `Layer` of the parameter (or buffer) `module.<key>`, which has `rank` axes."""
        kind = type(module)
        if kind not in self._kinds:
            describe = next((describe for base, describe in _FACTS if issubclass(kind, base)), None)
            self._kinds[kind] = _type_names(kind), describe
        types, describe = self._kinds[kind]
        layer = self._alike.get((kind, key))
        if layer is None:
            layer = _unknown(module, key, rank, types) if describe is None else Layer(types, **describe(module, key))
            if describe in _ALIKE:
                self._alike[kind, key] = layer
        if describe is None or describe is _norm and kind.forward not in _NORMS:
            layer = layer._replace(start=self._norms.starts(module).get(key, layer.start))
        if id(module) in self._in_transformers:  # which redraws what its layers have drawn
            layer = layer._replace(types=(*types, f"{types[0]} in torch.nn.Transformer"))
        steps = self._time_steps.get((id(module), key))
        return layer if steps is None else layer._replace(start=steps)


def _time_steps(modules: Iterable[nn.Module]) -> dict[tuple[int, str], MambaDtBias]:
    """{(id of a layer, key): the start} of the biases of time steps whose state-space mixer says their range."""
    starts = {}
    for mixer in modules:
        if "A_log" not in mixer._parameters:
            continue
        known: list[Any] = [getattr(mixer, key, getattr(getattr(mixer, "config", None), key, None))
                            for key in ("time_step_min", "time_step_max", "time_step_floor")]
        if all(isinstance(each, float) for each in known):
            places = (mixer, "dt_bias"), (mixer, "dt_proj_bias"), (mixer._modules.get("dt_proj"), "bias")
            starts |= {(id(owner), key): MambaDtBias(*known) for owner, key in places}
    return starts


def _unknown(module: Any, key: str, rank: int, types: tuple[str, ...]) -> Layer:
    """The layer of a class that is not torch's."""
    if "Conv1D" in types and key == "weight" and hasattr(module, "nf"):  # transformers': a Linear stored as (in, out)
        return Layer(types, "io*")
    return Layer(types, experts_layout(module, key) if rank == 3 else None)


def _type_names(kind: type) -> tuple[str, ...]:
    """The names of a module's type and of its bases before nn.Module, the most derived first."""
    names = []
    for base in kind.__mro__:
        if base in (nn.Module, object):
            break
        if not base.__module__.startswith(_MADE_BY_TORCH):
            names.append(base.__name__)
    return tuple(names)


def _linear(module: Any, key: str) -> dict[str, Any]:
    return {"layout": "oi*"} if key == "weight" else {}


def _bilinear(module: Any, key: str) -> dict[str, Any]:
    return {"layout": "oii"} if key == "weight" else {}


def _conv(module: Any, key: str) -> dict[str, Any]:
    return {"layout": "oi*", "groups": module.groups} if key == "weight" else {}


def _conv_transpose(module: Any, key: str) -> dict[str, Any]:
    return {"layout": "io*", "groups": module.groups, "transposed": True} if key == "weight" else {}


def _embedding(module: Any, key: str) -> dict[str, Any]:
    # A row is an output, looked up: fan_in is its length, as in torch and flax (Keras counts the rows).
    return {"layout": "oi*", "padding_idx": module.padding_idx} if key == "weight" else {}


def _attention(module: Any, key: str) -> dict[str, Any]:
    if key == "in_proj_weight":  # query, key and value stacked: each maps embed_dim to embed_dim
        return {"layout": "oi*", "fan_in": module.embed_dim, "fan_out": module.embed_dim}
    return {"layout": "oi*"} if key in ("q_proj_weight", "k_proj_weight", "v_proj_weight") else {}


def _recurrent(module: Any, key: str) -> dict[str, Any]:
    if key.startswith(("weight_ih", "weight_hh")):  # the gates are stacked: each has hidden_size outputs
        return {"layout": "oi*", "fan_out": module.hidden_size}
    return {"layout": "oi*"} if key.startswith("weight_hr") else {}


def _norm(module: Any, key: str) -> dict[str, Any]:
    return {"start": ONES if key in ("weight", "running_var") else ZEROS}


def _prelu(module: Any, key: str) -> dict[str, Any]:
    return {"start": _SLOPE} if key == "weight" else {}


_SLOPE = Constant(0.25)
_NORM_TYPES = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, _NormBase)
_NORMS = {kind.forward for kind in (*_NORM_TYPES, _BatchNorm, _InstanceNorm, nn.SyncBatchNorm)}
_ALIKE: set[_Describe | None] = {_linear, _bilinear, _norm, _prelu}  # they ask nothing of the module
_FACTS: list[tuple[Any, _Describe]] = [
    (nn.Linear, _linear),
    (nn.Bilinear, _bilinear),
    (_ConvTransposeNd, _conv_transpose),
    (_ConvNd, _conv),
    ((nn.Embedding, nn.EmbeddingBag), _embedding),
    (nn.MultiheadAttention, _attention),
    ((nn.RNNBase, nn.RNNCellBase), _recurrent),
    (_NORM_TYPES, _norm),
    (nn.PReLU, _prelu),
]
