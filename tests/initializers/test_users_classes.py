"""What a user's class may do to a scheme: nothing that another way to draw, or a copy, would not see."""

import copy
import math
import types
from random import random

import numpy as np
import pytest

from fanin import Blocks, Constant, FaninError, Initializer, Normal


class Fill(Initializer):
    """Every element is `value`."""

    def __init__(self, value=0.0):
        self.value = value

    def plan(self, spec):
        return Constant(self.value).plan(spec)


def refused(make, kind, message):
    """The call is a FaninError of this kind, in one line."""
    with pytest.raises(kind, match=message) as error:
        make()
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


# -- what every scheme has -----------------------------------------------------------------------------------------


class Loud:
    """A mixin that knows better how to draw."""

    def __call__(self, *args, **keywords):
        return 2 * super().__call__(*args, **keywords)


@pytest.mark.parametrize("name", ["__call__", "shard", "describe", "get_config", "from_config", "replace", "_draw",
                                  "_plan", "_value", "_key", "_closed"])
def test_what_fanin_calls_cant_be_defined_anew(name):
    """A scheme that draws or compares otherwise when called would do so alone: shards and models wouldn't."""
    refused(lambda: type("Mine", (Normal,), {name: lambda self: 3}), TypeError, f"Mine must not define '{name}'")


def test_a_mixin_cant_define_it_either():
    """Where a class has it from makes no difference."""
    refused(lambda: type("Mine", (Loud, Normal), {}), TypeError, "Mine must not define '__call__'")


@pytest.mark.parametrize("name", ["_key", "_plans", "_closed", "_value", "shard", "plan"])
def test_a_constructor_cant_set_it_either(name):
    """An attribute of that name made schemes equal that weren't, or hid a method."""
    class Mine(Fill):
        def __init__(self, value=0.0):
            super().__init__(value)
            setattr(self, name, "mine")

    refused(Mine, AttributeError, f"`{name}` must not be set by Mine.__init__")


def test_other_names_are_the_users():
    """Methods, class attributes and attributes of any other name are as free as in any class."""
    class Mine(Fill):
        version, scheme = 3, "mine"

        def __init__(self, value=0.0):
            super().__init__(value)
            self.width = 2 * value

        def __repr__(self):
            return "mine"

        def _half(self):
            return self.width / 4

        def plan(self, spec):
            return Constant(self._half()).plan(spec)

    assert (Mine(3.0)(2) == 1.5).all() and repr(Mine()) == "mine" and Mine(3.0).replace(value=1.0)(1) == 0.5


# -- what a constructor makes --------------------------------------------------------------------------------------


class Signed(Fill):
    """What it stores has lost what it computed with."""

    def __init__(self, value=1.0):
        self.value, self._sign = abs(value), math.copysign(1.0, value)


class Kinds(Fill):
    """A list means something else than the tuple that a scheme keeps of it."""

    def __init__(self, value=()):
        self.value, self._first = value, value[0] if isinstance(value, list) else 7.0


class Chance(Fill):
    def __init__(self):
        super().__init__(random())


class Growing(Fill):
    """A list can't be added to a tuple."""

    def __init__(self, value=()):
        self.value, self._all = value, value + [1.0]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Signed(-2.0), "Signed.__init__ must make `_sign` of the parameters that it stores.*-1.0, .*copy 1.0"),
    (lambda: Kinds([1.0]), "Kinds.__init__ must make `_first` .*1.0, .*copy 7.0"),
    (Chance, "Chance.__init__ must make `value` of the parameters"),
    (lambda: Growing([1.0]), "Growing.__init__ must take what it stores"),
])
def test_what_a_copy_would_have_otherwise_is_refused(make, message):
    """Copies, pickles and configs hold parameters alone: what a constructor makes besides must follow from them."""
    refused(make, TypeError, message)


class Derived(Fill):
    def __init__(self, value):
        self.value = value
        self._third, self._square, self._table = value * 0.1 + value / 3, value * value, np.arange(3) * value
        self._function = lambda: value

    def plan(self, spec):
        return Normal(float(self._square), abs(self._third)).plan(spec)


@pytest.mark.parametrize("value", [0.1, np.float32(0.1), np.float16(0.7), np.int8(100), np.int64(3), np.bool_(True)])
def test_equal_schemes_draw_equal_bits(value):
    """A constructor computes with Python's numbers, as a copy's does, and not with what numpy's would round or wrap."""
    scheme = Derived(value=value)
    python = Derived(value.item() if isinstance(value, np.generic) else value)
    bits = scheme(9, seed=0, name="w").tobytes()

    for other in (Derived(value), copy.copy(scheme), copy.deepcopy(scheme.replace()), python):
        assert other == scheme and other(9, seed=0, name="w").tobytes() == bits


# -- what may change -----------------------------------------------------------------------------------------------

LEVEL = 1.0


class Global(Initializer):
    def plan(self, spec):
        return Constant(LEVEL).plan(spec)


class Settings(Initializer):
    def __init__(self, settings):
        self.settings = settings

    def plan(self, spec):
        return Constant(self.settings.level).plan(spec)


@pytest.mark.parametrize("wrap", [lambda scheme: scheme, lambda scheme: Blocks([scheme, "zeros"], sizes=[2, -1])])
def test_a_plan_reads_what_it_reads_at_each_draw(wrap, monkeypatch):
    """A constant that a cell sets anew, or a mutable object's attribute, reaches the shapes that were drawn before."""
    settings = types.SimpleNamespace(level=1.0)
    schemes = wrap(Global()), wrap(Settings(settings))
    before = [float(scheme((4, 2))[0, 0]) for scheme in schemes]

    monkeypatch.setitem(globals(), "LEVEL", 2.0)
    settings.level = 2.0

    assert before == [1.0, 1.0]
    for scheme in schemes:
        assert scheme((4, 2))[0, 0] == scheme((5, 2))[0, 0] == scheme.shard((4, 2), (0, 0)) == 2.0


class Strange:
    """An array of another library, which may change at any time."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)


@pytest.mark.parametrize("value", [Strange(), [1.0, Strange()], {"a": Strange()}])
def test_another_librarys_array_is_no_parameter(value):
    """fanin can neither keep it from changing nor compare it, and its methods may mean something else than numpy's."""
    refused(lambda: Fill(value), TypeError, "must be numpy's arrays.*got a Strange.*np.asarray")
