"""The numbers that a rule set's expressions may use: given, read from the model's own config, or a default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from .._errors import FaninTypeError, FaninValueError, shown
from .._json import check_values

_KEYS = ("default", "config", "meaning", "value", "source")
_INNER = ("text_config", "llm_config", "language_config")  # of models that have a language model inside
GIVEN = "given"


class Variable(NamedTuple):
    """A number by its name in expressions.

    Attributes:
        value: what it stands for; None where nothing told it yet.
        source: where the value is from: "given", "default", or the key of the model's config.
        config: the keys of a model's config that tell it, the first one that is there.
        meaning: what it is, in words.
        default: where nothing else tells it.
    """

    value: float | None = None
    source: str = GIVEN
    config: tuple[str, ...] = ()
    meaning: str = ""
    default: float | None = None

    def given(self, name: str, value: Any) -> Variable:
        """The same with a value from its user."""
        return self._replace(value=_number(name, value), source=GIVEN)

    def told_by(self, config: Mapping[str, Any]) -> Variable:
        """The same with what a model's config says, unless its user gave it."""
        if self.source != GIVEN:
            inner = [config[key] for key in _INNER if isinstance(config.get(key), Mapping)]
            for table in (config, *inner):
                for key in self.config:
                    value = table.get(key)
                    if _is_number(value) or isinstance(value, bool):  # a switch is 0 or 1
                        return self._replace(value=float(value) if isinstance(value, bool) else value,
                                             source=f"config.{key}")
        return self

    def to_json(self) -> Any:
        """A number, or a table for one that has more to say than that it was given."""
        if self == Variable(self.value):
            return self.value
        told = {"value": self.value, "source": self.source} if self.source not in ("default", "") else {}
        fields = {"default": self.default, "config": list(self.config), "meaning": self.meaning, **told}
        return {key: value for key, value in fields.items() if value not in (None, [], "")}


def read_variables(variables: Any) -> dict[str, Variable]:
    """{name: Variable} of a table of numbers, or of tables with `default`, `config` and `meaning`."""
    if not isinstance(variables, Mapping):
        raise FaninTypeError(f"`variables` must be a table of numbers (got {shown(variables)})")
    check_values(dict(variables), "`variables`")
    for name in variables:
        if not isinstance(name, str) or not name.isidentifier():
            raise FaninValueError(f"`variables` must have names that expressions can use (got {name!r})")
    return {name: _read(name, value) for name, value in variables.items()}


def _read(name: str, value: Any) -> Variable:
    if isinstance(value, Variable):
        return value
    if not isinstance(value, Mapping):
        return Variable(_number(name, value))
    for key in value:
        if key not in _KEYS:
            raise FaninValueError(f"a variable may have {', '.join(_KEYS)} only (got {key!r} of {name})")
    keys = value.get("config", [])
    keys = [keys] if isinstance(keys, str) else keys
    if not isinstance(keys, (list, tuple)) or not all(isinstance(each, str) for each in keys):
        raise FaninTypeError(f"`config` of a variable must be keys of a model's config (got {name} = {shown(value)})")
    default = None if value.get("default") is None else _number(name, value["default"])
    told = _number(name, value["value"]) if value.get("value") is not None else default
    source = str(value.get("source", GIVEN if value.get("value") is not None else "" if default is None else "default"))
    return Variable(told, source, tuple(keys), str(value.get("meaning", "")), default)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _number(name: str, value: Any) -> float:
    if not _is_number(value):
        raise FaninValueError(f"`variables` must be finite numbers (got {name} = {value!r})")
    return value
