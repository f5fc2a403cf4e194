"""The table of what each parameter gets: what `Rules.assign` and every dry run return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, overload

import numpy as np

from .._initializers import Initializer
from .._initializers.codec import expression
from .._initializers.parameters import defaults
from ._parameter import Parameter

COLUMNS = ("parameter", "shape", "dtype", "layer", "rule", "scheme", "std", "note")


class Row(NamedTuple):
    """What one parameter gets.

    Attributes:
        parameter: name, shape, dtype and layer.
        rule: the pattern of the rule that chose, or None where none did.
        scheme: with the layer's fans and padding row in it; None where the parameter stays as it is.
        label: the scheme as it is printed.
        plan: the scheme's plan for this shape and dtype.
        note: why the parameter stays as it is, or what else there is to say.
    """

    parameter: Parameter
    rule: str | None = None
    scheme: Initializer | None = None
    label: str = ""
    plan: Any = None
    note: str = ""


class Table(Sequence[Row]):
    """Rows, one for each parameter; printed as text, with the warnings below.

    Attributes:
        rows: what each parameter gets.
        warnings: what may not be as it was meant, a line each: rules that decide nothing, random norms.
    """

    def __init__(self, rows: Iterable[Row], warnings: Iterable[str] = ()) -> None:
        self.rows: tuple[Row, ...] = tuple(rows)
        self.warnings: tuple[str, ...] = tuple(dict.fromkeys(warnings))

    def with_warnings(self, *texts: str) -> Table:
        """The same table with more warnings, each once."""
        return Table(self.rows, (*self.warnings, *texts)) if texts else self

    @property
    def drawn(self) -> list[Row]:
        """The rows that have a scheme."""
        return [row for row in self.rows if row.scheme is not None]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """The names of the columns in which anything stands, and their text in each row."""
        lines = [_cells(row) for row in self.rows]
        used = [column for column, name in enumerate(COLUMNS)
                if name not in ("layer", "note") or any(line[column] for line in lines)]
        return [COLUMNS[column] for column in used], [[line[column] for column in used] for line in lines]

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts that JSON can hold; `init` is the scheme's config."""
        return [{"parameter": row.parameter.name, "shape": list(row.parameter.shape),
                 "dtype": row.parameter.dtype.name,
                 "layer": row.parameter.layer.to_json() if row.parameter.layer else None, "rule": row.rule,
                 "init": row.scheme.get_config() if row.scheme is not None else None, "note": row.note}
                for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...

    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return self.rows == other.rows if isinstance(other, Table) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # schemes may hold arrays

    def __str__(self) -> str:
        columns, lines = self.cells()
        widths = [max(map(len, column)) for column in zip(columns, *lines)]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                for line in [columns, *lines]]
        return "\n".join(text + [f"warning: {warning}" for warning in self.warnings])

    def __repr__(self) -> str:
        return f"<Table of {len(self)} parameters, {len(self.drawn)} of them drawn>"


def label(scheme: Initializer) -> str:
    """A scheme in short: its first parameter, and the others that don't have their default.

    >>> from fanin import Registry
    >>> label(Registry.get("he_normal"))
    'VarianceScaling(scale=2.0)'
    """
    values = {name: (getattr(scheme, name), default) for name, default in defaults(type(scheme)).items()}
    first = next(iter(values), None)
    shown = [f"{name}={_short(value)}" for name, (value, default) in values.items()
             if name == first or not _same(value, default)]
    return f"{type(scheme).__name__}({', '.join(shown)})"


def _short(value: Any) -> str:
    if isinstance(value, Initializer):
        return label(value)
    if isinstance(value, np.ndarray) and value.size > 16:
        return f"<array of shape {value.shape}>"
    return f"[{', '.join(map(_short, value))}]" if isinstance(value, (list, tuple)) else expression(value)


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and not isinstance(value, np.ndarray) and value == default


def _cells(row: Row) -> list[str]:
    parameter, std = row.parameter, getattr(row.plan, "std", None)
    types = parameter.layer.types if parameter.layer else ()
    return [parameter.name, str(list(parameter.shape)), parameter.dtype.name, types[0] if types else "",
            row.rule or "", row.label, "" if std is None else f"{std:.8g}", row.note]
