"""`examples/mlflow_tracking.py` and MLflow itself: real runs in an SQLite store, each step in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fanin
from scripts import TIMEOUT, environment

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SCHEMES = {
    "nested": fanin.Blocks(["zeros", {"name": "normal", "std": 0.02}, fanin.Constant([0.5, np.inf])], sizes=[1, -1, 2]),
    "array": fanin.Constant(np.arange(1000, dtype="float32")),
    "infinite": fanin.TruncatedNormal(lower=-np.inf),
}


class Store:
    """A folder with an SQLite store, and processes that use it."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = environment(EXAMPLES)
        self.environment.pop("MLFLOW_TRACKING_URI", None)

    def python(self, *arguments):
        done = subprocess.run([sys.executable, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                              env=self.environment, timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def example(self, *arguments):
        return self.python(EXAMPLES / "mlflow_tracking.py", *arguments)

    def script(self, code):
        return json.loads(self.python("-c", f"import json, fanin, mlflow, mlflow_tracking as example\n{code}"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def run_id(store):
    return store.example("record", "jax:he_normal", 7)


def test_a_fresh_process_draws_the_same_bits_from_the_run_alone(store, run_id):
    """Seed, rules, config and pickle, read back by another process, give the weights that fanin draws here."""
    printed = store.example("redraw", run_id, "weights.npz")

    he = fanin.Registry.get("jax:he_normal")
    weights = np.load(store.folder / "weights.npz")
    assert printed == repr(he)
    assert sorted(weights) == ["decoder.weight", "encoder.bias", "encoder.weight"]
    for name, shape in {"encoder.weight": (64, 32), "decoder.weight": (32, 64)}.items():
        assert weights[name].tobytes() == he(shape, seed=7, name=name).tobytes()
    assert not weights["encoder.bias"].any()


def test_runs_are_found_by_a_parameter(store, run_id):
    """Every entry of the config is a parameter of the run, and a search by one finds the runs that have it."""
    found = store.script("""
he = mlflow.search_runs(filter_string="params.`init.mode` = 'fan_in' and params.seed = '7'")
others = mlflow.search_runs(filter_string="params.`init.mode` = 'fan_out'")
print(json.dumps([list(he.run_id), len(others), mlflow.get_run(he.run_id[0]).data.params]))""")

    config = fanin.Registry.get("jax:he_normal").get_config()
    assert found == [[run_id], 0, {"seed": "7"} | {f"init.{key}": str(value) for key, value in config.items()}]
    assert (store.folder / "mlflow.db").stat().st_size > 0


def test_nested_and_large_configs_survive(store):
    """Schemes within schemes, arrays and infinities come back equal from the artifacts, in another process."""
    configs = {name: scheme.get_config() for name, scheme in SCHEMES.items()}

    runs = store.script(f"""
schemes = {{name: fanin.Registry.get(config) for name, config in json.loads({json.dumps(configs)!r}).items()}}
print(json.dumps({{name: example.record(scheme, 0) for name, scheme in schemes.items()}}))""")
    again = store.script(f"""
print(json.dumps({{name: example.reload(run)[2].get_config() for name, run in {runs!r}.items()}}))""")

    assert again == configs
    assert all(fanin.Registry.get(again[name]) == scheme for name, scheme in SCHEMES.items())


def test_fanin_loads_no_tracker(store):
    """Drawing doesn't import MLflow, though it is installed."""
    assert store.python("-c", "import sys, fanin; fanin.Normal()(8, seed=0); print('mlflow' in sys.modules)") == "False"
