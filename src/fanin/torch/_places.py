"""Where the tensors of a module are, under canonical names: the same for a plain, wrapped or parametrized module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from .._errors import FaninTypeError, FaninValueError, a_type, listed, shown
from ._computed import Computed, Hooked, computed_tensors, is_parametrized, may_compute
from ._forms import check_form
from ._loaded import classes
from ._peft import WRAPPERS, Follower, check_adapters, followers, has_adapters
from ._sharded import PLAIN

# Wrappers that hold the module they wrap under a name of their own: (where the type is defined, it, that name). An
# object can be an instance only if its type is loaded already.
_TORCHS = [
    ("torch._dynamo.eval_frame", "OptimizedModule", "_orig_mod"),
    ("torch.distributed.algorithms._checkpoint.checkpoint_wrapper", "ActivationWrapper", "_checkpoint_wrapped_module"),
    ("torch.nn.parallel.distributed", "DistributedDataParallel", "module"),
    ("torch.nn.parallel.data_parallel", "DataParallel", "module"),
]
_WRAPPERS = [*_TORCHS, *WRAPPERS]


class Place(NamedTuple):
    """One tensor of a module tree: what is registered, or computed, under `key` in `owner`, and its canonical name."""

    name: str
    owner: nn.Module
    key: str
    buffer: bool = False
    persistent: bool = True
    computed: Computed | None = None
    follows: Follower | None = None

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor that is there now; of a computed one the (first) original that it is computed from."""
        if self.computed is not None:
            return next(iter(self.computed.registered().values()))
        tensor = (self.owner._buffers if self.buffer else self.owner._parameters)[self.key]
        assert tensor is not None
        return tensor

    def spec(self) -> torch.Tensor:
        """A tensor of the place's shape and dtype: the registered one, or what is computed."""
        if self.computed is None:
            return self.tensor
        tensors = self.computed.registered()
        with torch.no_grad():
            try:  # on meta, where nothing is computed
                return self.computed.compute({key: each.detach().to("meta") for key, each in tensors.items()})
            except (RuntimeError, NotImplementedError):  # it has tensors of its own that are nowhere registered
                return self.computed.compute(tensors)


class _Inner(dict[type, "str | None"]):
    """{type of a module: the name under which it holds the module that it wraps}; None of a type that wraps none."""

    def __missing__(self, kind: type) -> str | None:
        self[kind] = _inner(kind, _WRAPPERS)
        return self[kind]


def _inner(kind: type, wrappers: Iterable[tuple[str, str, str]]) -> str | None:
    return next((inner for where, name, inner in wrappers if issubclass(kind, classes(where, name))), None)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module in torch's own wrappers: it computes the same, alone. (A wrapper of peft's does work of its own.)"""
    inner = _inner(type(module), _TORCHS)
    return module if inner is None else unwrapped(module._modules[inner])


def modules(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """(canonical prefix, module) of each module, parents first; one that is shared comes at each of its places."""
    return _modules(module, prefix, prefix, _Inner())


def _modules(module: nn.Module, prefix: str, beside: str, wrappers: _Inner) -> Iterator[tuple[str, nn.Module]]:
    """`beside` is the prefix of what a wrapper holds beside the module in it: of wrappers in each other another one."""
    inner = wrappers[type(module)]
    yield prefix if inner is None else beside, module
    for key, child in module._modules.items():
        if key == "parametrizations" and is_parametrized(module):
            for name, chain in child.items():
                for number, each in chain.named_children():
                    path = f"{prefix}parametrizations.{name}.{number}."
                    yield from _modules(each, path, path, wrappers)
        elif child is not None and key == inner:
            yield from _modules(child, prefix, f"{beside}{key}.", wrappers)
        elif child is not None:
            path = f"{prefix if inner is None else beside}{key}."
            yield from _modules(child, path, path, wrappers)


def transformers_models(module: nn.Module, method: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(canonical prefix, model) of each model of transformers in a module that has such a method."""
    kinds = classes("transformers.modeling_utils", "PreTrainedModel")
    if kinds:
        yield from ((path, part) for path, part in modules(module, prefix)
                    if isinstance(part, kinds) and hasattr(part, method))


def config_of(module: nn.Module) -> dict[str, Any]:
    """The model's own config as a table: the first that a module holds, as transformers' and many others do."""
    config = next((part.config for part in module.modules() if getattr(part, "config", None) is not None), None)
    if config is not None and hasattr(config, "to_dict"):
        config = config.to_dict()
    table = config if isinstance(config, Mapping) else getattr(config, "__dict__", {})
    return {key: value for key, value in table.items() if isinstance(key, str)}


def check_module(module: Any) -> None:
    """FaninTypeError for what is no module."""
    if not isinstance(module, nn.Module):
        raise FaninTypeError(f"`module` must be a torch.nn.Module (got {shown(module, 100)}, {a_type(module)})")


def places(module: nn.Module, prefix: str = "") -> list[Place]:
    """Each parameter and buffer at each of its places, in module order.

    Raises:
        FaninTypeError: not a module, or one in a form without layers. FaninValueError: a parameter has no shape yet.
    """
    check_module(module)
    check_form(module)
    check_adapters(module)
    located: list[Place] = []
    follows: dict[str, Follower] = {}
    adapted = has_adapters()
    for path, owner in modules(module, prefix):
        if adapted:
            follows |= followers(path, owner)
        computed = dict(computed_tensors(owner)) if may_compute(owner) else {}
        hidden = {key for each in computed.values() if isinstance(each, Hooked) for key in each.originals}
        for key, tensor in owner._parameters.items():
            if tensor is not None and key not in hidden:
                located.append(Place(path + key, owner, key))
        for key, tensor in owner._buffers.items():
            if tensor is not None:
                located.append(Place(path + key, owner, key, True, key not in owner._non_persistent_buffers_set))
        located += [Place(path + key, owner, key, each.buffer, computed=each) for key, each in computed.items()]
    if follows:
        located = [place._replace(follows=follows.get(place.name)) for place in located]
    lazy = [place.name for place in located if type(place.tensor) not in PLAIN and is_lazy(place.tensor)]
    if lazy:
        raise FaninValueError(f"`module` must know its shapes (got uninitialized {listed(lazy)}): run a batch "
                              "through the lazy modules first")
    return located
