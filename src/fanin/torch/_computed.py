"""Tensors that a module computes from others before it uses them: what is registered, and the way back to it.

torch has two ways: parametrizations, and the hooks that came before them (`torch.nn.utils.weight_norm`,
`torch.nn.utils.spectral_norm`, `torch.nn.utils.prune`), which leave the computed tensor as a plain attribute.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from .._errors import FaninTypeError, a_type

Tensors: TypeAlias = dict[str, torch.Tensor]
Normal: TypeAlias = Callable[[str, tuple[int, ...]], torch.Tensor]  # a standard normal draw: (what for, shape)

ITERATIONS = 15  # of the power method, as torch's spectral_norm does when a weight gets it


class Computed(abc.ABC):
    """A computed tensor.

    Attributes:
        kinds: what it is computed by, for messages: "WeightNorm".
        originals: the keys of the registered tensors that a draw decides.
        state: the keys of those that follow from these: a spectral norm's vectors.
        buffer: whether it was a buffer before it was computed.
    """

    buffer = False
    kinds: str
    originals: list[str]
    state: list[str]

    @abc.abstractmethod
    def registered(self) -> Tensors:
        """All registered tensors that it is computed from, as they are now; the originals first."""

    @abc.abstractmethod
    def compute(self, tensors: Tensors) -> torch.Tensor:
        """The tensor that is made of these, without a side effect: a spectral norm's iteration stays."""

    @abc.abstractmethod
    def invert(self, value: torch.Tensor, normal: Normal) -> list[torch.Tensor]:
        """The originals, then the state, of which `compute` makes `value`, or what the computation makes of it."""

    def settle(self) -> None:  # noqa: B027  # parametrizations keep nothing
        """Bring what the module keeps of the computed tensor up to date."""


class Parametrized(Computed):
    """A tensor with torch's parametrizations."""

    def __init__(self, chain: Any) -> None:
        self._chain, self.buffer = chain, not chain._parameters
        self.kinds = ", ".join(type(each).__name__.lstrip("_") for each in chain)
        self.originals = ["original"] if chain.is_tensor else [f"original{i}" for i in range(chain.ntensors)]
        self.state = [f"{number}.{key}" for number, each in enumerate(chain)
                      if isinstance(each, parametrizations._SpectralNorm) for key in each._buffers]

    def registered(self) -> Tensors:
        tensors = {**dict(self._chain.named_parameters()), **dict(self._chain.named_buffers())}
        return {key: tensors[key] for key in self.originals} | tensors

    def compute(self, tensors: Tensors) -> torch.Tensor:
        training = [each for each in self._chain.modules() if each.training]
        try:
            for each in training:
                each.training = False
            result: torch.Tensor = torch.func.functional_call(self._chain, tensors)
            return result
        finally:
            for each in training:
                each.training = True

    def invert(self, value: torch.Tensor, normal: Normal) -> list[torch.Tensor]:
        new: Any = value
        state: list[torch.Tensor] = []
        for each in reversed(self._chain):
            if hasattr(each, "right_inverse"):
                with contextlib.suppress(NotImplementedError):  # then torch, too, takes it for the identity
                    new = each.right_inverse(new)
            if isinstance(each, parametrizations._WeightNorm):
                new = new[0], _with_directions(new[0], new[1], normal)
            if isinstance(each, parametrizations._SpectralNorm) and each._buffers:
                state = [*_singular_vectors(each._reshape_weight_to_matrix(new), each.eps, normal), *state]
        return [new, *state] if isinstance(new, torch.Tensor) else [*new, *state]


