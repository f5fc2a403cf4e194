"""`Recipe`: what a rule set says of itself: whose it is, its source, and what changes besides the initial weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .._checks import flag, integer
from .._errors import FaninError, FaninTypeError, FaninValueError, shown
from ._expressions import is_expression, substitute, used_names
from ._roles import check_role

_SOURCE = ("paper", "repository", "file", "read")
_KEYS = ("name", "title", "version", *_SOURCE, "optimizer", "forward")
FACTORS = ("lr", "eps", "weight_decay")


class OptimizerRule(NamedTuple):
    """What a recipe changes of the optimizer for some parameters: factors, numbers or expressions.

    Attributes:
        role: the roles that it is for; empty: all others.
        experts: only those of experts, or only others; None: both.
        in_block: only those whose name has a block's number, as layers.3.norm.weight, or only others; None: both.
        lr, eps, weight_decay: what to multiply the optimizer's own by; "=base_width/width".
    """

    role: tuple[str, ...] = ()
    experts: bool | None = None
    in_block: bool | None = None
    lr: float | str = 1
    eps: float | str = 1
    weight_decay: float | str = 1

    def is_for(self, role: str, experts: bool, in_block: bool) -> bool:
        """Whether it is for such a parameter; of unknown role (""), only if it is for all roles."""
        return ((not self.role or role in self.role) and self.experts in (None, experts)
                and self.in_block in (None, in_block))

    def factors(self, variables: Mapping[str, float]) -> dict[str, float]:
        """{lr, eps, weight_decay: number}; FaninValueError for a variable that has no value."""
        return {key: evaluate(getattr(self, key), variables) for key in FACTORS}


class ForwardRule(NamedTuple):
    """What the model's own forward pass has to do for the recipe to hold, which no initial weight can.

    Attributes:
        what: that which is multiplied: "logits".
        factor: by this number or expression.
        text: more, in words.
    """

    what: str
    factor: float | str
    text: str = ""


class Recipe(NamedTuple):
    """A named initialization of whole models.

    Attributes:
        name: as in `Rules.read`.
        title: what it is for.
        version: counts from 1; what it draws changes with it only.
        paper, repository, file: its source.
        read: the date on which the source was read.
        optimizer, forward: what changes besides initial weights, first match first.
    """

    name: str
    title: str
    version: int = 1
    paper: str = ""
    repository: str = ""
    file: str = ""
    read: str = ""
    optimizer: tuple[OptimizerRule, ...] = ()
    forward: tuple[ForwardRule, ...] = ()

    def names(self) -> set[str]:
        """The variables that its factors use."""
        return used_names([list(each) for each in (*self.optimizer, *self.forward)])

    def to_json(self) -> dict[str, Any]:
        """A table that `read_recipe` reads."""
        table = {key: value for key, value in self._asdict().items() if value not in ("", ())}
        for key, kind in (("optimizer", self.optimizer), ("forward", self.forward)):
            if kind:
                table[key] = [_changed(each) for each in kind]
        return table


def evaluate(factor: float | str, variables: Mapping[str, float]) -> float:
    """The number of a factor; FaninValueError for a variable that has no value."""
    missing = sorted(used_names(factor) - set(variables))
    if missing:
        raise FaninValueError(without_value(missing[0]))
    return float(substitute(factor, variables))


def without_value(name: str) -> str:
    """The message for a variable that nothing tells."""
    return (f"`{name}` has no value, and no config of the model tells it: give it, as in "
            f"fanin.Rules.read(..., {name}=...), or in a [variables] table")


def read_recipe(table: Any) -> Recipe:
    """The `Recipe` of a `[recipe]` table."""
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str) or not isinstance(
            table.get("title"), str):
        raise FaninTypeError(f"`recipe` must be the name of a recipe, or a table with `name` and `title` (got "
                             f"{shown(table)})")
    for key in table:
        if key not in _KEYS:
            raise FaninValueError(f"`recipe` may have {', '.join(_KEYS)} only (got {shown(key)})")
    texts = {key: str(table.get(key, "")) for key in _SOURCE}
    return Recipe(table["name"], table["title"], integer("version", table.get("version", 1)), **texts,
                  optimizer=tuple(_read(OptimizerRule, each) for each in table.get("optimizer", ())),
                  forward=tuple(_read(ForwardRule, each) for each in table.get("forward", ())))


def _read(kind: Any, table: Any) -> Any:
    if not isinstance(table, Mapping):
        raise FaninTypeError(f"an entry of a recipe must be a table (got {shown(table)})")
    for key in table:
        if key not in kind._fields:
            raise FaninValueError(f"an entry of a recipe may have {', '.join(kind._fields)} only (got {shown(key)})")
    fields = dict(table)
    try:
        if "role" in fields:
            roles = [fields["role"]] if isinstance(fields["role"], str) else fields["role"]
            fields["role"] = tuple(check_role(each) for each in roles)
        for key in ("experts", "in_block"):
            if fields.get(key) is not None:
                flag(key, fields[key])
        for key in (*FACTORS, "factor"):
            if key in fields and not is_expression(fields[key]) and not isinstance(fields[key], (int, float)):
                raise FaninTypeError(f"`{key}` must be a number or an expression such as '=1/width' (got "
                                     f"{fields[key]!r})")
        entry = kind(**fields)
        used_names(list(entry))
    except TypeError as error:
        if isinstance(error, FaninError):
            raise
        raise FaninTypeError(f"an entry of a recipe must have `what` and `factor` (got {shown(table)})") from None
    return entry


def _changed(entry: Any) -> dict[str, Any]:
    values = {key: value for key, value in entry._asdict().items() if value != entry._field_defaults.get(key)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
