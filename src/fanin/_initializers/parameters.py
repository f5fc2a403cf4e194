"""A scheme's parameters: those that its class takes, as the constructor's signature has them, and those it holds."""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any

from .._errors import FaninAttributeError, FaninTypeError
from .kinds import Kind, kind_of
from .values import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from .data import Scheme

REQUIRED = ...  # stands for the default of a parameter that has none

# What a parameter can't be called, since it is something else in every config or scheme: see also base.py.
TAKEN = {"scheme", "version"}

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_read: weakref.WeakKeyDictionary[Callable[..., Any], dict[str, inspect.Parameter]]  # by constructor
_read = weakref.WeakKeyDictionary()


def signature(cls: type[Any]) -> dict[str, inspect.Parameter]:
    """The constructor's parameters by name, in order.

    Raises:
        FaninTypeError: one of them can't be passed by name, or has a name that means something else.
    """
    init = cls.__init__
    if init is object.__init__:
        if any("__new__" in vars(base) for base in cls.__mro__[:-1]):  # the last is object
            raise FaninTypeError(f"{cls.__name__} must take its parameters in __init__, whose names its config has "
                                 "(got a class with __new__ alone)")
        return {}
    if init not in _read:
        _read[init] = _parameters(cls)
    return _read[init]


def _parameters(cls: type[Any]) -> dict[str, inspect.Parameter]:
    parameters = list(inspect.signature(cls.__init__).parameters.values())
    if parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]  # self
    for parameter in parameters:
        if parameter.kind not in _BY_NAME:
            raise FaninTypeError(f"{cls.__name__}.__init__ must name each of its parameters, for a config has an entry "
                                 f"for each (got {parameter}): a decorator keeps the names with functools.wraps")
        if parameter.name in TAKEN:
            raise FaninTypeError(f"{cls.__name__}.__init__ must not have a parameter {parameter.name!r}, which every "
                                 "scheme or its config has already: choose another name")
    fields = getattr(cls, "__dataclass_fields__", {})
    for name, each in fields.items():
        if "INITVAR" in repr(each._field_type):
            raise FaninTypeError(f"{cls.__name__} must keep each of its parameters (got {name!r}, an InitVar): make it "
                                 "a field")
    return {parameter.name: parameter for parameter in parameters}


def defaults(cls: type[Any]) -> dict[str, Any]:
    """The constructor's parameters in order, each with its default, or `REQUIRED` where it has none."""
    made_anew = {field.name: field.default_factory() for field in getattr(cls, "__dataclass_fields__", {}).values()
                 if callable(field.default_factory)}
    return {name: REQUIRED if parameter.default is parameter.empty else made_anew.get(name, parameter.default)
            for name, parameter in signature(cls).items()}


def values(scheme: Scheme) -> dict[str, Any]:
    """The parameters that a scheme was made with, in order.

    Raises:
        FaninAttributeError: the constructor did not store one of them under its own name.
    """
    return {name: value(scheme, name) for name in signature(type(scheme))}


def value(scheme: Scheme, name: str) -> Any:
    """One of `values`."""
    try:
        return getattr(scheme, name)
    except AttributeError as error:
        raise FaninAttributeError(f"{type(scheme).__name__}.__init__ must store each argument under its own name: "
                                  f"{error}") from None


def changed(scheme: Scheme, args: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether a constructor has stored a parameter in another form than it was given it, or than its default."""
    known = signature(type(scheme))
    given = {name: parameter.default for name, parameter in known.items()} | dict(zip(known, args)) | keywords
    return not all(_same(value(scheme, name), given[name]) for name in known)


def _same(stored: Any, given: Any) -> bool:
    return stored is given or (type(stored) is type(given) and type(stored) in PLAIN and stored == given)


def kind(cls: type[Any], name: str) -> Kind:
    """How the values of one of the class's parameters are read from JSON."""
    written = inspect.unwrap(cls.__init__)
    return kind_of(signature(cls)[name], getattr(written, "__globals__", {}))
