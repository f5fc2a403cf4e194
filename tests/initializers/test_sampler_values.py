"""A sampler draws with the values that it reads: never with another's, an older one's, or in another type."""

import collections
import dataclasses
import enum
import functools
import math
import subprocess
import sys
import types

import numba
import numpy as np
import pytest

import fanin
from fanin import FaninError, FaninTypeError, Stream
from fanin.math import exp, fma, log, ndtri, sincospi, sqrt
from sampled import scheme

Bounds = collections.namedtuple("Bounds", "low high")
BOUNDS = Bounds(0.1, 0.3)
SCALE = 0.1


class Mode(enum.Enum):
    HALF = 0.1


class Count(enum.IntEnum):
    THREE = 3


class Settings:
    scale = 0.1


@dataclasses.dataclass(frozen=True)
class Scale:
    value: float = 0.1


def agree(function, dtype="float32", count=64):
    """The draw of a sampler, after both backends gave the same bits."""
    compiled = scheme(function)(count, dtype, seed=1)
    assert compiled.tobytes() == scheme(function)(count, dtype, "reference", seed=1).tobytes()
    return compiled


# -- values, by value ---------------------------------------------------------------------------------------------


def table(changed):
    """2,000 numbers that print alike: numpy elides the middle."""
    values = np.linspace(0.0, 1.0, 2000, dtype=np.float32)
    values[1000:1400] += np.float32(changed)
    assert repr(values) == repr(np.linspace(0.0, 1.0, 2000, dtype=np.float32))
    return values


def reading(container, pick):
    """A sampler that looks up u in a table inside a container."""

    def draw(u):
        return pick(container)[int(u * 1999.0)]

    return draw


def itself(value):
    return value


def first(value):
    return value[0]


CONTAINERS = {"array": (lambda values: values, itself), "tuple": (lambda values: (values, 1.0), first),
              "namedtuple": (lambda values: Bounds(values, 1.0), first)}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_tables_that_print_alike_are_two_tables(kind):
    """A table in a closure, alone or in a tuple or namedtuple, is read as it is, however it prints."""
    wrap, pick = CONTAINERS[kind]

    one, other = (agree(reading(wrap(table(changed)), pick)) for changed in (0.0, 0.25))

    at = (agree(lambda u: u) * np.float32(1999)).astype(int)
    assert (one == table(0.0)[at]).all() and (other == table(0.25)[at]).all() and (one != other).any()


def test_a_table_that_changes_is_read_anew():
    """A scheme draws with what tables and constants hold by then, also one that has drawn before."""
    values, module = table(0.0), types.ModuleType("module")
    exec("def draw(u):\n    return (lambda x: x * SCALE)(u)", vars(module))
    module.SCALE = 0.5
    sampler, old = reading(values, itself), scheme(reading(values, itself))
    before, half = old(64, seed=1), agree(module.draw)

    values[...] = 7.0
    module.SCALE = 0.25

    assert (agree(sampler) == 7.0).all() and (agree(module.draw) == half / 2).all()
    assert (old(64, seed=1) == 7.0).all() and (before != 7.0).all()


SCRIPT = '''
import collections, sys
import numpy as np
import fanin

GLOBAL = {constant}
TABLE = np.linspace(0.0, 1.0, 2000, dtype=np.float32)
TABLE[1000:1400] += np.float32({constant})
Pair = collections.namedtuple("Pair", "table number")
PAIR, NESTED = Pair(TABLE, 1.0), (1.0, (TABLE, 2.0))
helpers = type(sys)("helpers")
helpers.SCALE = np.float32({constant})

def array(u):
    return TABLE[int(u * 1999.0)]

def in_a_namedtuple(u):
    return PAIR.table[int(u * 1999.0)]

def in_a_tuple(u):
    return NESTED[1][0][int(u * 1999.0)]

def in_a_lambda(u):
    return (lambda x: x * GLOBAL)(u)

def in_an_inner_function(u):
    def inner(x):
        return x * GLOBAL
    return inner(u)

def in_a_comprehension(u):
    return sum([u * GLOBAL for _ in range(2)], 0.0)

def closure(constant):
    def in_a_closure(u):
        return (lambda x: x * constant)(u)
    return in_a_closure

def in_a_default(u, by={constant}):
    return u * by

def helper(x, by={constant}):
    return x * by

def in_a_helpers_default(u):
    return helper(u)

def in_another_module(u):
    return u * helpers.SCALE

for function in (array, in_a_namedtuple, in_a_tuple, in_a_lambda, in_an_inner_function, in_a_comprehension,
                 closure({constant}), in_a_default, in_a_helpers_default, in_another_module):
    class Sampled(fanin.Initializer):
        def plan(self, spec):
            return spec.draw(fanin.sampler(function))
    compiled, slow = Sampled()(64, seed=1), Sampled()(64, seed=1, device="reference")
    print(function.__name__, compiled.tobytes() == slow.tobytes(), float(compiled.astype(float).sum()))
'''


