"""Rules that decide nothing, and why: a typo, an earlier rule, a layer that there is none of."""

from __future__ import annotations

import fnmatch
from collections.abc import Container, Iterable, Mapping, Sequence

from .._errors import hint, listed, with_article
from ._parameter import Parameter
from ._rule import START, Rule

_SPECIAL = set("*?[")


def idle_rules(own: int, rules: Sequence[Rule], deciding: Container[Rule | None], parameters: Sequence[Parameter],
               others: Mapping[str, str]) -> list[str]:
    """A warning for each of the first `own` rules that is not among those that decide.

    Args:
        own: how many rules are the user's; those of a built-in set, which come after, are meant for many models.
        deciding: the rules that chose for some parameter.
        others: {name: why rules aren't asked about it} of tied names and buffers.
    """
    if not parameters:
        return []
    return [f'rule {number} "{rule.title}" decides nothing: {_why(rule, rules[:number - 1], parameters, others)}'
            for number, rule in enumerate(rules[:own], 1) if rule not in deciding]


def _why(rule: Rule, earlier: Sequence[Rule], parameters: Sequence[Parameter], others: Mapping[str, str]) -> str:
    types = sorted({each for parameter in parameters if parameter.layer for each in parameter.layer.types})
    if rule.layers is not None and not any(_has_type(rule, each) for each in types):
        return _no_layer(rule, types)
    named = [parameter for parameter in parameters if rule.fullmatch(parameter.name)]
    if not named:
        return _no_name(rule, parameters, others, types)
    of_type = [each for each in named if rule.layers is None or each.layer and any(
        _has_type(rule, kind) for kind in each.layer.types)]
    if not of_type:
        return f"no parameter that it matches is one of {with_article(_spelled(rule))}"
    ranks = sorted({len(each.shape) for each in of_type})
    if rule.ranks is not None and "rank_of" not in rule.entry and not rule.ranks & set(ranks):
        return f"what it matches has rank {listed(ranks)}"
    left = [each for each in of_type if rule.ranks is None or "rank_of" in rule.entry or len(each.shape) in rule.ranks]
    winners: dict[str, None] = {}
    for number, each in enumerate(earlier, 1):
        by_role = each.roles is not None or each.experts is not None
        caught = [] if by_role else [parameter for parameter in left if each.fullmatch(parameter.name)
                                     and each.is_for(*_kind(parameter))]
        if caught:
            winners[f'rule {number} "{each.title}"'] = None
            left = [parameter for parameter in left if parameter not in caught]
    if winners and not left:
        return f"{listed(winners, at_most=4)} {'match' if len(winners) > 1 else 'matches'} all it would"
    if rule.roles is not None or rule.experts is not None:
        return "nothing that it matches has such a role (fanin.Rules(..., roles={pattern: role}) tells one)"
    if rule.init == START:
        return "no layer says what the parameters that it matches start from"
    return "no sibling of what it matches has such a rank"


def _kind(parameter: Parameter) -> tuple[tuple[str, ...], int]:
    return parameter.layer.types if parameter.layer else (), len(parameter.shape)


def _has_type(rule: Rule, kind: str) -> bool:
    return any(pattern.fullmatch(kind) for pattern in rule.layers or ())


def _spelled(rule: Rule) -> str:
    layer = rule.entry["layer"]
    return layer if isinstance(layer, str) else " or ".join(layer)


def _no_layer(rule: Rule, types: Iterable[str]) -> str:
    if not types:
        return "no layer's type is known here (they are in modules, ONNX files, and tables that have them)"
    return f"no layer is {with_article(_spelled(rule))}{_hint(_spelled(rule), types)}"


def _no_name(rule: Rule, parameters: Sequence[Parameter], others: Mapping[str, str], types: Iterable[str]) -> str:
    other = next((name for name in others if rule.fullmatch(name)), None)
    if other is not None:
        return f"{other} is not asked about ({others[other]})"
    if rule.match in types:
        return f'no name matches; for the layers of this type write "match": "*", "layer": "{rule.match}"'
    return f"no name matches{_similar(rule, [parameter.name for parameter in parameters])}"


def _similar(rule: Rule, names: Iterable[str]) -> str:
    """A glob that would match: the last step of the pattern that no name has at its place, as some name has it."""
    if rule.regular:
        return ""
    steps, split = rule.match.split("."), [name.split(".") for name in names]
    for place in range(len(steps) - 1, -1, -1):
        step, from_end = steps[place], len(steps) - place
        known = {name[-from_end] for name in split if len(name) >= from_end}
        core = step.strip("*")
        if core and not _SPECIAL & set(core) and not fnmatch.filter(known, step):
            return _hint(core, {each: ".".join((*steps[:place], step.replace(core, each), *steps[place + 1:]))
                                for each in known})
    return ""


def _hint(text: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """The known names that look most like a text, or what a mapping gives for them; empty where none does."""
    shown = known if isinstance(known, Mapping) else {each: each for each in known}
    places = {each.lower(): place for each, place in shown.items()}
    return hint(text.lower(), places, spell=places.__getitem__)
