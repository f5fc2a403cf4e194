"""Configs and pickles: flat JSON that loses nothing, survives versions and never runs code."""

import json
import math
import os
import pickle
import subprocess
import sys
import textwrap

import ml_dtypes
import numpy as np
import pytest

from fanin import (
    Constant,
    DeltaOrthogonal,
    Dirac,
    Eye,
    FaninError,
    Initializer,
    Normal,
    Orthogonal,
    Registry,
    Sparse,
    Stream,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)

EXAMPLES = [
    Constant(), Constant(3), Constant(True), Constant(-0.0), Constant(1e300), Constant(2**64 - 1), Constant(0.1 + 0.2),
    Constant(math.nan), Constant(math.inf), Constant(-math.inf), Constant(1 + 2j), Constant(complex(0, -math.inf)),
    Constant(complex(math.nan, 1)), Constant([1, 2]), Constant([1.0, 2.0]), Constant([[1.5, math.nan],
    [math.inf, -0.0]]),
    Constant([True, False]), Constant(np.array([1, 2], np.uint8)), Constant(np.array([0.1, 2], np.float32)),
    Constant(np.array([1 + 2j, complex(math.nan, -math.inf)], np.complex64)), Constant(np.zeros((0, 3))),
    Constant(np.array([1.5, 2], ml_dtypes.bfloat16)), Constant(np.array([1.5, 2], np.float16)),
    Constant(np.array([2**63, 1], np.uint64)), Constant(np.float32(0.1)), Constant(ml_dtypes.bfloat16(1.5)),
    Uniform(-1, 2), Normal(1, 2), Normal(std=np.float32(0.1)), Normal(std=np.array(0.1)), Normal(5e-324, 1.7e308),
    TruncatedNormal(lower=-math.inf), TruncatedNormal(0, 1, -math.inf, math.inf, "absolute"),
    VarianceScaling(2, "fan_geo_avg", "uniform", "b*io", 3, True, 2.5, 7), VarianceScaling(transposed=np.True_),
    Orthogonal(-2, -1), DeltaOrthogonal(2, "*io"), Dirac(np.int64(3), "*io"), Sparse(1, 0, -1), Eye(2), Eye(1 - 2j),
]


@pytest.mark.parametrize("scheme", EXAMPLES, ids=repr)
def test_json_loses_nothing(scheme):
    """config -> strict JSON text -> config -> scheme is the same scheme, parameter by parameter, types included."""
    config = scheme.get_config()
    text = json.dumps(config, allow_nan=False)

    again = Initializer.from_config(json.loads(text))

    assert again == scheme and hash(again) == hash(scheme)
    assert json.dumps(again.get_config()) == text
    for name in list(config)[2:]:
        ours, theirs = getattr(scheme, name), getattr(again, name)
        assert type(ours) is type(theirs)
        if isinstance(ours, np.ndarray):
            assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
        else:
            assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("scheme", EXAMPLES, ids=repr)
def test_pickles_and_reprs_lose_nothing(scheme):
    """A pickle and the repr rebuild an equal scheme."""
    assert pickle.loads(pickle.dumps(scheme)) == scheme
    assert eval(repr(scheme), {"np": np, type(scheme).__name__: type(scheme)}) == scheme


@pytest.mark.parametrize(("scheme", "config"), [
    (Constant(), {"scheme": "constant", "version": 1, "value": 0.0}),
    (Constant(1 + 2j), {"scheme": "constant", "version": 1, "value": [1.0, 2.0]}),
    (Constant(math.nan), {"scheme": "constant", "version": 1, "value": "nan"}),
    (Constant(np.array([[1, 2]], np.int8)),
     {"scheme": "constant", "version": 1, "value": {"dtype": "int8", "shape": [1, 2], "data": [1, 2]}}),
    (Uniform(), {"scheme": "uniform", "version": 1, "low": 0.0, "high": 1.0}),
    (Normal(), {"scheme": "normal", "version": 1, "mean": 0.0, "std": 1.0}),
    (TruncatedNormal(upper=math.inf), {"scheme": "truncated_normal", "version": 1, "mean": 0.0, "std": 1.0,
                                       "lower": -2.0, "upper": "inf", "bounds": "std"}),
    (VarianceScaling(), {"scheme": "variance_scaling", "version": 1, "scale": 1.0, "mode": "fan_in",
                         "distribution": "truncated_normal", "layout": "oi*", "groups": 1, "transposed": False,
                         "fan_in": None, "fan_out": None}),
    (Orthogonal(), {"scheme": "orthogonal", "version": 1, "gain": 1.0, "axis": 0}),
    (DeltaOrthogonal(), {"scheme": "delta_orthogonal", "version": 1, "gain": 1.0, "layout": "oi*"}),
    (Dirac(), {"scheme": "dirac", "version": 1, "groups": 1, "layout": "oi*"}),
    (Sparse(0.5), {"scheme": "sparse", "version": 1, "sparsity": 0.5, "std": 0.01, "axis": 0}),
    (Eye(), {"scheme": "eye", "version": 1, "gain": 1.0}),
], ids=repr)
def test_known_configs(scheme, config):
    """The configs of version 1, as they stand in files: names, order, defaults."""
    assert scheme.get_config() == config and list(scheme.get_config()) == list(config)
    assert Initializer.from_config(config) == scheme


