"""Schemes are values, however their class is written: immutable, hashable, the same after any copy, JSON and YAML."""

import copy
import enum
import functools
import json
import math
import pickle
import sys
import zlib
from collections import namedtuple
from dataclasses import InitVar, dataclass, field

import cloudpickle
import numpy as np
import pytest
import yaml

import fanin
from fanin import Constant, FaninError, Initializer, Normal, Registry, Uniform

NAMES = Registry.names()
NEEDS = {"array": {"value": [1.0, 2.0, 3.0]}, "sparse": {"sparsity": 0.25}, "chrono": {"t_max": 100},
         "blocks": {"inits": ["zeros", "normal"], "sizes": [1, -1]}}


# -- classes as users write them ---------------------------------------------------------------------------------


class Draws(Initializer):
    """What the classes below draw: something that depends on every parameter."""

    def plan(self, spec):
        config = json.dumps(self.get_config(), sort_keys=True)
        return Normal(0.0, 1 + zlib.crc32(config.encode()) / 2**32).plan(spec)


class Slotted(Draws):
    __slots__ = ("gain", "table")

    def __init__(self, gain=1.0, table=()):
        self.gain, self.table = gain, table


@dataclass
class Plain(Draws):
    gain: float = 1.0
    parts: list = field(default_factory=list)


@dataclass(frozen=True)
class Frozen(Draws):
    gain: float
    weights: tuple[float, ...] = (1.0, 2.0)


@dataclass(slots=True)
class SlottedData(Draws):
    gain: float = 1.0
    label: str = "inf"


