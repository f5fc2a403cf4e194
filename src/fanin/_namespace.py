"""What a public module offers when it is asked: the names in its `dir()`, and those that load with their first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._errors import FaninAttributeError, FaninError


def listing(namespace: Mapping[str, Any], others: Iterable[str] = ()) -> Callable[[], list[str]]:
    """A module's `__dir__`: what its `__all__` has, `others` (modules in it), and what Python itself puts there."""

    def __dir__() -> list[str]:
        pythons = (name for name in namespace if name.startswith("__") and name != "__getattr__")
        return sorted({*namespace["__all__"], *others, *pythons})

    return __dir__


def on_demand(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__`: names to the modules, relative to it, that they are or that have them.

    A module that can't be imported here is an attribute that isn't there, for `hasattr`, `help` and TAB's sake; the
    error says what to install. `import fanin.torch` raises the ImportError itself.
    """

    def __getattr__(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place = places[name]
        try:
            module = importlib.import_module(place, package)
        except FaninError as error:
            raise FaninAttributeError(str(error)) from error
        except Exception as error:  # a framework raises what it likes: Keras, where its backend is missing
            raise FaninAttributeError(f"{package}.{name} can't be imported here ({type(error).__name__}: {error}): "
                                      f"`import {package}.{name}` shows where") from error
        return module if place == f".{name}" else getattr(module, name)

    return __getattr__