def test_configs_are_flat():
    """Whatever was given, a config holds only what JSON has; numpy's scalars are plain numbers."""
    config = VarianceScaling(np.float32(2), groups=np.int16(2), transposed=np.False_, fan_in=np.float64(3)).get_config()

    assert {type(value) for value in config.values()} == {str, int, float, bool, type(None)}


def test_missing_parameters_take_their_defaults():
    """A config written before a parameter existed gets the parameter's default; a missing version is version 1."""
    assert Initializer.from_config({"scheme": "truncated_normal", "version": 1, "std": 0.5}) == TruncatedNormal(0, 0.5)
    assert Initializer.from_config({"scheme": "normal"}) == Normal()
    assert Normal.from_config({"std": 2}) == Normal(0, 2)
    assert Normal.from_config({}) == Normal()
    assert Initializer.from_config({"scheme": "Truncated-Normal_"}) == TruncatedNormal()


def test_from_config_of_a_class_gives_that_class():
    """Normal.from_config reads Normal's configs only."""
    with pytest.raises(ValueError, match="Normal.*'uniform'"):
        Normal.from_config(Uniform().get_config())


@pytest.mark.parametrize(("config", "error", "words"), [
    ({"scheme": "normal", "version": 1, "stdd": 2}, ValueError, ["`config`", "'stdd'", "mean, std"]),
    ({"scheme": "normal", "version": 1, "stddev": 2}, ValueError, ["'stddev'"]),
    ({"scheme": "normal", "a": 1, "b": 2}, ValueError, ["'a', 'b'"]),
    ({"scheme": "normal", 3: 1}, ValueError, ["3"]),
    ({"scheme": "norml", "version": 1}, KeyError, ["`scheme`", "'norml'", "'normal'"]),
    ({"scheme": "qwertyuiop"}, KeyError, ["`scheme`", "'qwertyuiop'"]),
    ({"version": 1}, KeyError, ["`scheme`", "None"]),
    ({"scheme": 3}, KeyError, ["`scheme`", "3"]),
    ({"scheme": ["normal"]}, KeyError, ["`scheme`"]),
    ({"scheme": "normal", "version": 2}, ValueError, ["`version`", "2", "newer"]),
    ({"scheme": "normal", "version": 0}, ValueError, ["`version`", "0"]),
    ({"scheme": "normal", "version": "1"}, ValueError, ["`version`", "'1'"]),
    ({"scheme": "normal", "version": 1.0}, ValueError, ["`version`", "1.0"]),
    ({"scheme": "normal", "version": True}, ValueError, ["`version`", "True"]),
    ({"scheme": "normal", "version": None}, ValueError, ["`version`", "None"]),
    ({"scheme": "sparse", "version": 1}, ValueError, ["`config`", "'sparsity'"]),
    ({"scheme": "normal", "std": -1}, ValueError, ["`std`", "-1"]),
    ({"scheme": "normal", "std": "inf"}, ValueError, ["`std`", "inf"]),
    ({"scheme": "normal", "std": "small"}, TypeError, ["`std`", "'small'"]),
    ({"scheme": "normal", "std": [1, 2]}, TypeError, ["`std`"]),
    ({"scheme": "normal", "std": {"scheme": "normal"}}, TypeError, ["`std`"]),
    ({"scheme": "constant", "value": {"dtype": "float32", "shape": [2], "data": [1]}}, ValueError, ["`value`"]),
    ({"scheme": "constant", "value": {"dtype": "object", "shape": [1], "data": [1]}}, ValueError, ["`value`"]),
    ({"scheme": "constant", "value": {"dtype": "int8", "shape": [1], "data": ["x"]}}, ValueError, ["`value`"]),
    ({"scheme": "constant", "value": {"a": 1}}, TypeError, ["`value`"]),
    *(({"scheme": "constant", "value": {"dtype": dtype, "shape": shape, "data": data}}, ValueError, ["`value`", words])
      for dtype, shape, data, words in [
          ("int8", [1], [1.5], "int8 must hold"), ("int8", [1], [300], "int8"), ("bool", [1], [2], "bool must hold"),
          ("float32", [1], [1e39], "float32 must hold"), ("float32", [1], ["1.5"], "'1.5'"),
          ("float32", [1], [[1]], "[1]"), ("float32", [1], "1", "'1'"), ("float32", [-1], [1], "negative"),
      ]),
    ("normal", TypeError, ["`config`", "'normal'"]),
    (None, TypeError, ["`config`"]),
    ([("scheme", "normal")], TypeError, ["`config`"]),
])
def test_refused_configs(config, error, words):
    """An unknown key, scheme or version, or a value out of its range, is a one-line error."""
    with pytest.raises(FaninError) as raised:
        Initializer.from_config(config)

    assert isinstance(raised.value, error) and "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("scheme", ["os:system", "builtins:exec", "subprocess:Popen", "fanin:Normal",
                                    "fanin._initializers.normal:Normal", "__main__:X", "this", "antigravity"])
