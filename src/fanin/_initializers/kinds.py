"""What a parameter's annotation, or else its default, says of its values: how "inf", [re, im] or "sum" are read."""

from __future__ import annotations

import enum
import inspect
import numbers
import typing
from collections.abc import Iterable
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """How the values of one parameter are read from JSON."""

    is_text: bool = False  # "inf" is the string
    has_complex: bool = False  # [re, im] is a number
    choices: tuple[type[enum.Enum], ...] = ()  # "sum" is the member with that value

    def member(self, value: Any) -> Any:
        """The member of the enumerations that has this value, or the value itself."""
        for choice in self.choices:
            try:
                return choice(value)
            except ValueError:
                continue
        return value


UNKNOWN = Kind()


def kind_of(parameter: inspect.Parameter, names: dict[str, Any]) -> Kind:
    """The kind of a constructor's parameter; `names` are the globals that its annotation was written with."""
    leaves = _leaves_of_annotation(_evaluated(parameter.annotation, names)) or _leaves_of_value(parameter.default)
    text = any(issubclass(leaf, str) for leaf in leaves)
    return Kind(
        is_text=text and not any(issubclass(leaf, numbers.Number) for leaf in leaves),
        has_complex=any(issubclass(leaf, complex) or leaf in (numbers.Complex, numbers.Number) for leaf in leaves),
        choices=tuple(leaf for leaf in leaves if issubclass(leaf, enum.Enum) and len(leaf)))


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # the class's own source, as typing.get_type_hints does it
    except Exception:  # a name that exists for type checkers only
        return inspect.Parameter.empty


def _leaves_of_annotation(annotation: Any) -> dict[type, None]:
    """The classes that an annotation is made of, in order, without containers' and `Any`."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return dict.fromkeys(map(type, arguments))
    if arguments:
        return _merged(map(_leaves_of_annotation, arguments))
    known = isinstance(annotation, type) and annotation not in (inspect.Parameter.empty, type(None))
    return {annotation: None} if known else {}


def _leaves_of_value(value: Any) -> dict[type, None]:
    if isinstance(value, (list, tuple)):
        return _merged(map(_leaves_of_value, value))
    if isinstance(value, dict):
        return _leaves_of_value(list(value.values()))
    return {} if value is None or value is inspect.Parameter.empty else {type(value): None}


def _merged(leaves: Iterable[dict[type, None]]) -> dict[type, None]:
    return dict.fromkeys(leaf for each in leaves for leaf in each)
