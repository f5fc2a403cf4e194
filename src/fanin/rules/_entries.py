"""What people give as rules, as a list of tables: one for each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import FaninTypeError, shown
from .._initializers import Registry


def named(init: Any) -> str:
    """What a rule draws, by name."""
    return str(init.get("name", init.get("scheme"))) if isinstance(init, Mapping) else str(init)


def is_scheme(table: Mapping[str, Any]) -> bool:
    """Whether it is a config, or a table of a name and parameters, and no mapping of patterns."""
    return "scheme" in table or isinstance(table.get("name"), str) and table["name"] in Registry


def is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def tables_of(entries: Any) -> list[dict[str, Any]]:
    """A table for each entry; FaninTypeError for what is none."""
    if isinstance(entries, Mapping):
        return [{"match": match, "init": init} for match, init in entries.items()]
    if not is_list(entries) or not entries:
        raise FaninTypeError(f"`rules` must be a list of entries with `match` and `init`, or a mapping of one to the "
                             f"other, with at least one (got {shown(entries)})")
    tables = []
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, Mapping):
            tables.append({key: value if key == "init" else _plain(value) for key, value in entry.items()})
        elif is_list(entry) and len(entry) == 2 and isinstance(entry[0], str):
            tables.append({"match": entry[0], "init": entry[1]})
        else:
            raise FaninTypeError(f"rule {number}: must be a table with `match` and `init`, or a pair of them (got "
                                 f"{shown(entry)})")
    return tables


def _plain(value: Any) -> Any:
    """Types by their names, and any sequence as a list."""
    if isinstance(value, type):
        return value.__name__
    return [_plain(each) for each in value] if is_list(value) else value