PARENT = Normal(0.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FrozenSlottedData(Draws):
    gain: float = 1.0
    inner: Initializer = PARENT


class ClassDefaults(Draws):
    gain = 1.0
    parts = [1, 2]

    def __init__(self, gain=None, parts=None):
        if gain is not None:
            self.gain = gain
        if parts is not None:
            self.parts = parts


class Mode(enum.StrEnum):
    SUM = "sum"
    MEAN = "mean"


class OldMode(str, enum.Enum):  # noqa: UP042  # as before Python 3.11
    SUM = "sum"


class Level(enum.Enum):
    LOW = 0.5
    HIGH = 2.0


class Parts(enum.Flag):
    WEIGHT = 1
    BIAS = 2


class Chosen(Draws):
    def __init__(self, mode: Mode = Mode.SUM, old=OldMode.SUM, level: "enum.IntEnum | int" = 1,
                 height: Level = Level.LOW, parts: Parts = Parts.WEIGHT):
        self.mode, self.old, self.level, self.height, self.parts = mode, old, level, height, parts


class Texts(Draws):
    def __init__(self, label="a", other: str | None = None, either: "str | float" = 0.0, unknown=None):
        self.label, self.other, self.either, self.unknown = label, other, either, unknown


class Numbers(Draws):
    def __init__(self, z=None, w: complex = 1j, default=2j, parts=0.0):
        self.z, self.w, self.default, self.parts = z, w, default, parts


def logged(init):
    @functools.wraps(init)
    def wrapper(*args, **keywords):
        return init(*args, **keywords)
    return wrapper


class Wrapped(Draws):
    @logged
    def __init__(self, gain=1.0, *, groups: int = 1):
        self.gain, self.groups = gain, groups


class Nested(Draws):
    def __init__(self, tables=None, array=None, pair=None):
        self.tables, self.array, self.pair = tables, array, pair


class Behind(Draws):
    """Its parameter is a property over a private attribute."""

    def __init__(self, gain=1.0):
        self._gain = gain

    @property
    def gain(self):
        return self._gain


Pair = namedtuple("Pair", "low high")
ODD = [
    Slotted(), Slotted(2.0, [1, [2, 3]]),
    Plain(), Plain(2.0, [1, 2.5, None, Uniform()]),
    Frozen(1.0), Frozen(math.inf, [1, 2]),
    SlottedData(), SlottedData(3.0, "nan"), FrozenSlottedData(), FrozenSlottedData(inner=Uniform()),
    ClassDefaults(), ClassDefaults(2.0, [3]),
    Chosen(), Chosen(Mode.MEAN, "else", 3), Chosen("mean"), Chosen(np.str_("sum")),
    Chosen(height=Level.HIGH, parts=Parts.WEIGHT | Parts.BIAS), Chosen(parts=Parts(0)),
    Texts(), *(Texts(text, text, text, text) for text in ("inf", "-inf", "nan", "sum", "")),
    Texts(math.inf, None, math.inf, math.nan), Texts(["inf", math.inf], "x", ["nan", math.nan], np.str_("inf")),
    Numbers(), Numbers(1 + 2j, 1 + 2j, 1 + 2j, 1 + 2j), Numbers([1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]),
    Numbers([1j, 2.0], complex(math.nan, -math.inf), ["inf", 1.0], [[1, 2], 3j]), Numbers(0, 1, 2, True),
    Numbers(np.float32(0.1), np.complex64(1j), np.int8(3), np.bool_(True)), Numbers(-0.0, 0.0, 1e300, 2**70),
    Wrapped(), Wrapped(2.0, groups=3),
    Nested({"a": [math.inf], "b": {"c": True}}, np.arange(6.0).reshape(2, 3), Pair(1, [2.0])),
    Nested({"scheme": 1}, np.array([1 + 2j, complex(math.nan, math.inf)], np.complex64), {"str": "inf"}),
    Nested(None, np.arange(3, dtype=">i4"), [np.array([1.5, -2.0], ">c16"), complex(0, -1), -1j, complex(1, -0.0)]),
    Nested({"dtype": 1, "shape": 2, "data": 3}, [np.array([True]), np.zeros((0, 3))], Normal()),
    Behind(), Behind(2.0),
]
SCHEMES = [Registry.get(name, **NEEDS.get(name, {})) for name in NAMES]


def yaml_of(scheme):
    return Initializer.from_config(yaml.safe_load(yaml.safe_dump(scheme.get_config())))


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "replace": lambda scheme: scheme.replace(),
    "constructor": lambda scheme: type(scheme)(**{name: getattr(scheme, name) for name in
                                                  list(scheme.get_config())[2:]}),
    **{f"pickle{protocol}": functools.partial(lambda protocol, scheme: pickle.loads(pickle.dumps(scheme, protocol)),
                                              protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
    "cloudpickle": lambda scheme: pickle.loads(cloudpickle.dumps(scheme)),
    "json": lambda scheme: Initializer.from_config(json.loads(json.dumps(scheme.get_config(), allow_nan=False))),
    "yaml": yaml_of,
}
if sys.version_info >= (3, 13):
    WAYS["copy.replace"] = copy.replace


@pytest.fixture
def odd(registry):
    """The registry with all classes of this file in it."""
    for cls in {type(scheme) for scheme in ODD}:
        registry.register(f"odd_{cls.__name__}")(cls)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", SCHEMES + ODD, ids=repr)
def test_a_copy_is_the_same_value(scheme, way, odd):
    """Whatever way a scheme takes, what arrives is equal, has the same hash, type, config, repr of JSON and plan."""
    shape = {"Eye": (3, 3), "ICNR": (4, 3, 3), "Chrono": (4,), "LSTMBias": (4,)}.get(type(scheme).__name__, (3, 3, 3))
    plan = scheme.describe(shape)

    again = WAYS[way](scheme)

    assert again == scheme and hash(again) == hash(scheme) and type(again) is type(scheme)
    assert {scheme: 1}[again] == 1
    assert again.get_config() == scheme.get_config()
    assert again.describe(shape) == plan


@pytest.mark.parametrize("scheme", SCHEMES + ODD, ids=repr)
def test_repr_rebuilds_a_scheme(scheme):
    """The repr is an expression that gives the same value, signs of zeros and members of enumerations included."""
    names = {**globals(), **vars(fanin)}

    again = eval(repr(scheme), names)

    assert again == scheme and repr(again) == repr(scheme)


def test_members_come_back_as_members(odd):
    """A parameter annotated as an enumeration is its member again after JSON, whatever the member's value is."""
    scheme = Chosen(height=Level.HIGH, parts=Parts.WEIGHT | Parts.BIAS)

    again = Initializer.from_config(json.loads(json.dumps(scheme.get_config())))

    assert again.height is Level.HIGH and again.parts is Parts.WEIGHT | Parts.BIAS and again.mode is Mode.SUM


@pytest.mark.parametrize("scheme", SCHEMES + ODD, ids=repr)
def test_nothing_of_a_scheme_can_be_set(scheme, odd):
    """No attribute can be set or deleted: neither a parameter nor a name of another framework, nor what is new."""
    before = json.dumps(scheme.get_config())

    for name in [*list(scheme.get_config())[2:], "stddev", "anything", "_private"]:
        with pytest.raises(AttributeError):
            setattr(scheme, name, 0.02)
    for name in list(scheme.get_config())[2:]:
        with pytest.raises(AttributeError):
            delattr(scheme, name)
    assert json.dumps(scheme.get_config()) == before


def test_a_misspelled_parameter_is_named():
    """`scheme.stddev = 0.02` says that there is no such parameter, and which one was meant."""
    with pytest.raises(AttributeError, match=r"`stddev` is no parameter of Normal.*replace\(std=\.\.\.\)") as error:
        Normal().stddev = 0.02
    assert isinstance(error.value, FaninError)


@pytest.mark.parametrize("cls", [Slotted, Plain, ClassDefaults, Nested])
def test_what_was_given_may_change(cls):
    """A list, dict or array that is changed after it was given changes neither the scheme nor what it draws."""
    inner = [2, 3]
    given = {"list": [1, inner], "dict": {"a": inner}, "array": np.arange(3.0)}
    for value in given.values():
        scheme = cls(None, value)
        before, config, plan = hash(scheme), json.dumps(scheme.get_config()), scheme.describe(3)
        if isinstance(value, np.ndarray):
            value[:] = 7
        else:
            inner.append(4)
            value.clear()
        assert hash(scheme) == before and json.dumps(scheme.get_config()) == config and scheme.describe(3) == plan
        assert cls(None, value) != scheme and cls(None, value).describe(3) != plan


def test_what_a_scheme_holds_does_not_change():
    """Its lists are tuples, its dicts are read-only, and its arrays can't be made writable."""
    scheme = Nested({"a": [1]}, np.arange(3.0), [[1], {2}])

    assert scheme.pair == ((1,), frozenset({2})) and scheme.tables["a"] == (1,)
    with pytest.raises(TypeError):
        scheme.tables["a"] = 2
    with pytest.raises(ValueError):
        scheme.array[0] = 7
    with pytest.raises(ValueError):
        scheme.array.flags.writeable = True
    with pytest.raises(ValueError):
        Constant([1.0, 2.0]).value.flags.writeable = True


def test_a_class_attribute_may_change():
    """What a scheme took from its class is its own: another value there is another scheme's."""
    class Changing(Draws):
        gain = 1.0

        def __init__(self, gain=None):
            pass

    scheme = Changing()
    before = hash(scheme)
    Changing.gain = 2.0

    assert scheme.gain == 1.0 and hash(scheme) == before and Changing() != scheme


@pytest.mark.parametrize(("one", "other"), [
    (1, 1.0), (1, True), (0.0, -0.0), ("1", 1), ("inf", math.inf), (1 + 2j, [1.0, 2.0]), (1 + 0j, 1.0), (None, "None"),
    (np.zeros(2), np.zeros((2, 1))), (np.zeros(2), np.zeros(2, np.float32)), (np.zeros(2), [0.0, 0.0]),
    (np.zeros(2, "i4,f4"), np.zeros(2, "f4,i4")),
    (np.zeros(2), np.array([0.0, -0.0])), (np.arange(3000.0), np.arange(3000.0)[::-1]), ({"a": 1}, {"a": 2}),
    ({"1": 1}, {1: 1}), (Normal(), Normal().get_config()), ([1, 2], [2, 1]), (b"a", "a"),
])
def test_different_values_make_different_schemes(one, other):
    """Values that a config or a draw tells apart are not equal; each is equal to itself."""
    assert Nested(one) != Nested(other)
    assert Nested(one) == Nested(copy.deepcopy(one)) and hash(Nested(one)) == hash(Nested(copy.deepcopy(one)))


def test_equal_values_make_equal_schemes():
    """A list is as good as a tuple, a numpy scalar as Python's, a member as its value; NaN is equal to itself."""
    for one, other in [([1, 2], (1, 2)), (np.float64(0.5), 0.5), (np.str_("a"), "a"), (Mode.SUM, "sum"),
                       (math.nan, float("nan")), (np.array([np.nan]), -np.array([np.nan])),
                       (np.arange(3), np.arange(3, dtype=">i8")), (np.int8(1), 1)]:
        assert Nested(one) == Nested(other) and hash(Nested(one)) == hash(Nested(other))


# -- what is refused, and when -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["version", "scheme", "plan", "describe", "replace", "shard", "get_config",
                                  "from_config"])