def test_an_edited_value_is_noticed_on_disk(tmp_path, monkeypatch):
    """A second process whose module holds other values compiles anew; a third draws as the first."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "module_of_a_user.py"
    drawn = []
    for constant in (0.25, 0.5, 0.25):
        path.write_text(SCRIPT.format(constant=constant))
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr[-2000:]
        drawn.append([line.split() for line in done.stdout.splitlines()])

    assert all(agreed == "True" for lines in drawn for _, agreed, _ in lines) and len(drawn[0]) == 10
    assert drawn[0] == drawn[2]
    for (name, _, before), (_, _, after) in zip(drawn[0], drawn[1], strict=True):
        ratio = float(after) / float(before)
        assert ratio > 1.01 if "a_" not in name or "tuple" in name else ratio == pytest.approx(2.0), name


# -- one type -----------------------------------------------------------------------------------------------------


@numba.njit
def compiled_helper(u):
    return u * 0.1


def of_a_namedtuple(u):
    return fma(u, BOUNDS.high, BOUNDS.low)


def of_an_njit_function(u):
    return compiled_helper(u) + u


def of_a_float64_table(u):
    return u * THIRDS[int(u * 2.0)]


def of_a_bool(u):
    return (u < 0.5) * 0.3 + u


def of_min(u):
    return min(u, 0.5) * 0.1


def annotated(u: float) -> float:
    return u * SCALE


THIRDS = np.array([1 / 3, 2 / 3])


@pytest.mark.parametrize("function", [of_a_namedtuple, of_an_njit_function, of_a_float64_table, of_a_bool, of_min,
                                      annotated])
def test_numbers_take_us_type_in_every_container(function):
    """Fields, tables and constants of compiled helpers are float32 in a float32 draw: equal bits on both backends."""
    assert len(set(agree(function).tolist())) > 5


def with_range(u):
    total = u
    for i in range(3):
        total = fma(u, 0.1, total) * i
    return total


def with_enumerate(u):
    total = u
    for i, value in enumerate((0.1, 0.2)):
        total = total + value * i
    return total


def with_sum(u):
    return sum((u, u * 0.1))


def with_round(u):
    return u + round(u * 10.0) * 0.1


def with_floor(u):
    return math.floor(u * 10.0) * 0.1


def with_len(u):
    return u * len(THIRDS)


def with_size(u):
    return u * THIRDS.size


def with_shape(u):
    return u * THIRDS.shape[0]


def with_min(u):
    return min(u, 1)


def with_a_rare_int(u):
    return u if u > 1e-9 else 0


def with_int(u):
    return u * int(u * 10.0)


def with_an_enum(u):
    return u * Mode.HALF.value


def with_an_int_enum(u):
    return u * Count.THREE


def with_a_class(u):
    return u * Settings.scale


def with_an_object(u):
    return u * scale.value


def with_a_namespace(u):
    return u * namespace.value


def with_a_partial(u):
    return half(u)


def with_a_module(u):
    module = math
    return u * module.pi


def with_objects(u):
    return u * objects[0]


scale, namespace = Scale(), types.SimpleNamespace(value=0.1)
half, objects = functools.partial(lambda by, u: u * by, 0.5), np.array([0.5], object)


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("function", [
    with_range, with_enumerate, with_sum, with_round, with_floor, with_len, with_size, with_shape, with_min, with_int,
    with_a_rare_int, with_an_enum, with_an_int_enum, with_a_class, with_an_object, with_a_namespace, with_a_partial,
    with_a_module, with_objects])
def test_what_leaks_or_can_not_be_followed_is_refused(function, device):
    """An int or float64 that enters unseen, or an object without a value: one line, nothing is drawn."""
    stream, out = Stream(0), np.full(4, 7, np.float32)

    with pytest.raises(FaninTypeError, match="`sampler`") as error:
        scheme(function)(4, device=device, seed=stream, out=out)

    assert function.__name__ in str(error.value) and "\n" not in str(error.value)
    assert stream.position == 0 and (out == 7).all()


# -- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [compiled_helper, numba.njit(with_sum), numba.vectorize(lambda u: u)])
def test_compiled_functions_are_not_samplers(thing):
    """fanin compiles a sampler itself: one that numba has is refused, with what to do."""
    with pytest.raises(FaninTypeError, match="leave @njit out"):
        fanin.sampler(thing)


def test_a_sampler_that_was_compiled_afterwards():
    """@njit over @fanin.sampler is refused when it is planned with."""
    with pytest.raises(FaninTypeError, match="`sampler`.*leave @njit out"):
        fanin.TensorSpec(3).draw(numba.njit(fanin.sampler(annotated)))


@pytest.mark.parametrize("function", [
    lambda u: math.sqrt(u - 1.0), lambda u: u * undefined, lambda u: fma(2, u, u), lambda u: log(1),  # noqa: F821
    lambda u: u / [], lambda u: 1 // 0 * u,
])
def test_a_sampler_that_raises(function):
    """Whatever a sampler raises while it is tried is one FaninTypeError that names it."""
    with pytest.raises(FaninTypeError, match="`sampler`.*<lambda>") as error:
        scheme(function)(3, seed=0)
    assert "\n" not in str(error.value)


def test_before_a_variable_is_set():
    """A closure's variable without a value is named."""
    def draw(u):
        return u * later

    with pytest.raises(FaninTypeError, match="later"):
        scheme(draw)(3, seed=0)
    later = 0.5
    assert agree(draw).size == 64 and later == 0.5


