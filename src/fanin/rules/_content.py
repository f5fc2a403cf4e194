"""What a table of parameters shows: totals, a row for each run of layers, what is left alone, warnings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from .._errors import agreeing, counted, listed
from .._report import Column, Content, Grid, fold
from .._report.content import significant
from ._parameter import Parameter
from ._roles import Roles
from ._table import Row, roles_in

if TYPE_CHECKING:
    from ._rules import Rules

# Where a line would be too long the spare columns are left out, the highest first; `to_dicts` has them all.
COLUMNS = (Column("parameter", path=True), Column("shape", number=True), Column("dtype", spare=4),
           Column("layer", spare=5), Column("role", spare=1), Column("rule", spare=3), Column("scheme"),
           Column("fan_in", number=True, spare=2), Column("fan_out", number=True, spare=2),
           Column("std", number=True), Column("note"))
_RULE_SHOWN = 24  # characters of a pattern, unless a table is unfolded: those of built-in sets are long
_LEFT_SHOWN = 6  # names of what is left alone, unless a table is unfolded


def content(rows: Sequence[Row], warnings: Iterable[str], unfold: bool = False, rules: Rules | None = None) -> Content:
    """The content of a table; with `rules` that go by roles, these are shown, and what a recipe counts with."""
    drawn = [row for row in rows if row.scheme is not None]
    roles = roles_in(rows, rules) if rules is not None and rules.by_role else None
    lines = [_cells(row, unfold, roles) for row in drawn]
    runs = fold([row.parameter.name for row in drawn], [line[1:] for line in lines],
                at_least=len(drawn) + 1 if unfold else 3)
    cells = [(str(run), *lines[run.rows[0]][1:]) for run in runs]
    used = [place for place, column in enumerate(COLUMNS) if column.name != "dtype" and any(
        line[place] for line in cells) or column.name == "dtype" and len({line[place] for line in lines}) > 1]
    grid = Grid(tuple(COLUMNS[place] for place in used), tuple(tuple(line[place] for place in used) for line in cells))
    words = (*(recipe_words(rules) if rules is not None else ()), totals([row.parameter for row in drawn]))
    return Content("What each parameter gets", words, (grid,) if drawn else (),
                   (*_left(rows, unfold), *(f"warning: {text}" for text in warnings)), compact=True)


def recipe_words(rules: Rules) -> Iterator[str]:
    """A line on the recipe that rules are of: its name, and its variables with where their values are from."""
    if rules.recipe is not None:
        told = ", ".join(f"{name} = {each.value:g} ({each.source})" for name, each in rules.declared().items()
                         if each.value is not None)
        yield f"recipe {rules.recipe.name}{f': {told}' if told else ''}"


def totals(parameters: Sequence[Parameter]) -> str:
    """How much there is in all.

    >>> import numpy as np
    >>> totals([Parameter("w", (8192, 8192), np.dtype("float32")), Parameter("b", (8192,), np.dtype("float32"))])
    '2 tensors, 67.1 M parameters, 268 MB of float32'
    """
    elements = [math.prod(parameter.shape) for parameter in parameters]
    nbytes = sum(count * parameter.dtype.itemsize for count, parameter in zip(elements, parameters))
    dtypes = sorted({parameter.dtype.name for parameter in parameters})
    of = f" of {' and '.join(dtypes)}" if dtypes else ""
    noun = agreeing(sum(elements), "parameter", "parameters")
    return (f"{counted(len(parameters), 'tensor')}, {_scaled(sum(elements), ('', ' k', ' M', ' B', ' T'))} {noun}, "
            f"{_scaled(nbytes, (' B', ' kB', ' MB', ' GB', ' TB', ' PB'))}{of}")


def _scaled(count: int, units: Sequence[str]) -> str:
    """Three significant digits with a unit of a power of 1000; small counts as they are."""
    if count < 10_000:
        return f"{count:,}{units[0]}"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:#.3g}".rstrip(".") + units[unit]


def _cells(row: Row, unfold: bool, roles: Roles | None) -> tuple[str, ...]:
    parameter, known = row.parameter, row.numbers
    types, rule = parameter.layer.types if parameter.layer else (), row.rule or ""
    if len(rule) > _RULE_SHOWN and not unfold:
        rule = f"{rule[:_RULE_SHOWN - 1]}…"
    shape = "×".join(map(str, parameter.shape)) if parameter.shape else "()"
    return (parameter.name, shape, parameter.dtype.name, types[0] if types else "",
            "" if roles is None else str(roles.of(parameter)), rule, row.label,
            _count(known["fan_in"]), _count(known["fan_out"]), significant(known["std"]), row.note)


def _count(value: float | None) -> str:
    """A count as it is, any other number with three significant digits."""
    return str(int(value)) if value is not None and float(value).is_integer() else significant(value)


def _left(rows: Sequence[Row], unfold: bool) -> list[str]:
    """A line for each reason why parameters stay as they are, with their names."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        if row.scheme is None:
            kind, tied, _ = row.note.partition("tied to ")
            names = kinds.setdefault(f"{kind}tied" if tied else row.note, [])
            names.append(f"{row.parameter.name} to {row.note.removeprefix('tied to ')}" if tied else row.parameter.name)
    lines = []
    for kind, names in kinds.items():
        runs = names if unfold else [str(run) for run in fold(names, [0] * len(names))]
        lines.append(f"{kind}: {listed(runs, at_most=len(runs) if unfold else _LEFT_SHOWN)}")
    return lines
