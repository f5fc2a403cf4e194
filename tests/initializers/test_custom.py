"""A user's own distribution and scheme get everything: registry, config, pickle, shard, out, every device and dtype."""

import json
import math
import pickle

import numpy as np
import pytest

import fanin
from fanin import FaninError, Initializer, Normal, Registry, Stream, TensorSpec
from fanin.math import exp, expm1, fma, log, log1p, ndtri, sincospi, sqrt

REAL = ("float16", "bfloat16", "float32", "float64")


@fanin.sampler
def laplace(u, loc, scale):
    tail = u if u < 0.5 else 1.0 - u
    size = -log(2.0 * tail)
    return fma(size if u >= 0.5 else -size, scale, loc)


class Laplace(Initializer):
    """The double exponential distribution."""

    def __init__(self, loc=0.0, scale=1.0):
        self.loc = loc
        self.scale = scale

    def plan(self, spec):
        return spec.draw(laplace, self.loc, self.scale, mean=self.loc, std=math.sqrt(2) * self.scale)


@pytest.fixture
def registered(registry):
    """Laplace under its name, for one test."""
    return registry.register("contract_laplace", "double_exponential")(Laplace)


def words(count, dtype, seed):
    """The integers behind `count` elements, by the contract's section 2."""
    raw = fanin.stream.words(seed, None, 0, count * (2 if dtype == "float64" else 1)).astype(np.uint64)
    return raw[::2] + (raw[1::2] << np.uint64(32)) if dtype == "float64" else raw


def sampled(function, *params):
    """A scheme that draws with the sampler `function`."""
    function = fanin.sampler(function)

    class Sampled(Initializer):
        def plan(self, spec):
            return spec.draw(function, *params)

    return Sampled()


def agree(scheme, dtype="float32", count=9):
    """The draw, after both backends gave the same bits."""
    compiled = scheme(count, dtype, seed=1)
    assert compiled.tobytes() == scheme(count, dtype, "reference", seed=1).tobytes()
    return compiled


@pytest.mark.parametrize("dtype", REAL)
def test_a_sampler_runs_on_every_backend(dtype):
    """One function, the same bits from the compiled kernel and from Python, in each real dtype."""
    w = agree(Laplace(1.0, 0.5), dtype, 37)

    x = words(37, dtype, 1)
    if dtype == "float64":
        u = np.minimum((x.astype(np.float64) + 0.5) * 2.0**-64, 1 - 2.0**-53)
    else:
        u = ((x.astype(np.float64) + 0.5) * 2.0**-32).astype(np.float32).astype(np.float64)
    wanted = 1 + 0.5 * np.where(u < 0.5, np.log(2 * u), -np.log(2 * (1 - u)))
    tolerance = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 1e-6, "float64": 1e-14}[dtype]
    assert np.abs(w.astype(np.float64) - wanted).max() <= tolerance * np.abs(wanted).max()


def test_the_distribution_is_laplaces():
    """Mean, std and tail of a large draw, and what describe says of them."""
    plan, w = Laplace(1.0, 0.5).describe(30000), Laplace(1.0, 0.5)(30000, seed=5, name="w").astype(float)

    assert plan.sampler.__qualname__ == "laplace" and plan == Laplace(1.0, 0.5).describe(30000) and plan.mean == 1.0
    assert w.mean() == pytest.approx(1.0, abs=0.02) and w.std() == pytest.approx(plan.std, rel=0.03)
    assert (np.abs(w - 1) > 1.5).mean() == pytest.approx(math.exp(-3), abs=0.0063)  # 5 sigma


def test_u_lies_inside_the_open_interval():
    """u is (w + 1/2)·2**-32 rounded and kept below 1: its extremes are 2**-33 and 1 - 2**-24 (2**-65, 1 - 2**-53)."""
    from fanin._kernels.samplers import open_unit_double, open_unit_single

    assert open_unit_single(np.uint32(0)) == np.float32(2.0**-33)
    assert open_unit_single(np.uint32(2**32 - 1)) == np.float32(1 - 2.0**-24)
    assert open_unit_double(np.uint64(0)) == 2.0**-65
    assert open_unit_double(np.uint64(2**64 - 1)) == 1 - 2.0**-53
    u = agree(sampled(lambda u: u))
    assert u.tolist() == [np.float32((int(w) + 0.5) * 2.0**-32) for w in fanin.stream.words(1, None, 0, 9)]


