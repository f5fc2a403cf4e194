"""MLflow: record how a model's weights were drawn, and draw the same bits again from the run alone.

    python examples/mlflow_tracking.py record he_normal 7          # prints the run's id
    python examples/mlflow_tracking.py redraw RUN_ID weights.npz   # in any process, on any machine

Runs go to mlflow.db, an SQLite file, unless MLFLOW_TRACKING_URI names another store.
"""

import os
import pickle
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np

import fanin

SHAPES = {"encoder.weight": (64, 32), "encoder.bias": (64,), "decoder.weight": (32, 64)}

if "MLFLOW_TRACKING_URI" not in os.environ:
    mlflow.set_tracking_uri("sqlite:///mlflow.db")


def record(init: fanin.Initializer, seed: int) -> str:
    """Log a run; returns its id."""
    rules = fanin.Rules({"*.bias": "zeros", "*": init})
    with mlflow.start_run() as run:
        # Parameters are kept as text, to be compared and searched for: params.`init.scheme` = 'variance_scaling'
        mlflow.log_params({"seed": seed, **{f"init.{key}": value for key, value in init.get_config().items()}})
        # Artifacts are what is read again: JSON, for any program and for ever, and the object itself.
        mlflow.log_dict(rules.get_config(), "rules.json")
        mlflow.log_dict(init.get_config(), "init.json")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "init.pickle")
            path.write_bytes(pickle.dumps(init))
            mlflow.log_artifact(path)
    return run.info.run_id


def reload(run_id: str) -> tuple[int, fanin.Rules, fanin.Initializer]:
    """Seed, rules and scheme of a recorded run."""
    run = f"runs:/{run_id}"
    seed = int(mlflow.get_run(run_id).data.params["seed"])
    rules = fanin.Rules.from_config(mlflow.artifacts.load_dict(f"{run}/rules.json"))
    init = fanin.Registry.get(mlflow.artifacts.load_dict(f"{run}/init.json"))
    pickled = Path(mlflow.artifacts.download_artifacts(f"{run}/init.pickle")).read_bytes()
    assert pickle.loads(pickled) == init  # two ways to the same scheme
    return seed, rules, init


def draw(seed: int, rules: fanin.Rules) -> dict[str, np.ndarray]:
    parameters = [fanin.rules.Parameter(name, shape, np.dtype("float32")) for name, shape in SHAPES.items()]
    return {row.parameter.name: row.scheme(row.parameter.shape, seed=seed, name=row.parameter.name)
            for row in rules.assign(parameters).drawn}


def main(command: str, *arguments: str) -> None:
    if command == "record":
        name, seed = arguments
        print(record(fanin.Registry.get(name), int(seed)))
    else:
        run_id, output = arguments
        seed, rules, init = reload(run_id)
        print(init)
        np.savez(output, **draw(seed, rules))


if __name__ == "__main__":
    main(*sys.argv[1:])
