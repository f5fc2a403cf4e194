"""Threads and processes of the caller's own: the same bits, no hang, no crash, under each of numba's threading layers.

Each case runs in a process of its own, with a time limit: what it guards against kills or freezes the interpreter.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import fanin

TIMEOUT = 120  # seconds
LAYERS = ["default", "workqueue"]
OF_LAYERS = pytest.mark.parametrize("layer", LAYERS)
PREAMBLE = """
    import hashlib, multiprocessing, os, sys, threading, warnings
    import fanin

    SHAPE = (300, 401)  # enough for the parallel loop

    def draw(i):
        array = fanin.Normal()(SHAPE, seed=3, name=f"w{i}")
        return hashlib.blake2b(array.tobytes(), digest_size=8).hexdigest()
"""


def run(code, layer="default", site=None, **environment):
    """The standard output of a script, as JSON; the test fails on a crash and on a hang. `site` precedes sys.path."""
    environment = os.environ | {"NUMBA_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore::DeprecationWarning"} | environment
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site or ""), *sys.path]))
    if layer != "default":
        environment["NUMBA_THREADING_LAYER"] = layer
    script = textwrap.dedent(PREAMBLE) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment,
                          timeout=TIMEOUT)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def expected():
    """Digests of eight named draws, made in one thread here."""
    import hashlib

    import numpy as np

    serial = [np.concatenate([fanin.Normal().shard((300, 401), slice(i, i + 50), seed=3, name=f"w{n}")
                              for i in range(0, 300, 50)]) for n in range(8)]
    return [hashlib.blake2b(array.tobytes(), digest_size=8).hexdigest() for array in serial]


@OF_LAYERS
def test_one_process(layer, expected):
    """The parallel loop really runs, on the layer asked for, and gives the serial bits."""
    found, used = run("""
        import json, numba
        digests = [draw(i) for i in range(8)]
        print(json.dumps([digests, numba.threading_layer()]))
    """, layer)
    assert found == expected
    assert layer in ("default", used)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@OF_LAYERS
def test_a_forked_child(layer, expected):
    """After the parent used parallel kernels, child and grandchild draw the same bits, and so does the parent."""
    found = run("""
        import json
        def child(connection):
            inner, outer = multiprocessing.Pipe(duplex=False)
            fork = multiprocessing.get_context("fork")
            grandchild = fork.Process(target=lambda: outer.send([draw(i) for i in range(4, 8)]))
            first = [draw(i) for i in range(4)]
            grandchild.start()
            connection.send(first + (inner.recv() if inner.poll(60) else []))
            grandchild.join(60)

        draw(0)
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=child, args=(sender,))
        process.start()
        from_child = receiver.recv() if receiver.poll(90) else None
        process.join(60)
        print(json.dumps([from_child, [draw(i) for i in range(8)], process.exitcode]))
    """, layer)
    assert found == [expected, expected, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@OF_LAYERS
def test_a_child_forked_while_threads_draw(layer, expected):
    """A fork in the middle of another thread's parallel kernel leaves a child that works."""
    found = run("""
        import json
        stop = threading.Event()
        draw(0)
        threads = [threading.Thread(target=lambda: [draw(0) for _ in iter(stop.is_set, True)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        codes = []
        for i in range(8):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if draw(i) == sys.argv[1:][i] else 9)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop.set()
        for thread in threads:
            thread.join()
        print(json.dumps(codes))
    """.replace("sys.argv[1:]", repr(expected)), layer)
    assert found == [0] * 8


@OF_LAYERS
def test_eight_threads_at_once(layer, expected):
    """Threads that draw at the same time, from the first compilation on, get the bits of one thread."""
    found = run("""
        import json
        start, found = threading.Barrier(8), {}
        def work(i):
            start.wait()
            found[i] = [draw((i + j) % 8) for j in range(24)]
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps([found[i] for i in range(8)]))
    """, layer)
    assert found == [[expected[(i + j) % 8] for j in range(24)] for i in range(8)]


def test_spawned_workers(tmp_path, expected):
    """A pool of fresh processes, as data loaders make them."""
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(PREAMBLE) + textwrap.dedent("""
        import json
        if __name__ == "__main__":
            draw(0)
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                print(json.dumps(pool.map(draw, range(8))))
    """), "utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_a_second_process_compiles_nothing(tmp_path, expected):
    """Compiled kernels are kept on disk and found again: the first call of the next process is quick."""
    code = "print([draw(i) for i in range(8)])"
    outputs = []
    for _ in range(2):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DEBUG_CACHE": "1",
                                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(PREAMBLE) + code], capture_output=True, text=True,
                              env=environment, timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert all(str(expected) in output for output in outputs)
    assert "data saved to" in outputs[0]
    assert "data saved to" not in outputs[1]
    assert "data loaded from" in outputs[1]


def test_a_read_only_machine_is_no_obstacle(tmp_path, expected):
    """Where compiled code can be kept nowhere it is made anew, and one warning says so and what to do."""
    # Root may write anywhere; a file where a folder would have to be stops it too.
    package = tmp_path / "site" / "fanin"
    shutil.copytree(Path(fanin.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for blocked in (package / "backends" / "__pycache__", tmp_path / "home"):
        blocked.write_text("")
    found, warned, where = run("""
        import json
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = [draw(i) for i in range(8)] + [fanin.Uniform()(3, seed=0).tolist()]
        warned = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
        print(json.dumps([found[:8], warned, fanin.__file__]))
    """, site=package.parent, NUMBA_CACHE_DIR="", HOME=str(tmp_path / "home"), XDG_CACHE_HOME=str(tmp_path / "home"))

    assert where.startswith(str(package))
    assert found == expected
    assert len(warned) == 1
    assert "NUMBA_CACHE_DIR" in warned[0]
