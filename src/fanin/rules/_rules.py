"""`Rules`: an ordered list of rules, as a value."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._checks import choice, flag, integer
from .._errors import FaninError, FaninTypeError, FaninValueError, shown
from .._initializers import Initializer
from .._initializers.codec import as_json
from .._json import check_values
from ._assign import assign, check_matched
from ._depth import Depths
from ._facts import LAYOUTS
from ._parameter import Parameter
from ._rule import Model, Rule
from ._table import Row, Table

if TYPE_CHECKING:
    from typing import Self

VERSION = 1


class Rules:
    """Which scheme initializes which parameter of a model: ordered, and the first rule that matches wins.

    Args:
        entries: tables as below, or pairs (match, init), or one mapping {match: init}.
        variables: numbers that expressions may use besides their own.
        strict: whether a parameter that no rule matches is an error; otherwise it stays as it is.

    The keys of an entry:

    - `match`: a glob over the whole name; with the prefix "re:" a regular expression over the whole name.
    - `init`: a name; "profile:name"; {"name": "normal", "std": 0.02}; a config; a scheme; "arange", which is 0, 1, 2, …
      along the last axis (position ids); "start", what the parameter starts from by its meaning in the layer (a norm's
      weight from ones, or from zeros where it is applied as 1 + weight), and only where the layer leaves no choice;
      or "keep", which leaves the parameter as it is. Any number in it may be an expression,
      "=0.02/sqrt(2*layers)", in which `layers` is the depth of the parameter's stack, `layer` its own place there from
      0 (both told from the names: the first number between dots, or the group `(?P<layer>\\d+)` of a regular
      expression), `fan_in` and `fan_out` the parameter's fans, and others are `variables`.
    - `layer`: only parameters of a layer of this type, "Conv2d", or of one derived from it; a list allows several.
    - `rank`: only parameters with that many axes; a list allows several.
    - `rank_of`: the axes are counted on a sibling instead; without that sibling the rule does not apply.
    - `fans_of`: fan_in and fan_out are those of a sibling, as for biases drawn with their weight's fans.
    - `fans`: "layer", by default: the fans are those of the layer's type where it is known (transposed and grouped
      convolutions, stacked projections) and `init` doesn't give layout, groups or transposed itself; "shape": by the
      shape and the scheme's layout alone, which is how torch counts.
    - `padding_idx`: this row along axis 0 is zero, all others are as without it. A layer's own is kept by itself.

    A sibling has the same name up to its last dot; in a rule with a regular expression `rank_of` and `fans_of` are
    whole names, in which \\1, \\2, … stand for the groups of the match.

    Raises:
        FaninTypeError, FaninValueError, FaninKeyError: an entry that is wrong, with its number.

    >>> import numpy as np
    >>> from fanin.rules import Parameter, Rules
    >>> rules = Rules({"*.bias": "zeros", "*.out.weight": {"name": "normal", "std": "=0.02/sqrt(2*layers)"},
    ...                "*": {"name": "normal", "std": 0.02}})
    >>> print(rules.assign([Parameter(f"block.{i}.out.weight", (8, 8), np.dtype("float32")) for i in (0, 1)]))
    parameter           shape   dtype    rule          scheme                      std
    block.0.out.weight  [8, 8]  float32  *.out.weight  Normal(mean=0.0, std=0.01)  0.01
    block.1.out.weight  [8, 8]  float32  *.out.weight  Normal(mean=0.0, std=0.01)  0.01
    """

    def __init__(self, entries: Iterable[Any] | Mapping[str, Any], variables: Mapping[str, float] | None = None,
                 strict: bool = True) -> None:
        self._variables = _variables({} if variables is None else variables)
        self._strict = flag("strict", strict)
        tables = _tables(entries)
        check_values(tables, "`rules`")
        self._rules = []
        for number, entry in enumerate(tables, 1):
            try:
                self._rules.append(Rule(entry, self._variables))
            except FaninError as error:
                match = f" (match {entry['match']!r})" if "match" in entry else ""
                raise type(error)(f"rule {number}{match}: {error}") from None

    @classmethod
    def of(cls, source: Rules | Initializer | str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any]) -> Rules:
        """Rules from what adapters take: Rules, entries, a file or a built-in set's name, a config, one scheme for all.

        >>> from fanin import Normal
        >>> Rules.of(Normal(std=0.02)) == Rules([{"match": "*", "init": Normal(std=0.02)}])
        True
        """
        if isinstance(source, Rules):
            return source
        if isinstance(source, Initializer):
            return cls({"*": source})
        if isinstance(source, (str, os.PathLike)):
            return cls.read(source)
        if isinstance(source, Mapping) and "rule" in source:
            return cls.from_config(source)
        return cls(source)

    @classmethod
    def read(cls, source: str | os.PathLike[str]) -> Rules:
        """The rules of a built-in set (`onnx`, `torch`, `transformer`) or of a TOML or JSON file.

        Raises:
            FaninValueError: neither such a set nor a file with rules. OSError: a file that can't be read.

        >>> len(Rules.read("transformer"))
        7
        """
        from ._files import read_table  # its readers are not needed by those who write their rules in Python

        try:
            return cls.from_config(read_table(source))
        except FaninError as error:
            raise type(error)(f"{source}: {error}") from None

    def override(self, entries: Iterable[Any] | Mapping[str, Any]) -> Rules:
        """These entries, tried before the rules: exceptions to a built-in set or a file.

        >>> len(Rules.read("transformer").override({"lm_head.weight": "zeros"}))
        8
        """
        return Rules([*_tables(entries), *self._entries()], self._variables, self._strict)

    @property
    def variables(self) -> dict[str, float]:
        """The numbers that expressions may use."""
        return dict(self._variables)

    @property
    def strict(self) -> bool:
        """Whether a parameter that no rule matches is an error."""
        return self._strict

    def assign(self, parameters: Iterable[Parameter], layout: str = "torch") -> Table:
        """What each parameter gets, with everything that can be wrong checked; nothing is drawn.

        Args:
            parameters: of a whole model: rules look at siblings and count layers.
            layout: of parameters whose layer tells none: "torch" is (out, in, *kernel), "jax" (*kernel, in, out).

        Returns:
            A `Table`, a row for each parameter in their order.

        Raises:
            FaninValueError: strict, and parameters match no rule: it lists them. Else what schemes raise for a shape or
                dtype, with the parameter's name.
        """
        return Table(self._assign(parameters, (), layout))

    def _assign(self, parameters: Iterable[Parameter], siblings: Iterable[Parameter], layout: str) -> list[Row]:
        """The rows of `assign`. Rules may look at siblings, too, which get no row: their tensors have other names."""
        usual = LAYOUTS[choice("layout", layout, tuple(LAYOUTS))]
        parameters = list(parameters)
        names = {parameter.name: parameter for parameter in (*siblings, *parameters)}
        rows = assign(self._rules, parameters, Model(names, Depths(names), usual, self._variables))
        if self._strict:
            check_matched(self._rules, rows)
        return rows

    # -- rules as data --------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """A dict that JSON can hold, and that is a rule file when it is written as JSON.

        >>> Rules({"*": "he_normal"}).get_config()
        {'version': 1, 'strict': True, 'variables': {}, 'rule': [{'match': '*', 'init': 'he_normal'}]}
        """
        return {"version": VERSION, "strict": self._strict, "variables": dict(self._variables),
                "rule": [as_json("rule", entry) for entry in self._entries()]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The rules that a config describes.

        Raises:
            FaninValueError, FaninTypeError, FaninKeyError: unknown keys, a newer version, an entry that is wrong.
        """
        entries = config.get("rule")
        if not _is_list(entries) or not entries or not all(isinstance(entry, Mapping) for entry in entries):
            raise FaninValueError("must hold at least one [[rule]] with `match` and `init`")
        for key in config:
            if key not in ("rule", "version", "strict", "variables"):
                raise FaninValueError(f"may hold [[rule]] entries, `variables`, `strict` and `version` only (got "
                                      f"{key!r})")
        version = integer("version", config.get("version", VERSION))
        if not 1 <= version <= VERSION:
            raise FaninValueError(f"`version` of rules must be {VERSION} or older (got {shown(version)}): a newer "
                                  "fanin wrote them, upgrade to read them")
        return cls(entries, config.get("variables"), config.get("strict", True))

    def __len__(self) -> int:
        return len(self._rules)

    def __eq__(self, other: object) -> bool:
        return self._value() == other._value() if isinstance(other, Rules) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())

    def _value(self) -> str:
        return json.dumps(self.get_config(), sort_keys=True)

    def __reduce__(self) -> tuple[Any, ...]:
        # not the config: a scheme whose class isn't registered has its own pickle
        return Rules, (self._entries(), self._variables, self._strict)

    def _entries(self) -> list[dict[str, Any]]:
        return [rule.entry for rule in self._rules]

    def __repr__(self) -> str:
        variables = f", variables={self._variables!r}" if self._variables else ""
        strict = "" if self._strict else ", strict=False"
        return f"Rules({self._entries()!r}{variables}{strict})"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _tables(entries: Any) -> list[dict[str, Any]]:
    if isinstance(entries, Mapping):
        return [{"match": match, "init": init} for match, init in entries.items()]
    if not _is_list(entries) or not entries:
        raise FaninTypeError(f"`rules` must be a list of entries with `match` and `init`, or a mapping of one to the "
                             f"other, with at least one (got {shown(entries)})")
    tables = []
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, Mapping):
            tables.append({key: list(value) if _is_list(value) and key != "init" else value
                           for key, value in entry.items()})
        elif _is_list(entry) and len(entry) == 2 and isinstance(entry[0], str):
            tables.append({"match": entry[0], "init": entry[1]})
        else:
            raise FaninTypeError(f"rule {number}: must be a table with `match` and `init`, or a pair of them (got "
                                 f"{entry!r})")
    return tables


def _variables(variables: Any) -> dict[str, float]:
    if not isinstance(variables, Mapping):
        raise FaninTypeError(f"`variables` must be a table of numbers (got {shown(variables)})")
    check_values(dict(variables), "`variables`")
    for name, value in variables.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise FaninValueError(f"`variables` must have names that expressions can use (got {name!r})")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise FaninValueError(f"`variables` must be finite numbers (got {name} = {value!r})")
    return dict(variables)
