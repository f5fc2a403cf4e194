"""What a compiler makes of a sampler is what Python makes of it, or is refused before a stream moves."""

import collections
import functools
import types

import numpy as np
import pytest

import fanin
from fanin import FaninError, FaninTypeError, Stream
from fanin.math import fma, log
from sampled import scheme


def drawn(function, device="cpu"):
    return scheme(function)(16, device=device, seed=1).tolist()


# -- two samplers that look alike -----------------------------------------------------------------------------------


def with_an_alias(of_first):
    """Two helpers of one name, and a third name for one of them."""
    a, b = (lambda x: x * 2.0), (lambda x: x * 3.0)
    c = a if of_first else b
    return lambda u: a(u) + b(u) + c(u)


def with_keywords(in_order):
    """Helpers of the same code, whose parameters stand the other way round."""
    if in_order:
        def helper(a, b):
            return a - b
    else:
        def helper(b, a):
            return b - a
    return lambda u: helper(a=u, b=0.25)


def with_swapped_defaults(in_order):
    """The same defaults, for parameters of other names."""
    if in_order:
        def helper(x, a=0.5, b=0.25):
            return x - a * b * a
    else:
        def helper(x, b=0.5, a=0.25):
            return x - b * a * b
    return lambda u: helper(u, a=0.1)


def with_a_class_of_fields(in_order):
    """Named tuples of one name, whose fields stand the other way round."""
    made = collections.namedtuple("Pair", "x y" if in_order else "y x")
    return lambda u: made(u, 0.5).x


def with_a_decorator(scaled):
    """A function that took the name of one of fanin's own from functools.wraps."""
    factor = 0.5 if scaled else 0.25

    @functools.wraps(log)
    def wrapper(x):
        return log(x) * factor
    return lambda u: wrapper(u)


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("make", [with_an_alias, with_keywords, with_swapped_defaults, with_a_class_of_fields,
                                  with_a_decorator])
def test_samplers_that_look_alike_are_two_samplers(make, device):
    """Helpers are told apart by which is called where, and by their parameters' names, not by their own."""
    one, other = drawn(make(True), device), drawn(make(False), device)

    assert one != other and one == drawn(make(True), device)


class Methods(collections.namedtuple("Methods", "x y")):
    @property
    def scale(self):
        return self.x * 2.0


METHODS = Methods(0.5, 1.0)
Defaults = collections.namedtuple("Defaults", "x scale", defaults=(0.5,))


def a_named_tuples_property(u):
    return u * METHODS.scale


def a_named_tuples_default(u):
    return u * Defaults(u).scale


def a_functions_attribute(u):
    return a_helper(u)


def a_helper(x):
    return x * a_helper.factor


a_helper.factor = 0.5
vectorized, polynomial = np.vectorize(lambda x: x * 0.5), np.poly1d([0.5, 1.0])


def a_numpy_object(u):
    return np.float32(vectorized(u))


def a_polynomial(u):
    return np.float32(polynomial(u))


def a_random_function(u):
    return u * np.float32(np.random.rand())


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("function", [a_named_tuples_property, a_named_tuples_default, a_functions_attribute,
                                      a_numpy_object, a_polynomial, a_random_function])
def test_what_is_not_compared_can_not_be_read(function, device):
    """A named tuple's methods and defaults, functions' attributes and objects with a call are refused on any device."""
    with pytest.raises(FaninTypeError, match=f"`sampler`.*{function.__name__}") as error:
        drawn(function, device)
    assert "\n" not in str(error.value)


TABLE = np.array([0.1, 0.2, 0.3, 0.4])


def test_a_part_of_a_table():
    """A slice is a constant, as it is on Python 3.14 wherever it is written in numbers, and is compared by value."""
    def made(window):
        return lambda u: TABLE[1:3][0] * u + TABLE[window][0] * u

    one, other, python = drawn(made(slice(1, 3))), drawn(made(slice(2, 4))), drawn(made(slice(1, 3)), "reference")

    assert one == python and one != other


def test_a_function_of_another_module_is_imported_by_name():
    """Behind a module's name a function is not compiled: the message says how to import it."""
    helpers = types.ModuleType("helpers")
    exec("def half(x):\n    return x * 0.5", vars(helpers))
    half = helpers.half

    with pytest.raises(FaninTypeError, match="`sampler`.*helpers.half.*from helpers import half"):
        drawn(lambda u: helpers.half(u))
    assert drawn(lambda u: half(u)) == drawn(lambda u: u * 0.5)