def test_a_subclass_gets_the_registry_config_and_pickle(registered):
    """Registry, config, JSON, pickle, equality and repr come with the class."""
    scheme = Registry.get("double_exponential", scale=0.1)

    assert scheme == Laplace(0.0, 0.1) and repr(scheme) == "Laplace(loc=0.0, scale=0.1)"
    assert scheme.get_config() == {"scheme": "contract_laplace", "version": 1, "loc": 0.0, "scale": 0.1}
    assert Initializer.from_config(json.loads(json.dumps(scheme.get_config()))) == scheme
    assert pickle.loads(pickle.dumps(scheme)) == scheme
    assert b"cpython" not in pickle.dumps(scheme) and b"laplace_" not in pickle.dumps(scheme)
    assert scheme.describe((3, 4)) == Laplace(0.0, 0.1).describe((3, 4))
    assert "distribution=laplace" in str(scheme.describe((3, 4)))


def test_a_subclass_gets_shards_out_and_streams():
    """Blocks, in-place fills and stream ids work as for fanin's own schemes."""
    scheme, stream = Laplace(), Stream(3)
    whole = scheme((6, 5), seed=3, name="w")
    wide = np.full((6, 10), np.nan, np.float32)

    for index in [(slice(4, 1, -2), slice(1, None, 2)), 3, (..., -1), (2, 3)]:
        assert scheme.shard((6, 5), index, seed=3, name="w").tobytes() == whole[index].tobytes()
    assert scheme((6, 5), seed=3, name="w", out=wide[:, ::2]) is not None
    assert wide[:, ::2].tobytes() == whole.tobytes() and np.isnan(wide[:, 1::2]).all()
    scheme((6, 5), seed=stream)
    assert stream.position == 1


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "int32", "bool"])
def test_a_real_sampler_refuses_other_dtypes(dtype):
    """A sampler makes real numbers: complex and integer dtypes are a one-line TypeError that names it."""
    with pytest.raises(TypeError, match="`dtype`.*laplace") as error:
        Laplace()(3, dtype, seed=0)
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


# -- what a sampler may be made of --------------------------------------------------------------------------------

HALF = 0.5
PAIR = (0.25, 0.75)
CONSTANTS = np.float64(0.125)
HUGE = np.array([1.0, 1e300])


def scaled(u, by=0.3):
    """A helper: a plain function, with a default and a global."""
    return u * HALF + by


def twice_scaled(u):
    return scaled(scaled(u))


@fanin.sampler
def inner(u, scale):
    return -scale * log(u)