class Hooked(Computed):
    """A tensor that a hook computes before each forward pass."""

    originals_end, state_end = ["_orig"], []  # the ends of the keys

    def __init__(self, module: nn.Module, hook: Any) -> None:
        self.module, self.hook, self.kinds = module, hook, type(hook).__name__
        self.name: str = hook._tensor_name if isinstance(hook, prune.BasePruningMethod) else hook.name
        self.originals = [self.name + end for end in self.originals_end]
        self.state = [self.name + end for end in self.state_end]
        for key in self.originals:
            if module._parameters.get(key) is None:
                raise FaninTypeError(f"`module` must compute a weight in one step (in {a_type(module)} "
                                     f"{self.kinds} computes {self.name!r} from {key!r}, which is computed itself): "
                                     "initialize it before it gets these hooks")

    def registered(self) -> Tensors:
        return {key: getattr(self.module, key) for key in (*self.originals, *self.state)}

    def settle(self) -> None:
        setattr(self.module, self.name, self.compute(self.registered()))


class _WeightNormed(Hooked):
    originals_end = ["_g", "_v"]

    def compute(self, tensors: Tensors) -> torch.Tensor:
        gains, directions = tensors.values()
        return torch._weight_norm(directions, gains, self.hook.dim)

    def invert(self, value: torch.Tensor, normal: Normal) -> list[torch.Tensor]:
        gains = torch.norm_except_dim(value, 2, self.hook.dim)
        return [gains, _with_directions(gains, value, normal)]


class _SpectralNormed(Hooked):
    state_end = ["_u", "_v"]

    def compute(self, tensors: Tensors) -> torch.Tensor:
        weight, u, v = tensors.values()
        return weight / torch.dot(u, torch.mv(self.hook.reshape_weight_to_matrix(weight), v))

    def invert(self, value: torch.Tensor, normal: Normal) -> list[torch.Tensor]:
        return [value, *_singular_vectors(self.hook.reshape_weight_to_matrix(value), self.hook.eps, normal)]


class _Pruned(Hooked):
    def registered(self) -> Tensors:
        return super().registered() | {self.name + "_mask": getattr(self.module, self.name + "_mask")}

    def compute(self, tensors: Tensors) -> torch.Tensor:
        weight, mask = tensors.values()
        return mask.to(weight.dtype) * weight

    def invert(self, value: torch.Tensor, normal: Normal) -> list[torch.Tensor]:
        return [value]


_HOOKS: list[tuple[type, type[Hooked]]] = [
    (WeightNorm, _WeightNormed), (SpectralNorm, _SpectralNormed), (prune.BasePruningMethod, _Pruned)]


def may_compute(module: nn.Module) -> bool:
    """Whether `computed_tensors` can find any: few modules have what these are made by."""
    return bool(module._forward_pre_hooks) or is_parametrized(module)


def computed_tensors(module: nn.Module) -> Iterator[tuple[str, Computed]]:
    """(key, how it is computed) of the tensors that a module itself computes."""
    if is_parametrized(module):
        for key, chain in module.parametrizations.items():
            yield key, Parametrized(chain)
    for hook in module._forward_pre_hooks.values():
        for kind, computed in _HOOKS:
            if isinstance(hook, kind):
                found = computed(module, hook)
                yield found.name, found


def is_parametrized(module: nn.Module) -> bool:
    """As torch's own, which takes ten times as long to say no."""
    return "parametrizations" in module._modules and bool(parametrize.is_parametrized(module))


def _with_directions(gains: torch.Tensor, value: torch.Tensor, normal: Normal) -> torch.Tensor:
    """The directions of a weight norm: `value`, but a random one where the gain is zero.

    A weight is gain·direction/|direction|: any direction makes zero of a zero gain, but for zero, which makes NaN.
    """
    if bool((gains != 0).all()):
        return value
    return torch.where(gains == 0, normal("_v", tuple(value.shape)), value)


def _singular_vectors(matrix: torch.Tensor, eps: float, normal: Normal) -> list[torch.Tensor]:
    """The first left and right singular vectors, nearly, by the power method from a start that the seed decides."""
    wide = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    left = nn.functional.normalize(normal("_u", (len(matrix),)).to(wide.dtype), dim=0, eps=eps)
    for _ in range(ITERATIONS):
        right = nn.functional.normalize(wide.mH @ left, dim=0, eps=eps)
        left = nn.functional.normalize(wide @ right, dim=0, eps=eps)
    return [left.to(matrix.dtype), right.to(matrix.dtype)]
