"""What each parameter gets: the first rule that matches it, with everything that can be wrong checked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from .._errors import FaninError, FaninValueError
from ._advice import failed, unknown_roles, unmatched
from ._parameter import NO_LAYER, Parameter
from ._recipe import Recipe
from ._roles import Roles
from ._rule import Context, Model, Rule
from ._table import Row


def assign(rules: Sequence[Rule], parameters: Iterable[Parameter], model: Model, word: str = ""
           ) -> tuple[list[Row], list[Rule | None]]:
    """A row for each parameter, in their order, and the rule that decided it; what no rule matches stays as it is.

    A model has few kinds of layers, shapes and dtypes, and many parameters of each: what they get is worked out once
    for all that are alike.
    """
    eligible: dict[Hashable, list[Rule]] = {}
    chosen: dict[Hashable, tuple[Any, ...]] = {}
    rows, deciders = [], []
    for parameter in parameters:
        layer = parameter.layer or NO_LAYER
        kind = layer.types, len(parameter.shape)
        if kind not in eligible:
            eligible[kind] = [rule for rule in rules if rule.is_for(*kind)]
        rule, row = _row(parameter, eligible[kind], model, chosen, word)
        rows.append(row)
        deciders.append(rule)
    return rows, deciders


def _row(parameter: Parameter, rules: list[Rule], model: Model, chosen: dict[Hashable, tuple[Any, ...]], word: str
         ) -> tuple[Rule | None, Row]:
    for rule in rules:
        match = rule.fullmatch(parameter.name)
        try:
            if match is not None and rule.accepts(parameter, match, model):
                context = rule.context(parameter, match, model)
                alike = rule, *parameter[1:], context
                if alike not in chosen:
                    chosen[alike] = _choose(rule, parameter, context, model)
                return rule, Row(parameter, *chosen[alike])
        except FaninError as error:
            raise type(error)(failed(str(error), parameter, rule.init, word)) from None
    return None, Row(parameter, note="left as it is: no rule matches")


def _choose(rule: Rule, parameter: Parameter, context: Context, model: Model) -> tuple[Any, ...]:
    """The fields of a row after the parameter. The scheme's plan finds what is wrong with a shape, a dtype, a range."""
    scheme, label = rule.choose(parameter, context, model)
    if scheme is None:
        return rule.title, None, "", None, "left as it is: a rule says so"
    return rule.title, scheme, label, scheme.describe(parameter.shape, parameter.dtype), ""


def check_matched(rules: Sequence[Rule], rows: Sequence[Row], idle: Sequence[str], roles: Roles, word: str = "",
                  recipe: Recipe | None = None) -> None:
    """FaninValueError for parameters that no rule matched; a rule that decides nothing may have been meant for them."""
    left = [row.parameter for row in rows if row.rule is None]
    if not left:
        return
    if recipe is not None:
        raise FaninValueError("; ".join((unknown_roles(recipe.name, left, roles), *idle)))
    hint = ""
    if not word and any(rule.layers for rule in rules) and not any(each.layer and each.layer.types for each in left):
        hint = " (rules with `layer` apply only where layers are known: to modules, ONNX files, and tables that have " \
               "them)"
    names = (parameter.name for parameter in left)
    raise FaninValueError("; ".join((unmatched(names, hint, word), *idle)))
