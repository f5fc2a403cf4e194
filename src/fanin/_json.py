"""JSON from files: each name once, and no deeper than a model or rules need."""

from __future__ import annotations

import json
from typing import Any

from ._errors import FaninError, FaninValueError

_MAX_DEPTH = 64  # tables and lists in each other; what walks through them must not run out of stack


def parse_json(text: str | bytes, what: str = "it") -> Any:
    """The value of a JSON text, with or without a byte order mark.

    Raises:
        FaninValueError: it is none, or one that is nested too deeply, or that has a name twice in a table. The message
            begins with `what`.

    >>> parse_json('{"shape": [2, 3]}')
    {'shape': [2, 3]}
    """
    try:
        value = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text, object_pairs_hook=unique_keys)
    except FaninError:
        raise
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError too
        raise FaninValueError(f"{what} is not valid JSON ({_reason(error)})") from None
    check_depth(value, what)
    return value


def check_depth(value: Any, what: str = "it") -> None:
    """FaninValueError for tables and lists that lie too deeply in each other."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for each in level if isinstance(each, (dict, list))
                 for child in (each.values() if isinstance(each, dict) else each)]
    if level:
        raise _too_deep(what)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An `object_pairs_hook`: FaninValueError for a key that stands twice, where Python would take the last."""
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FaninValueError(f"names must be unique (got {key!r} twice)")
            seen.add(key)
    return table


def _too_deep(what: str) -> FaninValueError:
    return FaninValueError(f"{what} is nested too deeply: at most {_MAX_DEPTH} tables and lists in each other")


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error) if isinstance(error, json.JSONDecodeError) else "an integer in it has thousands of digits"
