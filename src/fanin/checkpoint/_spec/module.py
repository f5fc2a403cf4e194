"""torch modules as a description of a model: `package.module:name` or `path/to/file.py:name`, built on the meta device.

The code that is named is run, as `python -m` would run it; on meta no weight takes memory.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._errors import FaninError, FaninValueError, a_type, listed
from .spec import Spec, of_parameters

if TYPE_CHECKING:
    from torch import nn

_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_REFERENCE = re.compile(rf"(.*\.py|{_DOTTED}):{_DOTTED}")


def is_reference(source: str) -> bool:
    """Whether a text has the form of a reference, package.module:name or path/to/file.py:name."""
    return _REFERENCE.fullmatch(source) is not None


def read_module(source: str) -> Spec:
    """The `Spec` of the module that a reference names."""
    importlib.import_module("fanin.torch")  # before any code of the user's runs: it says so if torch is missing
    module = _build(source)
    try:
        return of_module(module)
    except FaninError as error:
        raise type(error)(f"{source}: {error}") from None


def of_module(module: nn.Module) -> Spec:
    """The tensors of a module's checkpoint: parameters and persistent buffers, ties once, with their layers."""
    from ...rules._slots import asked
    from ...torch._places import config_of
    from ...torch._slots import find_slots

    parameters = asked(find_slots(module, True, ""))
    return replace(of_parameters(parameters, _notes(module)), config=config_of(module))


def _build(source: str) -> nn.Module:
    import torch

    place, _, name = source.rpartition(":")
    with _imported(source, place) as named:
        for part in name.split("."):
            if not hasattr(named, part):
                raise FaninValueError(f"{source}: {place} must have {name!r} (it has no {part!r})")
            named = getattr(named, part)
        if isinstance(named, torch.nn.Module):
            return named
        if not callable(named):
            raise FaninValueError(f"{source}: must be a torch.nn.Module, or a function without arguments that returns "
                                  f"one (got {named!r:.100})")
        with reported(f"{source}: calling it, under torch.device('meta'),"), torch.device("meta"):
            module = named()
    if not isinstance(module, torch.nn.Module):
        raise FaninValueError(f"{source}: must return a torch.nn.Module (got {module!r:.100}, "
                              f"{a_type(module)})")
    return module


@contextlib.contextmanager
def reported(what: str) -> Iterator[None]:
    """What the user's code raises becomes a FaninValueError that begins with `what`."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a script may end itself
        raise FaninValueError(f"{what} raised {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _imported(source: str, place: str) -> Iterator[Any]:
    """The module; the folder of a file, or else the current one, is where it looks for imports first."""
    is_file = place.endswith(".py")
    if is_file and not os.path.isfile(place):
        raise FaninValueError(f"{source}: No such file: {place}")
    folder, name = os.path.dirname(os.path.abspath(place)) if is_file else os.getcwd(), place
    if is_file:
        name = os.path.basename(place).removesuffix(".py")
        while name in sys.modules:  # a file may be called as a module that others need
            name += "_"
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        with reported(f"{source}: importing {place}"):
            module = _run(name, place) if is_file else importlib.import_module(name)
        yield module
    finally:
        if is_file:
            sys.modules.pop(name, None)
        with contextlib.suppress(ValueError):  # the code may have taken it out
            sys.path.remove(folder)


def _run(name: str, path: str) -> types.ModuleType:
    module = sys.modules[name] = types.ModuleType(name)  # dataclasses look there
    module.__file__ = path
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), vars(module))
    return module


def _notes(module: nn.Module) -> Iterator[str]:
    """What the module's own state dict has otherwise."""
    from ...torch._places import places

    state = module.state_dict(keep_vars=True)
    extra = [name for name in state if name.rpartition(".")[2] == "_extra_state"]
    if extra:
        yield f"left out what is no tensor: {listed(extra, at_most=5)}"
    computed = sorted(place.name for place in places(module) if place.computed)
    if computed:
        yield "parametrized, normalized and pruned tensors are written as plain ones, to be loaded before that: " \
              f"{listed(computed, at_most=5)}"
