"""Rule files, TOML or JSON, and the built-in sets, as tables."""

from __future__ import annotations

import os
import re
from typing import Any

from .._errors import FaninTypeError, FaninValueError, did_you_mean
from .._initializers import Registry
from .._json import check_values, parse_json, too_deep, too_large

_JSON = re.compile(r"\s*(\{|\[\s*[{\]])")  # the beginning of a table, or of a list of tables, which no TOML text has


def rule_sets() -> list[str]:
    """The names of the built-in rule sets."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def _folder() -> Any:
    from importlib import resources  # which those who write their rules in Python don't need, nor tomllib

    return resources.files(__package__) / "sets"


def read_table(source: str | os.PathLike[str]) -> dict[str, Any]:
    """What a built-in set (by name) or a TOML or JSON file holds."""
    source = os.fspath(source)
    if source in rule_sets():
        text = (_folder() / f"{source}.toml").read_text("utf-8")
    elif os.path.exists(source) or os.path.splitext(source)[1] or os.path.dirname(source):
        with open(source, "rb") as file:
            text = _decode(file.read())
    else:
        raise FaninValueError(f"`rules` must be a file, a preset, or one of {', '.join(rule_sets())} (got {source!r}): "
                              + did_you_mean(source, [*rule_sets(), *Registry.names()]))
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
