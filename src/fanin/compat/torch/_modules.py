"""`reset_parameters`: a module's parameters as constructing it under a seed makes them, by torch's own code.

Layers' own `reset_parameters` runs, whatever torch's release; what it draws is drawn here instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ..._errors import FaninTypeError, FaninValueError, a_type, missing_dependency, shown, with_article
from . import _functions
from ._generator import Generator

if TYPE_CHECKING:
    import torch


def reset_parameters(module: torch.nn.Module, generator: Generator) -> torch.nn.Module:
    """Give parameters the values that constructing the module after `torch.manual_seed` gives. Returns the module.

    The generator goes on as torch's would: modules made one after another are reset one after another. A module that
    was made on the meta device gets memory on the CPU.

    torch.nn's own layers are reset in the order in which torch constructs them, as are Sequential, ModuleList and
    ModuleDict. A class of your own only says what its parts are, not when they were made: its children are taken in the
    order in which they are registered, which is that of construction unless `__init__` makes a layer before and assigns
    it after another. It is refused where that can't be all: where it has parameters or buffers of its own, or a tensor
    that two layers share. A draw of your own in `__init__`, and an initialization after it (`model.apply`, pretrained
    weights), are yours to repeat.

    Args:
        module: of parameters on the CPU or on meta, in the dtype that they were constructed in.
        generator: a `Generator`, not a torch.Generator: `Generator.follow` makes one of that.

    Raises:
        FaninTypeError: not a module, or not a Generator. FaninValueError: a part whose construction can't be known.
            Nothing was changed then.

    >>> import torch
    >>> reset_parameters(torch.nn.Linear(2, 1), Generator().manual_seed(0)).weight
    Parameter containing:
    tensor([[-0.0053,  0.3793]], requires_grad=True)
    """
    try:
        import torch
    except ImportError as error:
        raise missing_dependency("reset_parameters", "torch", "torch") from error

    if not isinstance(module, torch.nn.Module):
        raise FaninTypeError(f"`module` must be a torch.nn.Module (got {shown(module, 100)}, {a_type(module)})")
    if not isinstance(generator, Generator):
        raise FaninTypeError("`generator` must be a fanin.compat.torch.Generator (got "
                             f"{shown(generator, 100)}, {a_type(generator)}): Generator().manual_seed(seed), or "
                             "Generator.follow(torch_generator)")
    steps = list(_steps(module, "", set()))
    _materialize(module)
    with torch.no_grad(), _redirect(generator):
        for step in steps:
            step()
    return module


def _refuse(name: str, why: str) -> NoReturn:
    raise FaninValueError("`module` must be made of torch.nn's layers and of classes without parameters of their own "
                          f"(got {name or 'the module itself'}, {why}): reset its parts one by one, in the order in "
                          "which they are made")


def _steps(module: torch.nn.Module, name: str, seen: set[int]) -> Iterator[Callable[[], None]]:
    """What constructing the module does to its parameters, one call after another; refusals come first."""
    import torch

    if id(module) in seen:  # the same module in two places is constructed once
        return
    seen.add(id(module))
    kind = type(module)
    own = [*module._parameters.values(), *module._buffers.values()]
    for tensor in own:
        if tensor is None:
            continue
        if id(tensor) in seen:
            _refuse(name, "which shares a tensor with another layer, and either may have drawn it")
        seen.add(id(tensor))
        if torch.nn.parameter.is_lazy(tensor):
            _refuse(name, f"{with_article(kind.__name__)}, which has no shape before the first forward pass")
        if tensor.device.type not in ("cpu", "meta"):
            _refuse(name, f"on {tensor.device}")
    of_torch = kind.__module__.startswith("torch.nn.modules.")
    if not of_torch and any(tensor is not None for tensor in own):
        _refuse(name, f"{with_article(kind.__name__)}, which has parameters or buffers of its own")
    if any(key.endswith("_orig") or key.endswith("_g") and f"{key[:-2]}_v" in module._parameters
           for key in module._parameters):
        _refuse(name, "whose weight is normalized or pruned")
    if isinstance(module, (torch.nn.ParameterList, torch.nn.ParameterDict)):
        _refuse(name, f"{with_article(kind.__name__)}, whose parameters were made elsewhere")
    children = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
    if of_torch and isinstance(module, (torch.nn.TransformerEncoder, torch.nn.TransformerDecoder)):
        yield from _copied_layers(module, name, seen)
        children = [(key, child) for key, child in children if child is not module.layers]
    for key, child in children:
        yield from _steps(child, key, seen)
    reset = getattr(module, "_reset_parameters", None) or getattr(module, "reset_parameters", None)
    if of_torch and reset is not None and not isinstance(module, torch.nn.AdaptiveLogSoftmaxWithLoss):
        yield reset
    elif of_torch and any(parameter is not None for parameter in module._parameters.values()):
        _refuse(name, f"{with_article(kind.__name__)}, whose parameters torch gives no values")


def _copied_layers(module: torch.nn.Module, name: str, seen: set[int]) -> Iterator[Callable[[], None]]:
    """A transformer's stack: its first layer is constructed, the others are copies of it."""
    first, *others = module.layers
    yield from _steps(first, f"{name}.layers.0", seen)
    for k, other in enumerate(others, 1):
        for _ in _steps(other, f"{name}.layers.{k}", seen):  # checked, not done
            pass
        yield functools.partial(_copy, first, other)


def _copy(source: torch.nn.Module, target: torch.nn.Module) -> None:
    for mine, other in zip(target.parameters(), source.parameters(), strict=True):
        mine.copy_(other)


def _materialize(module: torch.nn.Module) -> None:
    """Give tensors on meta memory on the CPU. Layers of torch's fill their buffers when they are reset."""
    import torch

    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None and parameter.is_meta:
                made = torch.empty_like(parameter, device="cpu")
                setattr(part, name, torch.nn.Parameter(made, parameter.requires_grad))
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_meta:
                setattr(part, name, torch.empty_like(buffer, device="cpu"))


def _redirect(generator: Generator) -> Any:
    """A context in which torch's random fills of tensors draw from the generator."""
    import torch

    fills = {torch.Tensor.uniform_: _functions.uniform_, torch.Tensor.normal_: _functions.normal_}
    fills |= {getattr(torch.nn.init, name): getattr(_functions, name)
              for name in ("uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_")}

    class Redirect(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            if function in fills:
                return fills[function](*args, **kwargs | {"generator": generator})
            return function(*args, **kwargs)

    return Redirect()
