"""What a parameter is in its model, whatever its codebase calls it: told by its layer's type and a table of names."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .._errors import FaninTypeError, FaninValueError, hint, shown
from ._files import read_own_table
from ._parameter import NO_LAYER, Parameter

_KEYS = ("weight", "kernel", "scale", "gamma", "embedding", "embeddings")  # of plain layers, which say nothing
_SCALES = ("weight", "scale", "gamma")
_NORM_TYPE = re.compile(r"\w*Norm(?:alization|(?!al))\w*")  # a type's name; NormalNoise is none
_BIAS = "bias"
_EXPERTS = "experts"  # of the table: no role, but a property beside one
NORMS = ("norm", "last_norm_of_block")


class Role(NamedTuple):
    """What a parameter is.

    Attributes:
        name: one of `role_names`; empty where nothing tells it.
        experts: whether it belongs to the experts of a mixture.
    """

    name: str
    experts: bool = False

    def __str__(self) -> str:
        return f"{self.name}, experts" if self.experts else self.name


class Roles:
    """The roles of a model's parameters: first those that its user gave, then those that the table tells."""

    def __init__(self, given: Mapping[str, str], names: Iterable[str]) -> None:
        """`given` are {pattern: role}, as from `checked_roles`; `names` those of all parameters, which are siblings."""
        self._given = [(_pattern(match), role) for match, role in given.items()]
        self._names = names
        self._known: dict[str, Role] = {}

    def of(self, parameter: Parameter) -> Role:
        """The role of a parameter."""
        name = parameter.name
        if name not in self._known:
            self._known[name] = Role(self._name(parameter), not _table().experts.isdisjoint(_steps(name)))
        return self._known[name]

    def _name(self, parameter: Parameter) -> str:
        name = parameter.name
        path, _, key = name.rpartition(".")
        path = path if key in _KEYS else name
        for pattern, role in self._given:
            if pattern.fullmatch(name) or pattern.fullmatch(path):
                return role
        told = next((row.role for row in _rows(_tail(name)) if not self._has(row.without, name)), "")
        if told == _BIAS and len(parameter.shape) > 2:  # GPT-2's causal mask is called attn.bias
            return ""
        if is_norm_weight(parameter):
            return told if told in NORMS else NORMS[0]
        return told or _by_type((parameter.layer or NO_LAYER).types)

    def _has(self, sibling: tuple[str, ...], name: str) -> bool:
        """Whether the model has the parameter whose name ends like this, before its last step."""
        if not sibling:
            return False
        steps = name.split(".")
        return ".".join((*steps[:-1 - len(sibling)], *sibling, steps[-1])) in self._names


def role_of(name: str) -> str:
    """The role that a name alone tells, of a model whose other names are not known; empty where it tells none.

    >>> role_of("model.layers.3.self_attn.o_proj.weight")
    'attention_out'
    """
    return next((row.role for row in _rows(_tail(name))), "")


def is_norm_weight(parameter: Parameter) -> bool:
    """Whether it is what a norm multiplies by: told by its layer's type, or where there is none by the name."""
    layer, key = parameter.layer or NO_LAYER, parameter.name.rpartition(".")[2]
    if len(parameter.shape) != 1 or key not in _SCALES:
        return False
    if layer.types:
        return layer.layout is None and any(_NORM_TYPE.fullmatch(each) for each in layer.types)
    return role_of(parameter.name) in NORMS


def role_names() -> list[str]:
    """The names of the roles.

    >>> role_names()[:3]
    ['token_embedding', 'position_embedding', 'segment_embedding']
    """
    return list(_table().meanings)


def meaning(role: str) -> str:
    """What a role is, in words."""
    return _table().meanings[role]


def checked_roles(roles: Any) -> dict[str, str]:
    """{pattern: role}, with every role known; FaninTypeError, FaninValueError otherwise."""
    if not isinstance(roles, Mapping) or not all(isinstance(each, str) for pair in roles.items() for each in pair):
        raise FaninTypeError("`roles` must be a table of a pattern to a role, such as {\"*.wo\": \"attention_out\"} "
                             f"(got {shown(roles)})")
    for match, role in roles.items():
        _pattern(match)
        check_role(role)
    return dict(roles)


def check_role(role: str) -> str:
    """The role, if there is one of this name; FaninValueError with close matches otherwise."""
    if role not in _table().meanings:
        raise FaninValueError(f"`role` must be one of {', '.join(role_names())} (got {role!r})"
                              + hint(role.lower(), role_names()))
    return role


def _pattern(match: str) -> re.Pattern[str]:
    try:
        return re.compile(match[3:] if match.startswith("re:") else fnmatch.translate(match))
    except re.error as error:
        raise FaninValueError(f"`roles` must have valid regular expressions (got {match!r}: {error})") from None


def _steps(name: str) -> tuple[str, ...]:
    """The steps of a name in lower case, without the last one of a plain layer."""
    steps = tuple(re.split(r"[./]", name.lower()))
    return steps[:-1] if len(steps) > 1 and steps[-1] in _KEYS else steps


def _tail(name: str) -> tuple[str, ...]:
    """As many last steps as rows of the table look at."""
    return _steps(name)[-_table().steps:]


# -- the table ----------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    role: str
    pattern: re.Pattern[str]
    steps: int
    without: tuple[str, ...] = ()


class _Table(NamedTuple):
    rows: tuple[_Row, ...]  # those that decide first are first
    types: tuple[tuple[re.Pattern[str], str], ...]
    meanings: dict[str, str]
    experts: frozenset[str]
    steps: int  # the most that a row has


@functools.cache
def _table() -> _Table:
    table = read_own_table("roles.toml")
    experts = frozenset(table.pop(_EXPERTS)["names"])
    named = [(role, each if isinstance(each, dict) else {"name": each})
             for role, entry in table.items() for each in entry["names"]]
    named.sort(key=lambda pair: _weight(pair[1]["name"]), reverse=True)
    rows = tuple(_Row(role, re.compile(fnmatch.translate(each["name"])), _weight(each["name"])[0],
                      tuple(filter(None, each.get("without", "").split(".")))) for role, each in named)
    types = tuple((re.compile(fnmatch.translate(kind)), role) for role, entry in table.items()
                  for kind in entry.get("layers", ()))
    return _Table(rows, types, {role: entry["meaning"] for role, entry in table.items()}, experts,
                  max(row.steps for row in rows))


def _weight(pattern: str) -> tuple[int, int]:
    """How many steps a pattern has, and how many letters."""
    return pattern.count(".") + 1, len(pattern.replace("*", ""))


@functools.lru_cache(4096)
def _rows(tail: tuple[str, ...]) -> tuple[_Row, ...]:
    """The rows that match the last steps of a name, those that decide first first."""
    return tuple(row for row in _table().rows if row.steps <= len(tail)
                 and row.pattern.fullmatch(".".join(tail[-row.steps:])))


@functools.lru_cache(1024)
def _by_type(types: tuple[str, ...]) -> str:
    return next((role for each in types for pattern, role in _table().types if pattern.fullmatch(each)), "")