def test_fanin_math_of_plain_numbers():
    """Python's floats are float64, beside a float32 they are float32, and nothing raises inside float's range."""
    assert log(0.5) == pytest.approx(math.log(0.5), rel=1e-15) and type(log(0.5)) is np.float64
    assert math.isnan(sqrt(-1.0)) and math.isnan(log(-1.0)) and log(0.0) == -math.inf and exp(1e9) == math.inf
    assert type(fma(np.float32(2), 0.5, 0.25)) is np.float32 and fma(np.float32(2), 0.5, 0.25) == 1.25
    assert ndtri(0.5) == 0 and sincospi(0.5) == (1.0, 0.0)


@pytest.mark.parametrize("call", [
    lambda: fma(2, 0.5, 0.5), lambda: sqrt(-1), lambda: log(True), lambda: log(np.ones(3)), lambda: log("1"),
    lambda: fma(np.float32(1), np.float64(1), 1.0), lambda: log(None), lambda: log(np.float16(1)), lambda: log(1j),
])
def test_fanin_math_refuses(call):
    """Anything but float32, float64 and Python's floats, or two types at once, is a FaninTypeError of one line."""
    with pytest.raises(FaninTypeError, match="`fanin.math") as error:
        call()
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


def test_a_sampler_called_by_hand():
    """A sampler is an ordinary function: of plain floats it gives the number, in float64."""
    @fanin.sampler
    def laplace(u, loc, scale):
        side = scale if u < 0.5 else -scale
        return fma(side, log(2.0 * (u if u < 0.5 else 1.0 - u)), loc)

    assert laplace(0.25, 1.0, 2.0) == pytest.approx(1 + 2 * math.log(0.5), rel=1e-15)
