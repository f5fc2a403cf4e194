"""Rule files, TOML or JSON, and the built-in sets, as tables."""

from __future__ import annotations

import functools
import os
import re
from typing import Any

from .._errors import ALL_NAMES, FaninTypeError, FaninValueError, hint
from .._initializers import Registry
from .._json import check_values, parse_json, too_deep, too_large

_JSON = re.compile(r"\s*(\{|\[\s*[{\]])")  # the beginning of a table, or of a list of tables, which no TOML text has


def rule_sets() -> list[str]:
    """The names of the built-in rule sets, recipes among them."""
    return sorted(_built_in())


def recipe_names() -> list[str]:
    """The names of the recipes."""
    return sorted(name for name, place in _built_in().items() if place.startswith("recipes/"))


@functools.cache
def _built_in() -> dict[str, str]:
    """{name of a built-in set: its place in this package}."""
    return {entry.name.removesuffix(".toml"): f"{folder}/{entry.name}" for folder in ("sets", "recipes")
            for entry in (_package() / folder).iterdir() if entry.name.endswith(".toml")}


def _package() -> Any:
    from importlib import resources  # which those who write their rules in Python don't need, nor tomllib

    return resources.files(__package__)


def read_own_table(place: str) -> dict[str, Any]:
    """A TOML file of this package."""
    return _parse_toml((_package() / place).read_text("utf-8"))


@functools.cache
def _read_set(place: str) -> dict[str, Any]:
    return read_own_table(place)


def read_table(source: str | os.PathLike[str]) -> dict[str, Any]:
    """What a built-in set (by name) or a TOML or JSON file holds."""
    source, sets = os.fspath(source), _built_in()
    if source in sets:
        return _read_set(sets[source])
    if not (os.path.exists(source) or os.path.splitext(source)[1] or os.path.dirname(source)):
        own = ", ".join(name for name, place in sorted(sets.items()) if place.startswith("sets/"))
        raise FaninValueError(f"`rules` must be a rule set ({own}), a recipe (fanin recipes), a preset, or a file "
                              f"(got {source!r})" + hint(source.lower(), [*sets, *Registry.names()],
                                                            otherwise=ALL_NAMES))
    with open(source, "rb") as file:
        text = _decode(file.read())
    if source.lower().endswith(".json") or _JSON.match(text):
        return _parse_json(text)
    return _parse_toml(text)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FaninValueError("must be a TOML or JSON text (it is not UTF-8)") from None


def _parse_json(text: str) -> dict[str, Any]:
    value = parse_json(text, "must be a valid TOML or JSON text; it")
    if isinstance(value, list):
        return {"rule": value}
    if not isinstance(value, dict):
        raise FaninTypeError('must be a JSON table {"rule": [{"match": ..., "init": ...}]}, or its list alone (got a '
                             f"{type(value).__name__})")
    return value


def _parse_toml(text: str) -> dict[str, Any]:
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaninValueError(f"must be a valid TOML or JSON text ({error})") from None
    except RecursionError:
        raise too_deep("it") from None
    except ValueError:  # Python reads no int of more than 4,300 digits
        raise too_large("it") from None
    check_values(table)
    return table