@pytest.mark.parametrize(("case", "dtype"), [
    *((case, "float32") for case in ("helpers", "tuple", "closure", "numpy", "calls", "default", "lambda", "loop")),
    ("helpers", "float64"),
])
def test_constants_take_us_type_wherever_they_stand(case, dtype):
    """Constants in the code, the module, a closure, a default, a tuple or a helper are float32 in a float32 draw."""
    third, nested = 1 / 3, (0.1, (0.2, 0.3))

    def helpers(u):
        return twice_scaled(u) - 0.1

    def tuples(u):
        low, high = PAIR
        first, (second, _) = nested
        return fma(u, high - low, low * first) + second

    def closure(u):
        return u * third + 0.7

    def from_numpy(u):
        return u * CONSTANTS + 0.1

    def calls(u):
        return inner(u, 0.1) + sqrt(u)

    def default(u, scale=0.1):
        return u * scale

    def with_lambda(u):
        half = lambda x: 0.1 * x  # noqa: E731
        return half(u)

    def loop(u):
        total = u
        for _ in range(3):
            total = total * 0.1 + u
        return total

    function = {"helpers": helpers, "tuple": tuples, "closure": closure, "numpy": from_numpy, "calls": calls,
                "default": default, "lambda": with_lambda, "loop": loop}[case]

    w = agree(sampled(function), dtype)

    assert w.dtype == dtype and len(set(w.tolist())) == 9
    if case == "closure":
        u = sampled(lambda u: u)(9, device="reference", seed=1)
        assert (w == u * np.float32(1 / 3) + np.float32(0.7)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fanin_math_is_the_same_everywhere(dtype):
    """Each function of fanin.math gives the same bits compiled and in Python, and the right value."""
    def everything(u):
        sine, cosine = sincospi(u)
        logs, roots = log(u) + log1p(u), ndtri(u) + sqrt(u)
        return (sine * 0.5 + cosine) + (exp(u) + expm1(-u)) + logs + roots + fma(u, u, 1.0)

    u = sampled(lambda u: u)(9, dtype, "reference", seed=1).astype(float)
    from scipy.special import ndtri as exact_ndtri

    wanted = (np.sin(np.pi * u) / 2 + np.cos(np.pi * u) + np.exp(u) + np.expm1(-u) + np.log(u) + np.log1p(u)
              + exact_ndtri(u) + np.sqrt(u) + u * u + 1)
    w = agree(sampled(everything), dtype)
    assert np.abs(w - wanted).max() <= (3e-6 if dtype == "float32" else 1e-14) * np.abs(wanted).max()


def test_a_changed_constant_changes_the_kernel():
    """Two samplers with the same code and other constants, or the same name, are two kernels."""
    def make(scale):
        def draw(u):
            return u * scale
        return draw

    first, second = agree(sampled(make(1.0))), agree(sampled(make(2.0)))

    assert (2 * first == second).all()


def integer(u):
    return 2 * u


def power(u):
    return u**2


def branch(u):
    return 1 if u < 0.01 else u


def module_constant(u):
    return u * math.pi


def python_math(u):
    return math.sqrt(u)


def pair(u):
    return u, u


def nothing(u):
    pass


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("function", [integer, power, branch, module_constant, python_math, pair, nothing])
def test_a_sampler_that_leaves_us_type_is_refused(function, device):
    """An int or float64 constant would make compiled float32 arithmetic float64: refused before anything moves."""
    stream, out = Stream(0), np.full(4, 7, np.float32)

    with pytest.raises(TypeError, match="`sampler`.*float32.*2.0 not 2") as error:
        sampled(function)(4, device=device, seed=stream, out=out)

    assert isinstance(error.value, FaninError) and function.__name__ in str(error.value)
    assert "\n" not in str(error.value) and stream.position == 0 and (out == 7).all()


@pytest.mark.parametrize(("function", "message"), [
    (lambda u: u * 1e-50 * 1e50, r"numbers that float32 holds \(got 1e\+50\)"),
    (lambda u: u * HUGE[1], r"numbers that float32 holds \(got 1e\+300\)"),
    (lambda u: (u - 0.5)**0.5, r"make a finite number of each u .*got nan at"),
    (lambda u: 1.0 / (u - u), r"make a finite number of each u .*got inf at"),
])
def test_a_sampler_that_makes_no_finite_numbers_is_refused(function, message):
    """Weights that are NaN or infinite are never drawn, also where only float32 is too narrow for a constant."""
    out = np.full(4, 7, np.float32)

    with pytest.raises(ValueError, match=f"`sampler`.*{message}") as error:
        sampled(function)(4, seed=0, out=out)
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value) and (out == 7).all()


def test_constants_may_be_as_large_as_the_computing_type_holds():
    """In float64 a large constant is a number as any other, and an infinity is one to compare with in both."""
    agree(sampled(lambda u: u * 1e-50 * 1e50), "float64")
    agree(sampled(lambda u: u if u < math.inf else 0.0))


def test_what_numba_cannot_compile_is_one_line():
    """A sampler that only Python can run is a one-line TypeError on the CPU, and leaves `out` alone."""
    table = {"a": 1.0}

    def python_only(u):
        return u * np.float32(len(str(table)))

    out = np.full(4, 7, np.float32)
    with pytest.raises(TypeError, match="`sampler` python_only") as error:
        sampled(python_only)(4, seed=0, out=out)
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value) and (out == 7).all()


@pytest.mark.parametrize(("params", "error", "words"), [
    ((), TypeError, ["`params`", "laplace", "2", "got 0"]),
    ((0.0,), TypeError, ["`params`", "got 1"]),
    ((0.0, 1.0, 2.0), TypeError, ["`params`", "got 3"]),
    ((0.0, "1"), TypeError, ["`params`", "'1'"]),
    ((0.0, None), TypeError, ["`params`", "None"]),
    ((0.0, 1j), TypeError, ["`params`", "1j"]),
    ((0.0, True), TypeError, ["`params`", "True"]),
    ((0.0, np.zeros(2)), TypeError, ["`params`"]),
    ((0.0, math.nan), ValueError, ["`params`", "nan"]),
    ((0.0, math.inf), ValueError, ["`params`", "inf", "finite"]),
    ((0.0, 1e300), ValueError, ["`params`", "float32", "1e+300"]),
])
def test_refused_params(params, error, words):
    """The numbers that a sampler is given are real, finite in the computing type, and as many as it takes."""
    with pytest.raises(FaninError) as raised:
        TensorSpec(3).draw(laplace, *params)

    assert isinstance(raised.value, error) and "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("thing", [3, None, "laplace", math.sqrt, lambda u: u, np.sin])
