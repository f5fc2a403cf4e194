"""Reading rules from a TOML or JSON file or from a built-in set, and writing them as one line of JSON."""

import json
import os
import tomllib
from importlib import resources

from .._errors import FaninError, FaninValueError
from ..initializers._config import encode
from .rules import Rule
from .spec import unique_keys


def rule_sets():
    """The names of the built-in rule sets."""
    folder = resources.files(__package__) / "rulesets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_rules(source, layout="torch"):
    """The rules of a built-in set (by name) or of a TOML or JSON file."""
    if source in rule_sets():
        text = (resources.files(__package__) / "rulesets" / f"{source}.toml").read_text("utf-8")
    elif os.path.exists(source) or os.path.splitext(source)[1] or os.path.dirname(source):
        with open(source, "rb") as file:
            text = _decode(source, file.read())
    else:
        raise FaninValueError(f"`--rules` must be a file or one of {', '.join(rule_sets())} (got {source!r})")
    try:
        table = _parse(text)
        entries = table.get("rule")
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise FaninValueError("must hold at least one [[rule]] with `match` and `init`")
        for key in table:
            if key != "rule":
                raise FaninValueError(f"may hold [[rule]] entries only (got {key!r})")
    except FaninError as error:
        raise type(error)(f"{source}: {error}") from None
    rules = []
    for number, entry in enumerate(entries, 1):
        try:
            rules.append(Rule(entry, layout))
        except FaninError as error:
            match = f" (match {entry['match']!r})" if "match" in entry else ""
            raise type(error)(f"{source}: rule {number}{match}: {error}") from None
    return rules


def _decode(source, data):
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FaninValueError(f"{source}: must be a TOML or JSON text (it is not UTF-8)") from None


def _parse(text):
    try:
        if text.lstrip().startswith("{"):  # no TOML text does
            table = json.loads(text, object_pairs_hook=unique_keys)
        else:
            table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FaninError):
            raise
        raise FaninValueError(f"must be a valid TOML or JSON text ({error})") from None
    return table


def rules_text(rules):
    """The rules as one line of JSON, which `--rules` takes as a file."""
    return json.dumps({"rule": [encode("rule", rule.entry) for rule in rules]}, ensure_ascii=False)