def test_a_config_never_runs_code(scheme):
    """A scheme is looked up among the registered names; no module is imported for a config."""
    before = set(sys.modules)
    with pytest.raises(KeyError) as error:
        Initializer.from_config({"scheme": scheme, "version": 1, "command": "true"})
    assert isinstance(error.value, FaninError)
    assert not {"antigravity", "this"} & (set(sys.modules) - before)


class Unregistered(Initializer):
    """Has no name that a config could carry."""

    def __init__(self, inner=None, weights=(1.0, 2.0), z=0j):
        self.inner, self.weights, self.z = inner, weights, z

    def plan(self, spec):
        return (self.inner or Normal()).plan(spec)


def test_an_unregistered_class_pickles_and_does_not_load_from_a_config():
    """Pickles find the class by its qualified name; a config of it can be written and compared, not read."""
    scheme = Unregistered(Unregistered(Normal(0, 2)), (3.0, math.inf), 1j)

    assert pickle.loads(pickle.dumps(scheme)) == scheme
    assert pickle.loads(pickle.dumps(scheme)).weights == (3.0, math.inf)
    assert scheme != Unregistered() and scheme.get_config()["scheme"].endswith(":Unregistered")
    json.dumps(scheme.get_config(), allow_nan=False)
    with pytest.raises(KeyError, match="Unregistered"):
        Initializer.from_config(scheme.get_config())


def test_nested_schemes_complex_defaults_and_lists(registry):
    """Parameters may be schemes, lists, dicts and complex numbers; a registered class's config brings all back."""
    @registry.register("contract_nested")
    class Nested(Initializer):
        def __init__(self, inner, z=1j, parts=(), table=None, w: "complex | None" = None):
            self.inner, self.z, self.parts, self.table, self.w = inner, z, parts, table, w

        def plan(self, spec):
            return self.inner.plan(spec)

    scheme = Nested(Nested(Normal(0, 2), z=3 - 1j), parts=[1, 2.5, None, Uniform()], table={"a": [math.inf], "b": True},
                    w=2j)
    again = Initializer.from_config(json.loads(json.dumps(scheme.get_config(), allow_nan=False)))

    assert again == scheme and again.inner.inner == Normal(0, 2)
    assert (again.inner.z, again.z, again.w) == (3 - 1j, 1j, 2j)
    assert again.parts == (1, 2.5, None, Uniform()) and again.table == {"a": (math.inf,), "b": True}
    assert again(3, seed=0).tolist() == Normal(0, 2)(3, seed=0).tolist()


