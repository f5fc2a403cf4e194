"""Threads and processes of the caller's own: the same bits, no hang, no crash, whatever numba's layer does."""

import json
import multiprocessing

import pytest

from scripts import (
    NEEDS_FORK,
    NEEDS_PROC,
    OF_LAYERS,
    USERS_KERNEL,
    digests_of_draws,
    run,
    run_text,
    run_with_layer,
    source,
    threading_layers,
)

TWO = {"NUMBA_NUM_THREADS": "2"}


def answer(*codes, layer="not started", **variables):
    return json.loads(run_with_layer(layer, *codes, **TWO | variables))


@pytest.fixture(params=["numba", "own"], autouse=True)
def sharing(request, monkeypatch):
    """Each test holds with numba's threading layer and with fanin's own threads."""
    monkeypatch.setenv("FANIN_THREADS", request.param)
    return request.param


@pytest.fixture(scope="module")
def expected():
    return digests_of_draws()


# -- threads ---------------------------------------------------------------------------------------------------------


@OF_LAYERS
def test_eight_threads_at_once(layer, expected):
    """Threads that draw at the same time, from the first compilation on, get the bits of one thread."""
    found = answer("""
        start, found = threading.Barrier(8), {}
        def work(i):
            start.wait()
            found[i] = [draw((i + j) % 8) for j in range(24)]
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answer([found[i] for i in range(8)])
    """, layer=layer)
    assert found == [[expected[(i + j) % 8] for j in range(24)] for i in range(8)]


# -- processes -------------------------------------------------------------------------------------------------------


@NEEDS_FORK
@OF_LAYERS
def test_a_forked_child(layer, expected):
    """After the parent drew in threads, child and grandchild draw the same bits, and so does the parent."""
    found = answer("""
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
        answer([from_child, [draw(i) for i in range(8)], process.exitcode])
    """, layer=layer)
    assert found == [expected, expected, 0]


@NEEDS_FORK
@OF_LAYERS
def test_a_child_forked_while_threads_draw(layer, expected):
    """A fork in the middle of other threads' draws leaves a child that works."""
    found = answer("""
        stop = threading.Event()
        draw(0)
        threads = [threading.Thread(target=lambda: [draw(0) for _ in iter(stop.is_set, True)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        codes = []
        for i in range(8):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if draw(i) == EXPECTED[i] else 9)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop.set()
        for thread in threads:
            thread.join()
        answer(codes)
    """.replace("EXPECTED", repr(expected)), layer=layer)
    assert found == [0] * 8


@NEEDS_FORK
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("delay", [0, 0.02, 0.1, 0.3])
def test_a_child_forked_during_the_first_draw(delay, cached, expected, tmp_path):
    """While another thread imports numba, compiles and starts the layer: the child finds nothing half done.

    And neither process waits for the other's threads, or says anything.
    """
    cache = {} if cached else {"NUMBA_CACHE_DIR": str(tmp_path)}
    found = answer("""
        import tempfile
        thread = threading.Thread(target=draw, args=(0,))
        sys.addaudithook(lambda event, arguments: event == "import" and begun.set())
        begun = threading.Event()
        thread.start()
        begun.wait()
        time.sleep(DELAY)
        said, codes = os.dup(2), []
        messages = tempfile.TemporaryFile()
        os.dup2(messages.fileno(), 2)
        while thread.is_alive() or not codes:
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                os._exit(0 if draw(1) == EXPECTED else 9)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.dup2(said, 2)
        messages.seek(0)
        answer([sorted(set(codes)), messages.read().decode()])
    """.replace("EXPECTED", repr(expected[1])).replace("DELAY", str(delay)), **cache)
    assert found == [[0], ""]


@NEEDS_PROC
@NEEDS_FORK
@pytest.mark.parametrize("layer", threading_layers())
def test_a_forked_child_imports_fanin(layer, expected):
    """Its parent used numba's layer and not fanin: the child, the first to import it, draws the same bits."""
    child = source(f"os._exit(0 if draw(1) == {expected[1]!r} else 9)")
    found = run_text(f"""{USERS_KERNEL}
import os, sys
users_own()
assert "fanin" not in sys.modules
pid = os.fork()
if pid == 0:
    exec({child!r})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""", NUMBA_THREADING_LAYER=layer)
    assert found == "0\n"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.parametrize("layer", threading_layers())
def test_a_pool_of_workers(layer, method, tmp_path, expected):
    """Workers as data loaders start them, by each method of multiprocessing, after the parent drew."""
    job = tmp_path / "job.py"
    job.write_text(source("""
        def work(i):
            return draw(i)
    """), "utf-8")  # fresh processes import what they are to run
    found = answer(f"""
        from job import work
        draw(0)
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            answer(pool.map(work, range(8)))
    """, layer=layer, site=tmp_path)
    assert found == expected


# -- the caller's own parallel kernels -------------------------------------------------------------------------------


@NEEDS_FORK
@pytest.mark.parametrize("layer", threading_layers())
def test_a_childs_own_kernel(layer, sharing, expected):
    """A forked child may run numba's parallel kernels, as it could if its parent had not drawn.

    Not where the parent drew in OpenMP's threads, as numba's documentation says of any parallel kernel.
    """
    if (layer, sharing) == ("omp", "numba"):
        sharing = "own"  # docs/how-it-works.md names this switch
    found = answer(USERS_KERNEL, """
        first = draw(0)
        pid = os.fork()
        if pid == 0:
            users_own()
            os._exit(0 if draw(1) == EXPECTED[1] else 9)
        answer([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), first])
    """.replace("EXPECTED", repr(expected)), NUMBA_THREADING_LAYER=layer, FANIN_THREADS=sharing)
    assert found == [0, expected[0]]


@pytest.mark.parametrize("layer", threading_layers())
def test_a_kernel_that_runs_beside_a_draw(layer, expected):
    """A parallel kernel in another thread, at the same time: also on the workqueue layer, which allows only one."""
    found = answer(USERS_KERNEL, """
        users_own()
        stop, rounds = threading.Event(), []
        def beside():
            while not stop.is_set():
                users_own(10**6)
                rounds.append(1)
        thread = threading.Thread(target=beside)
        thread.start()
        found = [draw(i % 8) for i in range(64)]
        while len(rounds) < 20:
            draw(0)
        stop.set()
        thread.join()
        answer([found, numba.threading_layer()])
    """, NUMBA_THREADING_LAYER=layer)
    assert found == [expected * 8, layer]


# -- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", [True, False])
def test_the_interpreter_ends_while_a_thread_draws(daemon):
    """No hang and no crash: a daemon thread is dropped in the middle of a draw, another thread's draw is finished."""
    found = run(f"""
        out = np.zeros(2**25, np.float32)
        whole = fanin.Normal()(out.shape, seed=0)
        def work():
            fanin.Normal()(out.shape, out=out, seed=0)
            print("drawn", bool((out == whole).all()), flush=True)
        thread = threading.Thread(target=work, daemon={daemon})
        thread.start()
        while not out[0]:
            time.sleep(0.001)
        print("ends", flush=True)
    """)
    assert found.split("\n")[:-1] == (["ends"] if daemon else ["ends", "drawn True"])


def test_draws_at_exit(expected):
    """`atexit` functions draw, in threads too."""
    found = run("""
        import atexit
        atexit.register(lambda: answer([draw(i) for i in range(8)]))
        draw(0)
    """)
    assert json.loads(found) == expected
