"""Scripts that tests run in a Python of their own: what they guard against kills or freezes the interpreter."""

import contextlib
import hashlib
import importlib
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

TIMEOUT = 120  # seconds
SHAPE = (500, 601)  # enough for several threads
PREAMBLE = f"""
    import hashlib, json, multiprocessing, os, signal, sys, threading, time, warnings
    import numpy as np
    import fanin

    SHAPE = {SHAPE}
    # a shell that runs the tests in the background has them, and what they start, ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def digest(array):
        return hashlib.blake2b(array.tobytes(), digest_size=8).hexdigest()

    def draw(i):
        return digest(fanin.Normal()(SHAPE, seed=3, name=f"w{{i}}"))

    def answer(what):
        print(json.dumps(what), flush=True)

    def threads():  # that the system counts, whoever started them
        return len(os.listdir("/proc/self/task"))
"""


def environment(site=None, **variables):
    """This process' environment for a Python that finds the same packages; a folder `site` precedes them."""
    path = os.pathsep.join(filter(None, [str(site or ""), *sys.path]))
    return os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "ignore::DeprecationWarning"} | variables


def source(*codes):
    return "\n".join(map(textwrap.dedent, (PREAMBLE, *codes)))


def run(*codes, site=None, python=(), **variables):
    """The standard output of a script; the test fails if it crashes, and if it hangs."""
    return run_text(source(*codes), site=site, python=python, **variables)


def run_text(text, site=None, python=(), **variables):
    """`run` without the preamble, which imports fanin."""
    done = subprocess.run([sys.executable, *python, "-c", text], capture_output=True, text=True,
                          env=environment(site, **variables), timeout=TIMEOUT)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def started(path, *codes, **variables):
    """A process of its own group that runs a script from a file; all of the group is killed in the end."""
    path.write_text(source(*codes), "utf-8")
    process = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(**variables), start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)


def digests_of_draws():
    """What draw(0), …, draw(7) give, from parts too small for more than one thread."""
    import fanin

    drawn = [[fanin.Normal().shard(SHAPE, slice(i, i + 50), seed=3, name=f"w{n}") for i in range(0, SHAPE[0], 50)]
             for n in range(8)]
    return [hashlib.blake2b(np.concatenate(parts).tobytes(), digest_size=8).hexdigest() for parts in drawn]


def threading_layers():
    """The layers that this numba can start."""
    found = ["workqueue"]
    with contextlib.suppress(ImportError):
        importlib.import_module("numba.np.ufunc.omppool")
        found.append("omp")
    return found


# numba's layer is started before fanin draws, or never
OF_LAYERS = pytest.mark.parametrize("layer", ["not started", *threading_layers()])
# FANIN_THREADS: with numba's layer where that is safe, and without
OF_SHARING = pytest.mark.parametrize("sharing", ["numba", "own"])
NEEDS_PROC = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs Linux' list of threads")
NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

USERS_KERNEL = "import numba; from users_kernel import users_own"


def run_with_layer(layer, *codes, **variables):
    """`run` where the script's own use of numba starts a threading layer before anything else."""
    if layer != "not started":
        codes, variables = (USERS_KERNEL, "users_own()", *codes), variables | {"NUMBA_THREADING_LAYER": layer}
    return run(*codes, **variables)
