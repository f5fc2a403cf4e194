"""Warnings about a table: the same text for many parameters is one warning, and each is issued once."""

from __future__ import annotations

from collections.abc import Iterable

from .._callers import warn
from .._errors import FaninWarning, listed


def grouped(remarks: Iterable[tuple[str, str]]) -> list[str]:
    """Of (text, name of a parameter) pairs a warning for each text, with the names after it.

    >>> grouped([("frozen, and drawn", "a"), ("no elements", "b"), ("frozen, and drawn", "c")])
    ['frozen, and drawn: a, c', 'no elements: b']
    """
    names: dict[str, list[str]] = {}
    for text, name in remarks:
        names.setdefault(text, []).append(name)
    return [f"{text}: {listed(each, at_most=3)}" for text, each in names.items()]


def emit(texts: Iterable[str]) -> None:
    """Issue each; where a filter makes them errors the first is raised, and the others are its notes."""
    raised: list[FaninWarning] = []
    for text in texts:
        try:
            warn(text)
        except FaninWarning as error:
            raised.append(error)
    if raised:
        for other in raised[1:]:
            raised[0].add_note(str(other))
        raise raised[0]
