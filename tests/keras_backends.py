"""Checks that need a Keras backend each: a process has one, so a test file runs itself as a script on every backend."""

import inspect
import json
import os
import subprocess
import sys
import traceback
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np

BACKENDS = ["numpy", "jax", "torch"]


def run(backend, *arguments):
    """What Python prints with this backend, warnings being errors."""
    # four devices for JAX, and quick compilation: Keras' own initializers compile for each shape
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0 " \
            "--xla_llvm_disable_expensive_passes=true"
    env = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": flags,
           "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-W", "error", *map(str, arguments)], env=env, capture_output=True,
                          text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def checks(namespace):
    """{name: function} of a test file's `check_...` functions."""
    return {name.removeprefix("check_"): check for name, check in namespace.items() if name.startswith("check_")}


def outcomes(file, folder):
    """Backend -> check -> the traceback, or None where the check of a test file passed."""
    return {backend: json.loads(run(backend, file, folder)) for backend in BACKENDS}


def to_numpy(value):
    """A copy of a tensor's values."""
    import keras

    with warnings.catch_warnings():  # Keras' own, of numpy's new `copy` argument
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.array(keras.ops.convert_to_numpy(keras.ops.stop_gradient(value)))


def report(checks):
    """What the script does: call each check, with the folder where it takes one, and print the tracebacks."""
    warnings.simplefilter("ignore", import_module("fanin").FaninWarning)  # the same rules serve many models
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # of Keras with a new numpy
    results = {}
    for name, check in checks.items():
        try:
            results[name] = check(*[Path(sys.argv[1])] * len(inspect.signature(check).parameters))
        except Exception:
            results[name] = traceback.format_exc()
    sys.stdout.write(json.dumps(results))
