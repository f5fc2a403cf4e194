"""`Rules`: an ordered list of rules, as a value."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._checks import choice, flag, integer
from .._errors import FaninError, FaninTypeError, FaninValueError, listed, shown
from .._initializers import Initializer, Registry
from .._initializers.codec import as_json
from .._json import check_values
from ._assign import assign, check_matched
from ._depth import Depths
from ._doubts import doubts
from ._facts import LAYOUTS
from ._files import read_table, rule_sets
from ._idle import idle_rules
from ._parameter import Parameter
from ._rule import Model, Rule
from ._table import Table
from ._word import entries as entries_of

if TYPE_CHECKING:
    from typing import Self

VERSION = 1
_FILES = (".toml", ".json")


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
    - `layer`: only parameters of a layer of this type, "Conv2d" or the class itself, or of one derived from it; a list
      allows several; "" is for those of which no layer is known.
    - `weights`: true: only what layers multiply by, which has two axes or more: no vectors, no indices.
    - `rank`: only parameters with that many axes; a list allows several.
    - `rank_of`: the axes are counted on a sibling instead; without that sibling the rule does not apply.
    - `fans_of`: fan_in and fan_out are those of a sibling, as for biases drawn with their weight's fans; where there is
      no such sibling, those that the parameter's layer tells, as of a bias that BERT's head holds for its decoder.
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
    >>> names = [f"block.{i}.{each}" for i in range(8) for each in ("in.weight", "out.weight")]
    >>> print(rules.assign([Parameter(name, (8, 8), np.dtype("float32")) for name in [*names, "head.bias"]]))
    17 tensors, 1,088 parameters, 4,352 B of float32
    parameter                  shape  rule          scheme                 std
    block.{0..7}.in.weight ×8    8×8  *             Normal(std=0.02)      0.02
    block.{0..7}.out.weight ×8   8×8  *.out.weight  Normal(std=0.005)    0.005
    head.bias                    8×8  *.bias        Constant(value=0.0)      0
    """

    def __init__(self, entries: Iterable[Any] | Mapping[str, Any], variables: Mapping[str, float] | None = None,
                 strict: bool = True) -> None:
        self._variables = _variables({} if variables is None else variables)
        self._strict = flag("strict", strict)
        tables = _tables(entries)
        check_values(tables, "`rules`")
        self._rules: list[Rule] = []
        self._own = len(tables)  # the first ones, which are the user's; the others are a built-in set's
        self._word = ""  # which they are made of, if they are one word's
        for number, entry in enumerate(tables, 1):
            try:
                self._rules.append(Rule(entry, self._variables))
            except FaninError as error:
                match = f" (match {entry['match']!r})" if "match" in entry else ""
                raise type(error)(f"rule {number}{match}: {error}") from None

    @classmethod
    def of(cls, source: Rules | Initializer | str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any]) -> Rules:
        """Rules from what adapters take: Rules, one word, entries, a config, a file.

        One word is a preset's name ("he_normal", "torch:kaiming_uniform"), a scheme, or a table of a name and
        parameters: the weights of a network get it, biases zeros, and norms, embeddings and other layers what they
        start from. A text is first looked up as a built-in set's name, then as a preset's, then as a file's; one that
        ends in .toml or .json is a file's.

        Raises:
            FaninValueError, FaninTypeError, FaninKeyError: nothing of these, with close matches; else as `Rules`.

        >>> import numpy as np
        >>> from fanin import Constant
        >>> from fanin.rules import Layer, Parameter
        >>> norm = Parameter("norm.weight", (8,), np.dtype("float32"), Layer(("LayerNorm",), start=Constant(1.0)))
        >>> linear = Parameter("fc.weight", (8, 8), np.dtype("float32"), Layer(("Linear",), "oi*"))
        >>> [row.label for row in Rules.of("he_normal").assign([norm, linear])]
        ['Constant(value=1.0)', 'VarianceScaling(scale=2.0)']
        """
        if isinstance(source, Rules):
            return source
        if isinstance(source, str) and not source.endswith(_FILES) and source not in rule_sets() and source in Registry:
            return cls._of_word(source)
        if isinstance(source, Initializer) or isinstance(source, Mapping) and _is_scheme(source):
            return cls._of_word(source)
        if isinstance(source, (str, os.PathLike)):
            return cls.read(source)
        if isinstance(source, Mapping) and "rule" in source:
            return cls.from_config(source)
        return cls(source)

    @classmethod
    def _of_word(cls, init: Any) -> Rules:
        Registry.get(init)  # found wrong as what it is, not as the init of some rule
        rules = cls(entries_of(init))._with_own(0)
        rules._word = repr(init)
        return rules

    @classmethod
    def read(cls, source: str | os.PathLike[str]) -> Rules:
        """The rules of a built-in set (`onnx`, `torch`, `transformer`) or of a TOML or JSON file.

        Raises:
            FaninValueError: neither such a set nor a file with rules. OSError: a file that can't be read.

        >>> Rules.read("transformer").strict
        True
        """
        try:
            rules = cls.from_config(read_table(source))
        except FaninError as error:
            raise type(error)(f"{source}: {error}") from None
        return rules._with_own(0) if os.fspath(source) in rule_sets() else rules

    def override(self, entries: Iterable[Any] | Mapping[str, Any]) -> Rules:
        """These entries, tried before the rules: exceptions to a built-in set or a file.

        >>> rules = Rules.read("transformer")
        >>> len(rules.override({"lm_head.weight": "zeros"})) - len(rules)
        1
        """
        exceptions = _tables(entries)
        rules = Rules([*exceptions, *self._entries()], self._variables, self._strict)
        rules._word = self._word
        return rules._with_own(len(exceptions) + self._own)

    def _with_own(self, own: int) -> Rules:
        """These rules, of which only the first `own` are the user's: the others may decide nothing without a word."""
        self._own = own
        return self

    @property
    def variables(self) -> dict[str, float]:
        """The numbers that expressions may use."""
        return dict(self._variables)

    @property
    def strict(self) -> bool:
        """Whether a parameter that no rule matches is an error."""
        return self._strict

    def assign(self, parameters: Iterable[Parameter], layout: str = "torch", partial: bool = False) -> Table:
        """What each parameter gets, with everything that can be wrong checked; nothing is drawn.

        Args:
            parameters: of a whole model: rules look at siblings and count layers.
            layout: of parameters whose layer tells none: "torch" is (out, in, *kernel), "jax" (*kernel, in, out).
            partial: whether these are only some of the model's: then rules may decide nothing.

        Returns:
            A `Table`, a row for each parameter in their order. Its `warnings` are not issued here: they say which of
            your rules decide nothing, and why (those of a built-in set may), and what else may not be as it was meant.

        Raises:
            FaninValueError: strict, and parameters match no rule: it lists them. Else what schemes raise for a shape or
                dtype, with the parameter's name.
        """
        return self._assign(parameters, layout, partial)

    def _assign(self, parameters: Iterable[Parameter], layout: str, partial: bool, siblings: Iterable[Parameter] = (),
                others: Mapping[str, str] | None = None) -> Table:
        """`assign`. Rules may look at siblings, too, which get no row: their tensors have other names.

        `others` are the names that rules aren't asked about, and the reasons.
        """
        usual = LAYOUTS[choice("layout", layout, tuple(LAYOUTS))]
        parameters, partial = list(parameters), flag("partial", partial)
        names = {parameter.name: parameter for parameter in (*siblings, *parameters)}
        rows, deciders = assign(self._rules, parameters, Model(names, Depths(names), usual, self._variables),
                                self._word)
        idle = [] if partial else idle_rules(self._own, self._rules, set(deciders), parameters, others or {})
        if self._strict:
            check_matched(self._rules, rows, idle, self._word)
        by_shape = {row.parameter.name for row, rule in zip(rows, deciders) if rule is not None and rule.tells_axes}
        return Table(rows, (*idle, *doubts(rows, by_shape)))

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
            raise FaninValueError("must hold at least one [[rule]] with `match` and `init` (in JSON a list of such "
                                  'tables, alone or under "rule")')
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
        return Rules, (self._entries(), self._variables, self._strict), {"_own": self._own, "_word": self._word}

    def _entries(self) -> list[dict[str, Any]]:
        return [rule.entry for rule in self._rules]

    def __repr__(self) -> str:
        if self._word:
            return f"<Rules: {self._word} for weights, and for all else what it starts from>"
        first = listed((f"{rule.match!r} {_named(rule.entry['init'])}" for rule in self._rules), at_most=3)
        return f"<Rules: {first}>"


def _named(init: Any) -> str:
    """What a rule draws, by name."""
    return str(init.get("name", init.get("scheme"))) if isinstance(init, Mapping) else str(init)


def _is_scheme(table: Mapping[str, Any]) -> bool:
    """Whether it is a config, or a table of a name and parameters, and no mapping of patterns."""
    return "scheme" in table or isinstance(table.get("name"), str) and table["name"] in Registry


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
            tables.append({key: value if key == "init" else _plain(value) for key, value in entry.items()})
        elif _is_list(entry) and len(entry) == 2 and isinstance(entry[0], str):
            tables.append({"match": entry[0], "init": entry[1]})
        else:
            raise FaninTypeError(f"rule {number}: must be a table with `match` and `init`, or a pair of them (got "
                                 f"{entry!r})")
    return tables


def _plain(value: Any) -> Any:
    """Types by their names, and any sequence as a list."""
    if isinstance(value, type):
        return value.__name__
    return [_plain(each) for each in value] if _is_list(value) else value


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