def test_a_decorated_sampler():
    """functools.wraps around a sampler leaves the wrapper's own parameters in force."""
    def doubled(function):
        @functools.wraps(function)
        def wrapper(x):
            return function(x) * 2.0
        return wrapper

    @fanin.sampler
    @doubled
    def draw(u):
        return u

    assert drawn(draw) == [2 * u for u in drawn(lambda u: u)]


# -- a type that no tried number shows ------------------------------------------------------------------------------


def before_a_loop(u):
    total = 0
    for x in (0.1, 0.2):
        total = u * x
    return total * 0.1 + 0.3


def on_a_path_never_taken(u):
    return (u if u < 2.0 else 1) * 0.3 + 0.1


def on_a_rare_path(u):
    return (u if not 0.3 < u < 0.301 else 1) * 0.3 + 0.1


def returned_never(u):
    if u < 2.0:
        return u * 0.3 + 0.1
    return 1


def in_a_helper(u):
    return on_a_path_never_taken(u) * 0.3


def truths(u):
    return ((u < 0.3) + (u < 0.6)) * 0.5


def products_of_truths(u):
    return ((u < 0.9) * (u > 0.1)) * 0.7 * u


def complex_numbers(u):
    return (u * (0.1 + 0.2j)).real


def a_fused_operand(u):
    total = 0
    for x in (0.1, 0.2):
        total = u * x
    return fma(u, total * 0.7 * 0.3, 0.3)


@pytest.mark.parametrize("function", [before_a_loop, on_a_path_never_taken, on_a_rare_path, returned_never, in_a_helper,
                                      truths, products_of_truths, complex_numbers, a_fused_operand])
def test_the_compilers_type_counts(function):
    """Where a compiler must compute in float64, though Python's numbers never left float32, a sampler is refused."""
    stream, out = Stream(0), np.full(4, 7, np.float32)

    with pytest.raises(FaninTypeError, match=r"compiler finds.*float64.*2\.0") as error:
        scheme(function)(4, seed=stream, out=out)

    assert "\n" not in str(error.value) and stream.position == 0 and (out == 7).all()


# -- two meanings, and none -----------------------------------------------------------------------------------------


def sums_of_truths(u):
    return np.float32(0.5) * np.float32((u < 0.3) + (u < 0.6))


def whole_numbers_that_overflow(u):
    return np.float32(int(u * 4e9) * int(u * 4e9) * 7) * u


def small_whole_numbers(u):
    return np.float32(np.int8(u * 100.0) + np.int8(100)) * u


@pytest.mark.parametrize("function", [sums_of_truths, whole_numbers_that_overflow, small_whole_numbers])
def test_python_and_the_compiler_must_agree(function):
    """Code that means one number to Python and another to a compiler is refused, and says so."""
    stream = Stream(0)

    with pytest.raises(FaninTypeError, match=f"`sampler` {function.__name__} must mean the same to Python"):
        scheme(function)(4, seed=stream)

    assert stream.position == 0


def test_a_librarys_rounding_is_not_a_disagreement():
    """numpy's functions differ in the last digit between Python and compiled code: they draw, without the promise."""
    a, b = (np.array(drawn(lambda u: np.tan(u) + np.floor(u * 1e3), device)) for device in ("cpu", "reference"))

    assert np.abs(a - b).max() < 1e-3


def an_import(u):
    import math

    return u * np.float32(math.pi)


def a_global(u):
    global changed
    changed = u
    return u


def a_starred_tuple(u):
    first, *rest = (u, 0.1, 0.2)
    return first * rest[0]


def a_half_table(u):
    return u * np.float32(HALVES[int(u * 2.0)])


HALVES = np.array([0.25, 0.5], np.float16)


@pytest.mark.parametrize("function", [an_import, a_global, a_starred_tuple, a_half_table])
def test_whatever_a_compiler_raises(function):
    """An error of numba's that is none of its own kind of errors is one line, too, and nothing has moved."""
    stream, out = Stream(0), np.full(4, 7, np.float32)

    with pytest.raises(FaninError, match=f"`sampler` {function.__name__} must be made of") as error:
        scheme(function)(4, seed=stream, out=out)

    assert "\n" not in str(error.value) and stream.position == 0 and (out == 7).all()


def test_no_elements_need_no_compiler():
    """A draw without elements succeeds whatever the sampler, as it draws nothing, and takes its stream id."""
    stream = Stream(0)

    assert scheme(an_import)((0, 3), seed=stream).shape == (0, 3) and stream.position == 1