def test_reserved_names_are_refused_when_the_class_is_defined(name):
    """A parameter that is something else in every config or scheme is a TypeError of the class statement."""
    names = {}
    exec(f"def init(self, {name}=1):\n    self.{name} = {name}", names)

    with pytest.raises(TypeError, match=f"Odd.__init__.*'{name}'") as error:
        type(Initializer)("Odd", (Draws,), {"__init__": names["init"]})
    assert isinstance(error.value, FaninError)
    with pytest.raises(TypeError, match=f"'{name}'"):
        dataclass(type(Initializer)("Odd", (Draws,), {"__annotations__": {name: int}, name: 1}))


@pytest.mark.parametrize("init", [
    lambda self, *values: None, lambda self, **values: None, lambda self, gain, /: None, lambda *args: None,
])
def test_parameters_without_a_name_are_refused_when_the_class_is_defined(init):
    """Every parameter must have a name that a config can carry."""
    with pytest.raises(TypeError, match="Odd.__init__.*functools.wraps") as error:
        type(Initializer)("Odd", (Draws,), {"__init__": init})
    assert isinstance(error.value, FaninError)


def test_parameters_that_would_be_lost_are_refused_when_the_class_is_defined():
    """A dataclass's InitVar and the parameters of __new__ are in no config: two schemes would be equal that aren't."""
    with pytest.raises(TypeError, match="'gain', an InitVar") as error:
        @dataclass
        class Passing(Draws):
            gain: InitVar[float] = 1.0
    assert isinstance(error.value, FaninError)

    with pytest.raises(TypeError, match="Making must take its parameters in __init__") as error:
        class Making(Draws):
            def __new__(cls, gain=1.0):
                return super().__new__(cls)
    assert isinstance(error.value, FaninError)