def test_only_samplers_draw(thing):
    """A function must be marked, so that what it is given is known."""
    with pytest.raises(TypeError, match="`sampler`.*@fanin.sampler") as error:
        TensorSpec(3).draw(thing)
    assert isinstance(error.value, FaninError)


@pytest.mark.parametrize("thing", [3, None, "laplace", math.sqrt, np.sin])
def test_only_functions_are_marked(thing):
    """@fanin.sampler takes a plain Python function."""
    with pytest.raises(TypeError, match="`function`") as error:
        fanin.sampler(thing)
    assert isinstance(error.value, FaninError)


@pytest.mark.parametrize("function", [lambda u, *rest: u, lambda u, **rest: u, lambda u, *, scale=1.0: u, lambda: 1.0])
def test_samplers_take_numbers_by_position(function):
    """A compiled kernel passes u and the parameters one by one."""
    with pytest.raises(TypeError, match="`sampler`.*by position") as error:
        sampled(function)(3, seed=0)
    assert isinstance(error.value, FaninError)


# -- plans ---------------------------------------------------------------------------------------------------------


class Small(Initializer):
    def plan(self, spec):
        return Normal(0.0, 0.02).plan(spec)


class Scaled(Initializer):
    """Wraps a scheme: its parameter is another scheme."""

    def __init__(self, inner, factor=1.0):
        self.inner = inner
        self.factor = factor

    def plan(self, spec):
        return self.inner.replace(std=self.inner.std * self.factor).plan(spec)


def test_a_plan_may_be_another_schemes():
    """A scheme that returns another's plan draws what the other draws."""
    assert Small().describe((4, 3)) == Normal(0.0, 0.02).describe((4, 3))
    assert Small()((4, 3), seed=0).tobytes() == Normal(0.0, 0.02)((4, 3), seed=0).tobytes()
    assert Small() == Small() and repr(Small()) == "Small()" and hash(Small()) == hash(Small())


def test_a_scheme_may_hold_another():
    """A wrapper is compared, printed, pickled and replaced with its inner scheme."""
    scheme = Scaled(Normal(0.0, 0.5), factor=4.0)

    assert scheme((4, 3), seed=0).tobytes() == Normal(0.0, 2.0)((4, 3), seed=0).tobytes()
    assert scheme == Scaled(Normal(0.0, 0.5), 4.0) != Scaled(Normal(0.0, 0.25), 4.0)
    assert pickle.loads(pickle.dumps(scheme)) == scheme
    assert eval(repr(scheme), {"Scaled": Scaled, "Normal": Normal}) == scheme
    assert scheme.replace(inner=Normal()).inner == Normal()
    assert scheme.get_config()["inner"] == Normal(0.0, 0.5).get_config()


@pytest.mark.parametrize("returned", [None, 3, "normal", Normal(), np.zeros((4, 3)), {}])
def test_plan_must_return_a_plan(returned):
    """Anything but a plan is a one-line error that names the class."""
    class Wrong(Initializer):
        def plan(self, spec):
            return returned

    stream = Stream(0)
    with pytest.raises(TypeError, match="`plan` of Wrong") as error:
        Wrong()((4, 3), seed=stream)
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value) and stream.position == 0


@pytest.mark.parametrize("spec", [TensorSpec((3, 4)), TensorSpec((4, 3), "float64"), TensorSpec(12)])
def test_plan_must_be_for_its_spec(spec):
    """A plan made for another shape or dtype would number the elements wrongly, and is refused."""
    class Wrong(Initializer):
        def plan(self, _spec):
            return Normal().plan(spec)

    with pytest.raises(ValueError, match="`plan` of Wrong") as error:
        Wrong()((4, 3), seed=0)
    assert isinstance(error.value, FaninError)


def test_a_class_without_plan_is_abstract():
    """plan is the one method that a scheme must write."""
    class Empty(Initializer):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Empty()


def test_fans_asked_for_are_described():
    """spec.fans() gives the scheme its fans and the plan its report of them."""
    class HalfHe(Initializer):
        def __init__(self, gain=0.5):
            self.gain = gain

        def plan(self, spec):
            return Normal(0.0, self.gain * (2 / spec.fans().fan_in) ** 0.5).plan(spec)

    plan = HalfHe().describe((64, 32))

    assert (plan.fan_in, plan.fan_out, plan.std) == (32, 64, 0.125)
