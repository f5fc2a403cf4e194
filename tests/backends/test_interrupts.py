"""Ctrl-C: KeyboardInterrupt is raised, the process lives, nobody writes any more, and the next draw has its bits."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from scripts import (
    NEEDS_FORK,
    NEEDS_PROC,
    OF_LAYERS,
    OF_SHARING,
    TIMEOUT,
    digests_of_draws,
    run,
    run_with_layer,
    started,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals to processes are POSIX'")
INTERRUPT = """
    import queue

    wishes = queue.SimpleQueue()
    interrupt_when = wishes.put  # what is true then; put() is not interrupted itself

    def interrupt():
        while True:
            reached = wishes.get()
            while not reached():
                time.sleep(0.0001)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()

    def interrupt_after(seconds):
        at = time.perf_counter() + seconds
        interrupt_when(lambda: time.perf_counter() >= at)

    def wait_for_the_interrupt():
        # not one long sleep: a signal that comes just before the system is asked to sleep does not end the sleep
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)
"""


@OF_SHARING
@OF_LAYERS
@pytest.mark.parametrize("layout", ["contiguous", "strided"])
def test_in_the_middle_of_a_fill(layer, layout, sharing):
    """What is left undone stays undone, the array isn't touched after the interrupt, and the next fill is whole.

    The interrupt is sent when the fill has written its first numbers, and the array is large: on any machine it comes
    before the end, or nearly always. It is tried again until it did so three times.
    """
    found = json.loads(run_with_layer(layer, INTERRUPT, f"""
        n = 2**26
        out = np.zeros(2 * n, np.float16)[::2] if {layout == "strided"} else np.zeros(n, np.float16)
        first, last = [fanin.Normal().shard(n, part, "float16", seed=0) for part in (slice(0, 100), slice(n - 100, n))]
        whole = fanin.Normal()(n, "float16", seed=1)
        middle = 0
        while middle < 3:
            out[:] = 0
            try:
                interrupt_when(lambda: (out[:100] == first).all())
                fanin.Normal()(n, out=out, seed=0)
                wait_for_the_interrupt()
            except KeyboardInterrupt:
                left = out.copy()
                time.sleep(0.02)
                assert (out == left).all()
                middle += not (left[-100:] == last).all()
        fanin.Normal()(n, out=out, seed=1)
        assert (out == whole).all()
        answer(middle)
    """, NUMBA_NUM_THREADS="2", FANIN_THREADS=sharing))
    assert found == 3


@NEEDS_PROC
@OF_SHARING
def test_at_any_moment(sharing):
    """Handlers that raise at many moments, microseconds apart: a later fill of the same array is whole.

    And the process has no more threads than after its first draw.
    """
    found = json.loads(run("""
        class Alarm(Exception):
            pass

        def ring(*arguments):
            raise Alarm

        n = 2**18
        out = np.zeros(n, np.float32)
        whole = fanin.Normal()(n, seed=1)
        before = threads()
        signal.signal(signal.SIGALRM, ring)
        interrupted = wrong = i = 0
        end = time.perf_counter() + 3
        while time.perf_counter() < end or interrupted < 100:  # on a slow machine it takes longer
            i += 1
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + i % 100 * 8e-6)
                for _ in range(5):
                    fanin.Normal()(n, out=out, seed=0)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Alarm:
                interrupted += 1
            fanin.Normal()(n, out=out, seed=1)
            wrong += not (out == whole).all()
        answer([interrupted, wrong, threads() - before])
    """, FANIN_THREADS=sharing))
    interrupted, wrong, more_threads = found
    assert interrupted >= 100
    assert wrong == 0
    assert more_threads == 0


def test_while_numba_is_imported_and_kernels_are_compiled(tmp_path):
    """The interrupt comes when the import, or the compilation, is whole: so that the next draw works."""
    found = json.loads(run(INTERRUPT, """
        found, sent = [], []

        def interrupt_once(during):
            if during not in sent:
                sent.append(during)
                os.kill(os.getpid(), signal.SIGINT)

        def hook(event, arguments):
            if event == "import" and arguments[0] == "numba.core.dispatcher":
                interrupt_once("import")

        def draw(scheme):
            try:
                scheme((7, 33), seed=1)
                found.append("not interrupted")
            except KeyboardInterrupt:
                found.append("interrupted")
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert (scheme((7, 33), seed=1) == scheme((7, 33), device="reference", seed=1)).all()

        sys.addaudithook(hook)
        draw(fanin.Normal())

        from numba.core import event

        class AtCompilation(event.Listener):
            def on_start(self, event):
                interrupt_once("compilation")

            def on_end(self, event):
                pass

        event.register("numba:compile", AtCompilation())
        draw(fanin.Uniform())
        answer([found, sent])
    """, NUMBA_CACHE_DIR=str(tmp_path)))
    assert found == [["interrupted"] * 2, ["import", "compilation"]]


@OF_SHARING
def test_while_another_thread_draws(sharing):
    """The main thread is interrupted; the other one's draw is not, and ends whole."""
    found = json.loads(run(INTERRUPT, """
        n = 2**24
        whole, out = fanin.Normal()(n, seed=1), np.zeros(n, np.float32)
        worker = threading.Thread(target=lambda: fanin.Normal()(n, out=out, seed=1))
        worker.start()
        try:
            interrupt_after(0)
            wait_for_the_interrupt()
        except KeyboardInterrupt:
            found = "interrupted"
        worker.join()
        answer([found, bool((out == whole).all()), draw(0)])
    """, FANIN_THREADS=sharing))
    assert found == ["interrupted", True, digests_of_draws()[0]]


def members(group):
    """The processes of a group that are not only waiting to be collected."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats.append(path.read_text().rpartition(")")[2].split())
    return [fields for fields in stats if int(fields[2]) == group and fields[0] != "Z"]


@NEEDS_FORK
@OF_SHARING
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes(method, sharing, tmp_path):
    """Ctrl-C on a terminal reaches the whole group: the parent goes on, its workers end, and nothing is left."""
    code = f"""
        def work(i):
            if i == 0:
                open(sys.argv[0] + ".started", "w").close()
            for _ in range(1000):
                fanin.Normal()(2**22, seed=i)

        if __name__ == "__main__":
            draw(0)
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                try:
                    pool.map(work, range(4), chunksize=1)
                    found = "finished"
                except KeyboardInterrupt:
                    found = "interrupted"
                pool.terminate()
                pool.join()
            answer([found, draw(0)])
    """
    script = tmp_path / "job.py"
    with started(script, code, FANIN_THREADS=sharing) as process:
        waiting = time.monotonic() + TIMEOUT
        while not script.with_suffix(".py.started").exists():
            assert time.monotonic() < waiting
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        time.sleep(0.1)
        waiting = time.monotonic() + TIMEOUT
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        assert json.loads(out) == ["interrupted", digests_of_draws()[0]]
        while members(process.pid):  # multiprocessing's own tracker ends a moment later
            assert time.monotonic() < waiting
            time.sleep(0.01)
