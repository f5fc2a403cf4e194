"""Looking around in fanin with all optional packages installed, and with Keras that lacks its backend."""

import sys

import pytest

from looking import EXTRAS, ask, check


@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_looking_around_with_all_packages(backend):
    """help, dir, TAB and the rest work, and every module is there, but for fanin.keras where Keras can't start."""
    found = ask(sys.path, KERAS_BACKEND=backend)

    check(found)
    absent = {"keras"} if backend == "tensorflow" else set()  # which isn't installed
    assert set(EXTRAS) & set(found["here"]) == set(EXTRAS) - absent
    for attribute, imported in found["missing"].values():
        assert "fanin.keras can't be imported here" in attribute and "tensorflow" in attribute
        assert "tensorflow" in imported
