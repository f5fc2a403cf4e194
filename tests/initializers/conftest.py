"""Shared by the tests of schemes."""

import pytest

from fanin import Registry
from fanin._initializers import schemes as _schemes


@pytest.fixture
def registry():
    """The registry, put back as it was after the test."""
    state = [Registry._custom, Registry._custom_aliases, _schemes._classes, _schemes._spelled]
    saved = [dict(table) for table in state]
    yield Registry
    for table, before in zip(state, saved, strict=True):
        table.clear()
        table.update(before)
