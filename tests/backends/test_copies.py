"""Copies of functions over other globals."""

from fanin._backends.copies import with_globals

FACTOR = 2


def scaled(x, by=1):
    return FACTOR * x * by


def test_a_copy_finds_the_names_that_it_was_given():
    """Each copy has its own globals, and its module's for what it wasn't given; the original stays as it is."""
    three, four = with_globals(scaled, "three", FACTOR=3), with_globals(scaled, "four", FACTOR=4)

    assert (three(10), four(10), four(10, by=2), scaled(10)) == (30, 40, 80, 20)
    assert with_globals(scaled, "same")(10) == 20


def test_a_copy_is_told_apart_by_its_name_and_found_by_its_module():
    """numba names a file of compiled code by the module and the qualified name, so no two copies may share both."""
    copy = with_globals(scaled, "scaled-3", FACTOR=3)

    assert (copy.__qualname__, copy.__module__) == ("scaled-3", __name__)
    assert scaled.__qualname__ == "scaled"
