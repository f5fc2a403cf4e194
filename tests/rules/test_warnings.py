"""What may not be as it was meant is told: in the table, as Python warnings, and as errors where one asks for it."""

import warnings

import numpy as np
import pytest

from fanin import FaninWarning, Rules
from fanin.rules import Parameter, Table
from fanin.rules._slots import Slot, assign_slots
from fanin.rules._warnings import emit

FLOAT32 = np.dtype("float32")


def slots(**remarks):
    return [Slot(Parameter(name, (4, 4), FLOAT32), None, warning=text) for name, text in remarks.items()]


def test_a_warning_about_many_parameters_is_one():
    """The same remark on several slots is one line of the table, with their names; what isn't drawn has none."""
    table = assign_slots(Rules([("keep", "keep"), ("*", "normal")]),
                         slots(a="it is odd", b="", c="it is odd", d="it is strange", keep="it is odd"))

    assert table.warnings == ("it is odd: a, c", "it is strange: d")
    assert str(table).splitlines()[-2:] == ["warning: it is odd: a, c", "warning: it is strange: d"]


def test_warnings_are_added_once():
    """A table with more warnings is another table with the same rows."""
    table = Table([]).with_warnings("one", "two").with_warnings("one", "three")

    assert table.warnings == ("one", "two", "three")


def test_warnings_can_be_errors():
    """A filter on FaninWarning raises the first, and the others are its notes; without one all are issued."""
    with pytest.warns(FaninWarning) as issued:
        emit(["one", "two"], stacklevel=1)
    assert [str(each.message) for each in issued] == ["one", "two"]

    with warnings.catch_warnings():
        warnings.simplefilter("error", FaninWarning)
        with pytest.raises(FaninWarning, match="one") as caught:
            emit(["one", "two"], stacklevel=1)
    assert caught.value.__notes__ == ["two"]
