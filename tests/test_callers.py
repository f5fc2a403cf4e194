"""Warnings are of the user's line, whatever lies between it and the place that warns."""

import contextlib
import functools
import importlib
import threading
import warnings

import pytest

from fanin import FaninWarning
from fanin._callers import caller, module_of, warn


def through_a_with_statement():
    @contextlib.contextmanager
    def warning():
        yield
        warn("told")

    with warning():
        pass


def through_a_property():
    class Warning:
        told = functools.cached_property(lambda _: warn("told"))

    Warning().told  # noqa: B018


def in_a_thread():
    thread = threading.Thread(target=lambda: warn("told"))
    thread.start()
    thread.join()


@pytest.mark.parametrize("way", [lambda: warn("told"), through_a_with_statement, through_a_property, in_a_thread])
def test_the_nearest_function_outside_is_warned(way):
    """Wrappers of the standard library are passed over, down to the file that called."""
    with pytest.warns(FaninWarning, match="told") as warned:
        way()

    assert [each.filename for each in warned] == [__file__]


def test_an_import_is_warned_at_its_line(tmp_path, monkeypatch):
    """A module inside fanin that warns as it is imported warns who imports it."""
    (tmp_path / "inside_fanin.py").write_text("__name__ = 'fanin.extra'\nfrom fanin._callers import warn\nwarn('told')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.warns(FaninWarning, match="told") as warned:
        importlib.import_module("inside_fanin")

    assert warned[0].filename == __file__


def test_code_without_a_module():
    """What has no name is not fanin's."""
    scope = {"caller": caller}
    exec("frame = caller('fanin')", scope)

    assert module_of(scope["frame"]) == ""


def test_a_line_is_told_once():
    """By Python's default filter: once for each line and text."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for _ in range(2):
            warn("told at this line")
        warn("told at this line")

    assert len(warned) == 2
