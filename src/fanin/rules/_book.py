"""What is printed of recipes: the list of them, and one with its source, its variables and what each role gets."""

from __future__ import annotations

from typing import Any

from .._errors import FaninValueError, hint
from .._report import Column, Content, Grid, View
from ._files import recipe_names, rule_sets
from ._recipe import FACTORS, Recipe
from ._roles import meaning
from ._rules import Rules


class Recipes(View):
    """All recipes, or one of them: it prints, and a notebook shows it as a table.

    Args:
        name: the recipe; None: a list of all.

    Raises:
        FaninValueError: there is no such recipe.

    >>> print(Recipes("gpt2").to_text().splitlines()[0])  # doctest: +ELLIPSIS
    gpt2, version 1: GPT-2 ...
    """

    def __init__(self, name: str | None = None) -> None:
        if name is not None and name not in recipe_names():
            raise FaninValueError(f"`name` must be a recipe, one of {', '.join(recipe_names())} (got {name!r})"
                                  + hint(name.lower(), recipe_names()))
        self.rules = {each: Rules.read(each) for each in ([name] if name else recipe_names())}
        self._name = name

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each recipe: its name, title, version and source."""
        return [_recipe(rules).to_json() for rules in self.rules.values()]

    def _content(self, unfold: bool = False) -> Content:
        return _list(self.rules) if self._name is None else _one(self.rules[self._name])


def _recipe(rules: Rules) -> Recipe:
    if rules.recipe is None:
        raise AssertionError("a recipe's file has a [recipe] table")
    return rules.recipe


def _list(all_rules: dict[str, Rules]) -> Content:
    rows = tuple((name, _recipe(rules).title, _recipe(rules).paper or _recipe(rules).repository)
                 for name, rules in all_rules.items())
    others = ", ".join(sorted(set(rule_sets()) - set(all_rules)))
    return Content("Recipes", grids=(Grid((Column("recipe"), Column("what"), Column("source")), rows),),
                   notes=(f"other rule sets: {others}",))


def _one(rules: Rules) -> Content:
    recipe = _recipe(rules)
    source = [f"{key}: {text}" for key, text in (("paper", recipe.paper), ("source", ", ".join(filter(None, (
        recipe.repository, recipe.file)))), ("read", recipe.read)) if text]
    grids = [
        Grid((Column("variable"), Column("default"), Column("read from a config's"), Column("meaning")), tuple(
            (name, "" if each.default is None else f"{each.default:g}", ", ".join(each.config), each.meaning)
            for name, each in rules.declared().items())),
        Grid((Column("role"), Column("gets"), Column("what it is")), tuple(_roles(rules))),
        Grid((Column("optimizer: role"), *(Column(f"{key} times") for key in FACTORS)), tuple(
            (_for(each.role, each.experts, each.in_block) or "all others",
             *(_factor(getattr(each, key)) for key in FACTORS)) for each in recipe.optimizer)),
        Grid((Column("forward pass"), Column("times"), Column("remark")), tuple(
            (each.what, _factor(each.factor), each.text) for each in recipe.forward)),
    ]
    notes = ("initial weights can't change the forward pass: the model's own code must do what is listed there",) \
        if recipe.forward else ()
    return Content(recipe.name, (f"{recipe.name}, version {recipe.version}: {recipe.title}", *source),
                   tuple(grid for grid in grids if grid.rows), notes)


def _roles(rules: Rules) -> list[tuple[str, str, str]]:
    """(role, what it gets, what it is) in the order in which the rules are asked."""
    rows = []
    for entry in rules.get_config()["rule"]:
        roles = entry.get("role", [entry["match"]])
        where = f" in {entry['match']}" if "role" in entry and entry["match"] != "*" else ""
        for role in [roles] if isinstance(roles, str) else roles:
            rows.append((_for((role,), entry.get("experts")) + where, _init(entry["init"]),
                         meaning(role) if "role" in entry else _MEANINGS.get(str(entry["init"]), "")))
    return rows


_MEANINGS = {"start": "parameters whose value follows from their layer: norms, state spaces, adapters"}


def _for(roles: tuple[str, ...], experts: bool | None, in_block: bool | None = None) -> str:
    of = "" if experts is None else ", experts" if experts else ", no experts"
    where = "" if in_block is None else ", in blocks" if in_block else ", in no block"
    return f"{', '.join(roles)}{of}{where}"


def _init(init: Any) -> str:
    if not isinstance(init, dict):
        return str(init)
    inner = ", ".join(f"{key}={_factor(value)}" for key, value in init.items()
                      if key not in ("name", "scheme", "version"))
    return f"{init.get('name', init.get('scheme'))}({inner})"


def _factor(value: Any) -> str:
    return str(value).removeprefix("=")