@pytest.mark.parametrize("value", [Normal, np.array(["a"]), np.array([1, None]), np.zeros(2, "i4,f4")],
                         ids=["class", "strings", "objects", "structured"])
def test_what_no_config_holds(value):
    """A class, or an array of anything but numbers, has no config: the error is get_config's, and not from_config's."""
    with pytest.raises(TypeError, match="`pair` must be.*to have a config") as error:
        Nested(pair=value).get_config()
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


def test_an_abstract_class_may_pass_parameters_on():
    """Only what can be a scheme needs names: a base class without a plan takes what its subclasses give it."""
    class Base(Initializer):
        def __init__(self, *args, **keywords):
            self.given = args, keywords

    class Derived(Base):
        def __init__(self, gain=1.0):
            super().__init__(gain)
            self.gain = gain

        def plan(self, spec):
            return spec.fill(self.gain)

    assert Derived(2.0) == Derived(2.0) != Derived()


def test_a_list_behind_a_property_is_refused():
    """What can't be replaced by its frozen form is refused, and not left to change."""
    with pytest.raises(TypeError, match="`gain` of Behind.*property") as error:
        Behind([1.0])
    assert isinstance(error.value, FaninError)


class Halving(Normal):
    def __init__(self, std=0.02):
        super().__init__(0.0, std / 2)


