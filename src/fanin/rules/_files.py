"""Rule files, TOML or JSON, and the built-in sets, as tables."""

from __future__ import annotations

import os
import tomllib
from importlib import resources
from typing import Any

from .._errors import FaninValueError, did_you_mean
from .._initializers import Registry
from .._json import check_values, parse_json, too_deep, too_large


def rule_sets() -> list[str]:
    """The names of the built-in rule sets."""
    folder = resources.files(__package__) / "sets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_table(source: str | os.PathLike[str]) -> dict[str, Any]:
    """What a built-in set (by name) or a TOML or JSON file holds."""
    source = os.fspath(source)
    if source in rule_sets():
        text = (resources.files(__package__) / "sets" / f"{source}.toml").read_text("utf-8")
    elif os.path.exists(source) or os.path.splitext(source)[1] or os.path.dirname(source):
        with open(source, "rb") as file:
            text = _decode(file.read())
    else:
        raise FaninValueError(f"`rules` must be a file, a preset, or one of {', '.join(rule_sets())} (got {source!r}): "
                              + did_you_mean(source, [*rule_sets(), *Registry.names()]))
    if text.lstrip().startswith("{"):  # no TOML text does
        return parse_json(text, "must be a valid TOML or JSON text; it")
    return _parse_toml(text)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FaninValueError("must be a TOML or JSON text (it is not UTF-8)") from None


def _parse_toml(text: str) -> dict[str, Any]:
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
