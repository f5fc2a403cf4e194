"""`Rules`: an ordered list of rules, as a value."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._checks import choice, flag, integer
from .._errors import FaninError, FaninTypeError, FaninValueError, a_type, hint, listed, shown
from .._initializers import Initializer, Registry
from .._initializers.codec import as_json
from .._json import check_values
from ._assign import assign, check_matched
from ._depth import Depths
from ._doubts import doubts, forward_rules
from ._entries import is_list, is_scheme, named, tables_of
from ._facts import LAYOUTS
from ._files import read_table, rule_sets
from ._idle import idle_rules
from ._parameter import Parameter, read_parameters
from ._recipe import Recipe, read_recipe
from ._roles import Roles, checked_roles
from ._rule import Model, Rule
from ._table import Table
from ._variables import GIVEN, Variable, read_variables
from ._word import entries as entries_of

if TYPE_CHECKING:
    from ._names import RuleSet, RulesLike

VERSION = 1
_FILES = (".toml", ".json")
_CONFIG = ("rule", "recipe", "variables", "roles", "strict", "version")


class Rules:
    """An ordered list of rules, which say which scheme each parameter of a model gets; the first that matches wins.

    Args:
        entries: dicts as below, or pairs (match, init), or one mapping {match: init}.
        variables: {name: number}, more names for expressions.
        strict: whether a parameter that no rule matches is an error; otherwise it stays as it is.
        roles: {pattern: role} of parameters whose role fanin doesn't know, or gets wrong:
            {"*.wo": "attention_out"}. A pattern is as `match`, over the name with or without its last step.

    The keys of an entry:

    - `match`: a glob over the whole name; with the prefix "re:" a regular expression over the whole name.
    - `init`: a name; "profile:name"; {"name": "normal", "std": 0.02}; a config; a scheme; "arange", which is 0, 1, 2, …
      along the last axis (position ids); "start", for parameters whose initial value follows from their layer (the
      weight of a norm is ones, or zeros where the layer applies it as 1 + weight);
      or "keep", which leaves the parameter as it is. Any number in it may be an expression,
      "=0.02/sqrt(2*layers)", in which `layers` is the depth of the parameter's stack, `layer` its own place there from
      0 (both read from the names: the first number between dots, or the group `(?P<layer>\\d+)` of a regular
      expression), `fan_in` and `fan_out` are the parameter's fans, and others are `variables`.
    - `role`: only parameters with this role in the model, however the code calls them: "attention_out",
      "mlp_in"; a list allows several. With it `match` may be left out. `fanin.rules.role_names()` has all.
    - `experts`: true: only parameters of a mixture's experts; false: only others.
    - `layer`: only parameters of a layer of this type, "Conv2d" or the class itself, or of one derived from it; a list
      allows several; "" is for parameters whose layer is unknown.
    - `weights`: true: only weights, which a layer multiplies by, with two axes or more: no vectors, no indices.
    - `rank`: only parameters with that many axes; a list allows several.
    - `rank_of`: the axes are counted on a sibling instead; without that sibling the rule does not apply.
    - `fans_of`: fan_in and fan_out are those of a sibling, for biases drawn with their weight's fans; if there is no
      such sibling, those that the parameter's layer gives, as for a bias that BERT's head holds for its decoder.
    - `fans`: "layer", the default: the fans follow the layer's type where it is known (transposed and grouped
      convolutions, stacked projections) and `init` doesn't give layout, groups or transposed itself; "shape": they
      follow from the shape and the scheme's layout alone, which is how torch counts.
    - `padding_idx`: this row along axis 0 is zero, the others are as without it. A layer's own needs no rule.

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

    def __init__(self, entries: Iterable[Any] | Mapping[str, Any],
                 variables: Mapping[str, float | Variable] | None = None, strict: bool = True,
                 roles: Mapping[str, str] | None = None) -> None:
        self._variables = read_variables({} if variables is None else variables)
        self._strict = flag("strict", strict)
        self._roles = checked_roles({} if roles is None else roles)
        given = tables_of(entries)
        check_values(given, "`rules`")
        self._rules: list[Rule] = []
        self._own = len(given)  # the first ones, which are the user's; the others are a built-in set's
        self._word = ""  # which they are made of, if they are one word's
        self._recipe: Recipe | None = None
        for number, entry in enumerate(given, 1):
            try:
                self._rules.append(Rule(entry, self._variables))
            except FaninError as error:
                match = f" (match {entry['match']!r})" if "match" in entry else ""
                raise type(error)(f"rule {number}{match}: {error}") from None

    @classmethod
    def of(cls, source: RulesLike) -> Rules:
        """Make rules from one word, entries, a config or a file, as `init_module` does; rules are returned.

        One word is a preset's name ("he_normal", "torch:kaiming_uniform"), a scheme, or a table of a name and
        parameters: the weights of a network get it, biases zeros, and norms, embeddings and other layers what they
        start from. A text is first looked up as a rule set's or recipe's name, then as a preset's, then as a file's;
        one that ends in .toml or .json is a file's.

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
        if isinstance(source, Initializer) or isinstance(source, Mapping) and is_scheme(source):
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
    def read(cls, source: RuleSet | str | os.PathLike[str], *, roles: Mapping[str, str] | None = None,
             **variables: float) -> Rules:
        """Read the rules of a recipe or rule set (`fanin recipes` lists them), or of a TOML or JSON file.

        Args:
            source: a name ("gpt2", "mup", "torch"), or a path; what ends in .toml or .json is a path.
            roles: {pattern: role}, as in `Rules`; they are tried before those of the source.
            variables: values instead of the source's defaults: `Rules.read("gpt2", std=0.01)`. A variable that is not
                given comes from the model's own config, if it has one, else it has its default.

        Raises:
            FaninValueError: neither such a name nor a file with rules; a variable that the source has not, with those
                that it has. OSError: a file that can't be read.

        >>> Rules.read("gpt2", std=0.01).variables
        {'std': 0.01}
        """
        if not isinstance(source, (str, os.PathLike)):
            raise FaninTypeError(f"`source` must be a name or a path (got {shown(source)}, {a_type(source)})")
        built_in = os.fspath(source) in rule_sets()
        try:
            table = read_table(source)
            if built_in and "recipe" in table:
                table = {**table, "recipe": {**table["recipe"], "name": os.fspath(source)}}
            rules = cls.from_config(table)
            rules = rules._with_own(0) if built_in else rules
            return rules.given(variables, roles)
        except FaninError as error:
            raise type(error)(f"{source}: {error}") from None

    def given(self, variables: Mapping[str, float], roles: Mapping[str, str] | None = None) -> Rules:
        """The same rules with values for some of their variables, and with more roles, which are tried first.

        >>> Rules.read("llama").given({"std": 0.006}) == Rules.read("llama", std=0.006)
        True
        """
        declared = self.declared()
        for name in variables:
            if name not in declared:
                raise FaninValueError(f"the variables are {', '.join(declared) or 'none'} (got {name!r})"
                                      + hint(name, declared, spell=str))
        given = {name: declared[name].given(name, value) for name, value in variables.items()}
        return self._with(self._variables | given, {**checked_roles(roles or {}), **self._roles})

    def declared(self) -> dict[str, Variable]:
        """The variables that may be given, by name: each a `Variable`, with its value and where that is from.

        Where a rule counts layers, `layers` is one, which names tell if nothing else does.

        >>> Rules.read("gpt2").declared()["std"].source
        'default'
        """
        counted = any("layers" in rule.names for rule in self._rules) and "layers" not in self._variables
        return self._variables | ({"layers": Variable()} if counted else {})

    def _with(self, variables: dict[str, Variable], roles: dict[str, str]) -> Rules:
        """The same entries, which are not read again, with other variables and roles."""
        if (variables, roles) == (self._variables, self._roles):
            return self
        rules = Rules.__new__(Rules)
        vars(rules).update(vars(self), _variables=variables, _roles=roles)
        return rules

    def with_config(self, config: Mapping[str, Any]) -> Rules:
        """The same rules with values from a model's config (such as initializer_range) for variables not given.

        Adapters do so with a model's own config, and `fanin init` with its config.json.

        >>> Rules.read("llama").with_config({"initializer_range": 0.006}).variables
        {'std': 0.006}
        """
        told = {name: variable.told_by(config) for name, variable in self._variables.items()}
        return self._with(told, self._roles)

    @property
    def asks_config(self) -> bool:
        """Whether a model's config could tell any variable that nobody gave."""
        return any(each.config and each.source != GIVEN for each in self._variables.values())

    def override(self, entries: Iterable[Any] | Mapping[str, Any]) -> Rules:
        """Rules with these entries before them: exceptions, which are tried first.

        >>> rules = Rules.read("transformer")
        >>> len(rules.override({"lm_head.weight": "zeros"})) - len(rules)
        1
        """
        exceptions = tables_of(entries)
        rules = Rules([*exceptions, *self._entries()], self._variables, self._strict, self._roles)
        rules._word, rules._recipe = self._word, self._recipe
        return rules._with_own(len(exceptions) + self._own)

    def _with_own(self, own: int) -> Rules:
        """These rules, of which only the first `own` are the user's: the others may decide nothing without a word."""
        self._own = own
        return self

    @property
    def variables(self) -> dict[str, float]:
        """The numbers that expressions may use, as far as they are known before a model is."""
        return {name: each.value for name, each in self._variables.items() if each.value is not None}

    @property
    def roles(self) -> dict[str, str]:
        """{pattern: role}, tried before what fanin knows."""
        return dict(self._roles)

    @property
    def by_role(self) -> bool:
        """Whether any rule looks at roles."""
        return any(rule.roles is not None or rule.experts is not None for rule in self._rules)

    @property
    def recipe(self) -> Recipe | None:
        """What the recipe says of itself that these rules are of; None: they are of none."""
        return self._recipe

    @property
    def strict(self) -> bool:
        """Whether a parameter that no rule matches is an error."""
        return self._strict

    def assign(self, parameters: Iterable[Parameter], layout: str = "torch", partial: bool = False) -> Table:
        """Make the table of what each parameter gets; every mistake is found, and nothing is drawn.

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
        return self._assign(read_parameters(parameters), layout, partial)

    def _assign(self, parameters: Iterable[Parameter], layout: str, partial: bool, siblings: Iterable[Parameter] = (),
                others: Mapping[str, str] | None = None) -> Table:
        """`assign`. Rules may look at siblings, too, which get no row: their tensors have other names.

        `others` are the names that rules aren't asked about, and the reasons.
        """
        usual = LAYOUTS[choice("layout", layout, tuple(LAYOUTS))]
        parameters, partial = list(parameters), flag("partial", partial)
        names = {parameter.name: parameter for parameter in (*siblings, *parameters)}
        model = Model(names, Depths(names), usual, self.variables, Roles(self._roles, names))
        rows, deciders = assign(self._rules, parameters, model, self._word)
        idle = [] if partial else idle_rules(self._own, self._rules, set(deciders), parameters, others or {})
        if self._strict:
            check_matched(self._rules, rows, idle, model.roles, self._word, self._recipe)
        telling = {rule for rule in set(deciders) if rule is not None and rule.tells_axes}
        by_shape = {row.parameter.name for row, rule in zip(rows, deciders) if rule in telling}
        return Table(rows, (*idle, *doubts(rows, by_shape), *forward_rules(self._recipe)), rules=self)

    # -- rules as data --------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """A dict that JSON can hold, and that is a rule file when it is written as JSON.

        >>> Rules({"*": "he_normal"}).get_config()
        {'version': 1, 'strict': True, 'variables': {}, 'rule': [{'match': '*', 'init': 'he_normal'}]}
        """
        told = {"roles": dict(self._roles)} if self._roles else {}
        recipe = {"recipe": self._recipe.to_json()} if self._recipe is not None else {}
        return {"version": VERSION, "strict": self._strict, **recipe,
                "variables": {name: each.to_json() for name, each in self._variables.items()}, **told,
                "rule": [as_json("rule", entry) for entry in self._entries()]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Rules:
        """The rules that a config describes.

        Raises:
            FaninValueError, FaninTypeError, FaninKeyError: unknown keys, a newer version, an entry that is wrong.
        """
        entries, based = config.get("rule"), isinstance(config.get("recipe"), str)
        if (entries is not None or not based) and (not is_list(entries) or not entries or not all(
                isinstance(entry, Mapping) for entry in entries)):
            raise FaninValueError("must hold at least one [[rule]] with `match` and `init` (in JSON a list of such "
                                  'tables, alone or under "rule")')
        for key in config:
            if key not in _CONFIG:
                raise FaninValueError(f"may hold [[rule]] entries, {', '.join(_CONFIG[1:])} only (got {key!r})")
        version = integer("version", config.get("version", VERSION))
        if not 1 <= version <= VERSION:
            raise FaninValueError(f"`version` of rules must be {VERSION} or older (got {shown(version)}): a newer "
                                  "fanin wrote them, upgrade to read them")
        if based:
            rules = cls.read(config["recipe"], roles=config.get("roles"), **config.get("variables", {}))
            return rules.override(entries) if entries else rules
        rules = cls(entries or [], config.get("variables"), config.get("strict", True), config.get("roles"))
        rules._recipe = None if "recipe" not in config else read_recipe(config["recipe"])
        unknown = set() if rules._recipe is None else rules._recipe.names() - set(rules.declared())
        if unknown:
            raise FaninValueError(f"`recipe` uses {', '.join(sorted(unknown))}, which no variable is")
        return rules

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
        return (Rules, (self._entries(), self._variables, self._strict, self._roles),
                {"_own": self._own, "_word": self._word, "_recipe": self._recipe})

    def _entries(self) -> list[dict[str, Any]]:
        return [rule.entry for rule in self._rules]

    def __repr__(self) -> str:
        if self._word:
            return f"<Rules: {self._word} for weights, and for all else what it starts from>"
        if self._recipe is not None:
            given = listed(f"{name}={value:g}" for name, value in self.variables.items())
            return f"<Rules: the recipe {self._recipe.name}{f', {given}' if given else ''}>"
        first = listed((f"{rule.title!r} {named(rule.entry['init'])}" for rule in self._rules), at_most=3)
        return f"<Rules: {first}>"