class Looking(Draws):
    def __init__(self, activation="relu"):
        self.activation = {"relu": 2.0}[activation]


@dataclass
class Doubling(Draws):
    values: tuple = (1.0, 2.0)

    def __post_init__(self):
        self.values = [2 * value for value in self.values]


@pytest.mark.parametrize(("make", "message"), [
    (Halving, r"Halving.__init__ must store `std` as it is given, .* \(it stored 0.01, and of that 0.005\): compute"),
    (lambda: Halving(std=2.0), r"`std` .*1.0, and of that 0.5"),
    (lambda: Halving(2.0), r"`std` .*1.0, and of that 0.5"),
    (Doubling, r"`values` .*\(2.0, 4.0\), and of that \(4.0, 8.0\)"),
    (Looking, r"Looking.__init__ must take what it stores, .* \(it stored `activation` 2.0, .*KeyError"),
])
def test_a_constructor_whose_copies_would_differ_is_refused(make, message):
    """Copies, pickles and configs hold what is stored: a class that makes something else of that drew other weights."""
    with pytest.raises(TypeError, match=message) as error:
        make()
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


def test_a_constructor_may_store_another_form():
    """An int becomes a float, a list floats: what is made of that form is that form again."""
    class Forming(Draws):
        def __init__(self, gain=1, values=(1, 2), nothing=float("nan")):
            self.gain, self.values, self.nothing = float(gain), [float(value) for value in values], -nothing

    scheme = Forming(3)
    assert (scheme.gain, scheme.values) == (3.0, (1.0, 2.0))
    assert copy.copy(scheme) == scheme == scheme.replace() and scheme.replace(gain=4) != scheme


@pytest.mark.parametrize("value", [np.timedelta64(3, "s"), [np.timedelta64(3, "s")]])
def test_a_time_span_is_refused(value):
    """numpy calls it an integer, which would lose its unit."""
    with pytest.raises(TypeError, match=r"without a unit \(got .*timedelta64\(3,'s'\)\): give its number") as error:
        Nested(pair=value)
    assert isinstance(error.value, FaninError)


def test_a_parameter_without_a_hash_is_named():
    """A value that nothing can compare is a one-line error when the scheme is compared."""
    class Unhashable:
        __hash__ = None

    with pytest.raises(TypeError, match="`tables`.*Unhashable"):
        hash(Nested(Unhashable()))


class WithoutRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize("call", [
    lambda: Normal(10**5000), lambda: Uniform(-10**5000), lambda: Constant(10**5000), lambda: fanin.Eye(10**5000),
    lambda: fanin.Orthogonal(axis=10**5000), lambda: fanin.Dirac(10**5000), lambda: fanin.Sparse(0.5, axis=-10**5000),
    lambda: fanin.VarianceScaling(groups=10**5000), lambda: fanin.VarianceScaling(fan_in=10**5000),
    lambda: fanin.Blocks(["zeros"], sizes=[10**5000]), lambda: fanin.Blocks(["zeros"], 10**5000),
    lambda: Normal()(10**5000), lambda: Normal()((2, 10**5000)), lambda: Normal()(3, seed=10**5000),
    lambda: fanin.seed(-10**5000), lambda: fanin.Stream(0, 10**5000), lambda: fanin.stream.words(0, start=10**5000),
    lambda: Registry.get("normal", std=10**5000), lambda: Normal.from_config({"std": 10**5000}),
    lambda: Normal.from_config({"version": 10**5000}), lambda: Normal().shard((3,), 10**5000, seed=0),
    lambda: Normal.from_config({str(number): 1 for number in range(100_000)}),
    lambda: Normal.from_config({"x" * 100_000: 1}), lambda: Registry.get("x" * 100_000),
    lambda: Initializer.from_config(deep(900)), lambda: Registry.get(deep(900)),
    lambda: Registry.get({"name": "normal", "std": deep(900)}),
    lambda: Normal.from_config({"std": deep_list(900)}), lambda: Nested(10**5000).get_config(),
    lambda: Normal.from_config([10**5000]), lambda: Registry.get(10**5000),
    lambda: Normal().replace(**{"x" * 10**5: 1}), lambda: Initializer.from_config({"scheme": 10**5000}),
    lambda: Normal().shard((3,), [10**5000]), lambda: fanin.VarianceScaling(layout=10**5000),
    lambda: Normal()(3, device=10**5000), lambda: Registry.get("normal", profile=10**5000),
    lambda: fanin.math.gain(10**5000), lambda: fanin.math.log(10**5000), lambda: Registry.register(10**5000),
    lambda: fanin.sampler(10**5000), lambda: fanin.TensorSpec(3).draw(10**5000),
    lambda: fanin.Rules({"a": {"name": "normal", "std": 10**5000}}), lambda: fanin.Rules([{"match": 10**5000}]),
    lambda: Constant.from_config({"value": {"dtype": "float32", "shape": [10**5000], "data": [1]}}),
    lambda: fanin.TensorSpec(3).fill(10**5000), lambda: fanin.Rules([10**5000]), lambda: fanin.Rules.read(10**5000),
    lambda: Registry.aliases(10**5000), lambda: Normal(std=WithoutRepr()), lambda: Registry.get(WithoutRepr()),
])
def test_monstrous_arguments_are_one_readable_line(call):
    """Numbers of 5000 digits, 100,000 keys, 900 levels: a FaninError of one line that a terminal can show."""
    with pytest.raises(FaninError) as error:
        call()

    assert "\n" not in str(error.value) and len(str(error.value)) < 1000 and "`" in str(error.value)


def deep(levels):
    config = {"scheme": "normal"}
    for _ in range(levels):
        config = {"scheme": "blocks", "inits": [config]}
    return config


def deep_list(levels):
    value = 1.0
    for _ in range(levels):
        value = [value]
    return value


# -- arrays ---------------------------------------------------------------------------------------------------------


class WithDLPack:
    """An array of a library that fanin doesn't know: nothing but DLPack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **keywords):
        return self._array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def test_a_constant_takes_dlpack():
    """Anything with DLPack is a constant's value, and is copied."""
    array = np.arange(6.0).reshape(2, 3)
    scheme = Constant(WithDLPack(array))
    array[:] = 7

    assert scheme == Constant(np.arange(6.0).reshape(2, 3))


def test_a_constant_has_all_its_values():
    """A masked array's hidden values are not taken for values, and one that hides nothing is an array."""
    array = np.ma.masked_array(np.arange(3.0), mask=[False, True, False])
    with pytest.raises(fanin.FaninTypeError, match=r"^`value` must have all its values .*`filled\(0.0\)`"):
        Constant(array)

    assert Constant(array.filled(0.0)) == Constant([0.0, 0.0, 2.0])
    assert Constant(np.ma.masked_array(np.arange(3.0), mask=[False] * 3)) == Constant(np.arange(3.0))


def test_a_constants_plan_is_a_value():
    """Equal arrays give equal plans, other values others."""
    one, same, other = (Constant(np.arange(3.0) + offset).describe((2, 3)) for offset in (0, 0, 1))

    assert one == same != other and hash(one) == hash(same)


def test_a_table_of_a_large_constant_is_readable():
    """In a table of rules an array is named by its shape; a few numbers are shown."""
    from fanin.rules._table import label

    assert label(Constant(np.zeros((20, 30)))) == "Constant(value=<array of shape (20, 30)>)"
    assert label(Constant([1.0, 2.0])) == "Constant(value=np.array([1.0, 2.0], dtype='float64'))"
