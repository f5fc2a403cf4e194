"""JSON from files: each name once, and nothing that what works on it could not stand."""

from __future__ import annotations

import json
from typing import Any

from ._errors import FaninError, FaninValueError

_MAX_DEPTH = 64  # tables and lists in each other; what walks through them must not run out of stack
_MAX_BITS = 1024  # an integer of more can't be a float, and one of 4,300 digits can't even be printed


def parse_json(text: str | bytes, what: str = "it") -> Any:
    """The value of a JSON text, with or without a byte order mark.

    Raises:
        FaninValueError: it is none, or one with a name twice in a table, or what `check_values` refuses. The message
            begins with `what`.

    >>> parse_json('{"shape": [2, 3]}')
    {'shape': [2, 3]}
    """
    try:
        value = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text, object_pairs_hook=unique_keys)
    except FaninError:
        raise
    except RecursionError:
        raise too_deep(what) from None
    except UnicodeDecodeError:
        raise FaninValueError(f"{what} is not valid JSON (it is not UTF-8)") from None
    except json.JSONDecodeError as error:
        raise FaninValueError(f"{what} is not valid JSON ({error})") from None
    except ValueError:  # Python reads no int of more than 4,300 digits
        raise too_large(what) from None
    check_values(value, what)
    return value


def check_values(value: Any, what: str = "it") -> None:
    """FaninValueError for tables and lists that lie too deeply in each other, and for integers of no use."""
    level = [value]
    for _ in range(_MAX_DEPTH + 1):
        if any(isinstance(each, int) and each.bit_length() > _MAX_BITS for each in level):
            raise too_large(what)
        level = [child for each in level if isinstance(each, (dict, list, tuple))
                 for child in (each.values() if isinstance(each, dict) else each)]
    if level:
        raise too_deep(what)


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


def too_deep(what: str) -> FaninValueError:
    """The error for a text whose tables and lists lie too deeply in each other."""
    return FaninValueError(f"{what} is nested too deeply: at most {_MAX_DEPTH} tables and lists in each other")


def too_large(what: str) -> FaninValueError:
    """The error for a text with an integer of no use."""
    return FaninValueError(f"{what} holds an integer that no float reaches: all must be below 2**{_MAX_BITS}")
