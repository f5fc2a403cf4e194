"""The table of what each parameter gets: what `Rules.assign` and every dry run return."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, overload

import numpy as np

from .._errors import FaninValueError
from .._initializers import Initializer
from .._initializers.codec import expression
from .._initializers.parameters import defaults
from .._report import Content, View
from .._seeding import STREAM_VERSION, check_seed
from ._parameter import Parameter
from ._roles import Roles

if TYPE_CHECKING:
    from ._rules import Rules


class Row(NamedTuple):
    """What one parameter gets.

    Attributes:
        parameter: name, shape, dtype and layer.
        rule: the pattern of the rule that chose, or the roles that it is for, or None where none did.
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

    @property
    def numbers(self) -> dict[str, Any]:
        """`fan_in`, `fan_out` and `std` of what is drawn, None where there are none."""
        known: dict[str, Any] = {key: getattr(self.plan, key, None) for key in ("fan_in", "fan_out", "std")}
        layer = self.parameter.layer
        if self.plan is not None and known["fan_in"] is None and layer is not None and layer.layout is not None:
            fans = self.parameter.fans()
            known |= {"fan_in": fans.fan_in, "fan_out": fans.fan_out}
        return known


def roles_in(rows: Iterable[Row], rules: Rules | None) -> Roles:
    """What the parameters of rows are, by what the user told the rules and by the table of names."""
    return Roles({} if rules is None else rules.roles, {row.parameter.name for row in rows})


class Table(View, Sequence[Row]):
    """What each parameter gets, a row for each; printed with totals, parameters that stay as they are, and warnings.

    Similar layers share a row (`to_text(unfold=True)` has a row for each). If a line would be too long, columns are
    left out; `to_dicts` has all.

    Attributes:
        rows: what each parameter gets.
        warnings: what is probably not meant, a line each: rules that decide nothing, random norms.
        seed: of the draws, in the table of an adapter; None in that of rules alone.
        rules: that it was made by, with the values of their variables for this model.
    """

    def __init__(self, rows: Iterable[Row], warnings: Iterable[str] = (), seed: int | None = None,
                 rules: Rules | None = None) -> None:
        self.rows: tuple[Row, ...] = tuple(rows)
        self.warnings: tuple[str, ...] = tuple(dict.fromkeys(warnings))
        self.seed = seed
        self.rules = rules

    def with_warnings(self, *texts: str) -> Table:
        """The same table with more warnings, each once."""
        return Table(self.rows, (*self.warnings, *texts), self.seed, self.rules) if texts else self

    def fingerprint(self, seed: int | None = None) -> str:
        """A hash of all that is drawn, 16 hexadecimal digits, to log with an experiment.

        Equal seeds, names, shapes, dtypes and schemes give equal fingerprints, in any order and framework, and with any
        rules; a different draw gives a different one. Parameters that stay as they are don't count.

        Args:
            seed: where the table has none of its own: that of `Rules.assign`.

        >>> from fanin import Rules
        >>> from fanin.rules import Parameter
        >>> table = Rules({"*": "he_normal"}).assign([Parameter("w", (8, 4), np.dtype("float32"))])
        >>> table.fingerprint(seed=7)
        '8913d35fb201f03a'
        """
        seed = self.seed if seed is None else check_seed(seed)
        if seed is None:
            raise FaninValueError("`seed` must be given for the fingerprint of a table that has none (got None)")
        drawn = sorted(json.dumps([row.parameter.name, row.parameter.shape, row.parameter.dtype.name,
                                   row.scheme.get_config()], sort_keys=True)
                       for row in self.rows if row.scheme is not None)
        return hashlib.blake2b(json.dumps([STREAM_VERSION, seed, drawn]).encode(), digest_size=8).hexdigest()

    @property
    def drawn(self) -> list[Row]:
        """The rows that have a scheme."""
        return [row for row in self.rows if row.scheme is not None]

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts that JSON can hold, and pandas and polars take; `init` is the scheme's config."""
        roles = self.roles()
        return [{"parameter": row.parameter.name, "shape": list(row.parameter.shape),
                 "dtype": row.parameter.dtype.name, "role": roles.of(row.parameter).name,
                 "layer": row.parameter.layer.to_json() if row.parameter.layer else None, "rule": row.rule,
                 "init": row.scheme.get_config() if row.scheme is not None else None, **row.numbers, "note": row.note}
                for row in self.rows]

    def roles(self) -> Roles:
        """What each parameter is in its model: `roles().of(row.parameter)`."""
        return roles_in(self.rows, self.rules)

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

    def _content(self, unfold: bool = False) -> Content:
        from ._content import content

        return content(self.rows, self.warnings, unfold, self.rules)


_AXES = ("layout", "groups", "transposed", "fan_in", "fan_out", "axis")  # a table has the fans


def label(scheme: Initializer) -> str:
    """A scheme in short: the parameters that don't have their default, without those that say which axes are which.

    >>> from fanin import Registry
    >>> label(Registry.get("he_normal", layout="*io")), label(Registry.get("normal", std=0.02))
    ('VarianceScaling(scale=2.0)', 'Normal(std=0.02)')
    """
    values = {name: (getattr(scheme, name), default) for name, default in defaults(type(scheme)).items()
              if name not in _AXES}
    changed = {name: value for name, (value, default) in values.items() if not _same(value, default)}
    shown = changed or {name: value for name, (value, _) in list(values.items())[:1]}
    return f"{type(scheme).__name__}({', '.join(f'{name}={_short(value)}' for name, value in shown.items())})"


def _short(value: Any) -> str:
    if isinstance(value, Initializer):
        return label(value)
    if isinstance(value, float) and float(f"{value:.3g}") != value:
        return f"{value:.3g}"
    if isinstance(value, np.ndarray) and value.size > 16:
        return f"<array of shape {value.shape}>"
    return f"[{', '.join(map(_short, value))}]" if isinstance(value, (list, tuple)) else expression(value)


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and not isinstance(value, np.ndarray) and value == default

