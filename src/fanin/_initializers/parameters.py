"""A scheme's parameters: those that its class takes, as the constructor's signature has them, and those it holds."""

from __future__ import annotations

import dataclasses
import inspect
import weakref
from typing import TYPE_CHECKING, Any

from .._errors import FaninAttributeError, FaninTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import Initializer

REQUIRED = ...  # stands for the default of a parameter that has none

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
# Class -> its constructor when it was read, and what was read: a decorator may put another in its place.
_read: weakref.WeakKeyDictionary[type, tuple[Callable[..., Any], dict[str, inspect.Parameter]]]
_read = weakref.WeakKeyDictionary()


def signature(cls: type[Initializer]) -> dict[str, inspect.Parameter]:
    """The constructor's parameters by name, in order.

    Raises:
        FaninTypeError: one of them can't be passed by name, so no config could have an entry for it.
    """
    init = cls.__init__
    if cls not in _read or _read[cls][0] is not init:
        _read[cls] = init, {} if init is object.__init__ else _parameters(cls)
    return _read[cls][1]


def _parameters(cls: type[Initializer]) -> dict[str, inspect.Parameter]:
    first, *others = inspect.signature(cls.__init__).parameters.values()
    if any(parameter.kind not in _BY_NAME for parameter in (*([] if first.kind in _BY_NAME else [first]), *others)):
        raise FaninTypeError(f"{cls.__name__}.__init__ must name each of its parameters: a config has one entry for "
                             "each (a decorator keeps the names with functools.wraps)")
    return {parameter.name: parameter for parameter in others}


def defaults(cls: type[Initializer]) -> dict[str, Any]:
    """The constructor's parameters in order, each with its default, or `REQUIRED` where it has none."""
    made_anew = {field.name: field.default_factory() for field in getattr(cls, "__dataclass_fields__", {}).values()
                 if field.default_factory is not dataclasses.MISSING}
    return {name: REQUIRED if parameter.default is parameter.empty else made_anew.get(name, parameter.default)
            for name, parameter in signature(cls).items()}


def values(scheme: Initializer) -> dict[str, Any]:
    """The parameters that a scheme was made with, in order.

    Raises:
        FaninAttributeError: the constructor did not store one of them under its own name.
    """
    try:
        return {name: getattr(scheme, name) for name in signature(type(scheme))}
    except AttributeError as error:
        raise FaninAttributeError(f"{type(scheme).__name__}.__init__ must store each argument under its own name: "
                                  f"{error}") from None