def test_parameters_that_json_cannot_hold(registry):
    """A parameter of another kind is a one-line error when the config is asked for, not before."""
    @registry.register("contract_opaque")
    class Opaque(Initializer):
        def __init__(self, thing=None):
            self.thing = thing

        def plan(self, spec):
            return spec.fill(1)

    assert Opaque({1, 2})(2).tolist() == [1, 1]
    with pytest.raises(TypeError, match="`thing`.*set") as error:
        Opaque({1, 2}).get_config()
    assert isinstance(error.value, FaninError)


def test_an_init_must_store_its_arguments():
    """A class that forgets to keep an argument says so when it is first taken apart."""
    class Forgetful(Initializer):
        def __init__(self, gain=1.0):
            pass

        def plan(self, spec):
            return spec.fill(1)

    with pytest.raises(AttributeError, match="Forgetful.__init__.*own name"):
        repr(Forgetful())


# -- other processes, other versions ------------------------------------------------------------------------------

OLD = '''
import fanin
from fanin import Initializer, Normal, Registry

@Registry.register("shrinking")
class Shrinking(Initializer):
    def __init__(self, std=1.0):
        self.std = std
    def plan(self, spec):
        return Normal(0.0, self.std).plan(spec)
'''
NEW = OLD.replace("std=1.0):", "std=1.0, mean=0.5):").replace("self.std = std", "self.std, self.mean = std, mean") \
    .replace("Normal(0.0,", "Normal(self.mean,")


def python(folder, code, module):
    (folder / "shrinking.py").write_text(module)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run([sys.executable, "-B", "-W", "error", "-c", textwrap.dedent(code)], cwd=folder,
                         capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return run.stdout


def test_a_pickle_survives_an_added_parameter(tmp_path):
    """What an older version of a class pickled loads with the default of the parameter that it lacks."""
    python(tmp_path, """
        import pathlib, pickle, shrinking
        scheme = shrinking.Shrinking(2.0)
        scheme.describe(3), scheme(3, device="reference", seed=0)  # plans are held, and must not be pickled
        pathlib.Path("old.pkl").write_bytes(pickle.dumps(scheme))
    """, OLD)

    printed = python(tmp_path, """
        import pathlib, pickle
        scheme = pickle.loads(pathlib.Path("old.pkl").read_bytes())
        print(scheme, scheme.describe(3).mean)
    """, NEW)

    assert printed == "Shrinking(std=2.0, mean=0.5) 0.5\n"


def test_a_pickle_of_a_newer_class_names_the_parameter(tmp_path):
    """A parameter that the class does not have (any more) is a one-line error."""
    python(tmp_path, """
        import pathlib, pickle, shrinking
        pathlib.Path("new.pkl").write_bytes(pickle.dumps(shrinking.Shrinking(2.0)))
    """, NEW)

    printed = python(tmp_path, """
        import pathlib, pickle
        try:
            pickle.loads(pathlib.Path("new.pkl").read_bytes())
        except ValueError as error:
            print(type(error).__name__, error)
    """, OLD)

    assert printed.startswith("FaninValueError") and "'mean'" in printed


def test_a_fresh_process_draws_the_same(tmp_path):
    """Pickles and configs of this process give the same bits in another, whose hashes differ; streams go on."""
    scheme, stream = TruncatedNormal(0.5, 2.0, -1.0, math.inf), Stream(2**64 - 1)
    scheme(3, seed=stream)
    (tmp_path / "both.pkl").write_bytes(pickle.dumps((scheme, stream)))
    (tmp_path / "config.json").write_text(json.dumps(scheme.get_config()))
    wanted = scheme((5,), seed=stream, device="reference").tobytes().hex()

    printed = python(tmp_path, """
        import json, pathlib, pickle
        from fanin import Initializer
        scheme, stream = pickle.loads(pathlib.Path("both.pkl").read_bytes())
        assert scheme == Initializer.from_config(json.loads(pathlib.Path("config.json").read_text()))
        print(stream.position, scheme((5,), seed=stream, device="reference").tobytes().hex())
    """, "")

    assert printed == f"1 {wanted}\n"


def test_a_pickle_holds_no_code():
    """A pickle names fanin's classes and plain values only."""
    import pickletools

    scheme = Registry.get("he_normal")
    scheme((3, 3), seed=0)
    names = {argument for opcode, argument, _ in pickletools.genops(pickle.dumps(scheme))
             if opcode.name == "SHORT_BINUNICODE"}

    assert names <= {"fanin", "_rebuild", "VarianceScaling",
                     *scheme.get_config(), "fan_in", "truncated_normal", "oi*"}
