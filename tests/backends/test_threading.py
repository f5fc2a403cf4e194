"""Who shares a draw: the choice, its limits, and that nothing of it changes a bit or comes unasked."""

import json
import os

import pytest

import fanin
from fanin._backends import cores
from scripts import NEEDS_FORK, NEEDS_PROC, USERS_KERNEL, digests_of_draws, run, threading_layers

CHOICES = ["numba", "own", "none"]
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
NEEDS_TWO = pytest.mark.skipif(PROCESSORS < 2, reason="needs two processors")
NEEDS_OPENMP = pytest.mark.skipif("omp" not in threading_layers(), reason="needs numba's OpenMP layer")
MORE = """
    def more(function=lambda: draw(0)):  # threads after it than before
        before = threads()
        function()
        return threads() - before

    def layer():
        import numba
        try:
            return numba.threading_layer()
        except ValueError:
            return None

    fanin.Normal()(9, seed=0)  # numba is imported, with all that it starts
"""


@pytest.fixture(scope="module")
def expected():
    return digests_of_draws()


def answer(*codes, **variables):
    return json.loads(run(MORE, *codes, **variables))


# -- the choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_changes_no_bit(choice, expected):
    """Set from outside or in the program, for contiguous arrays and others."""
    code = """
        out = np.empty((601, 500), np.float32).T
        answer([[draw(i) for i in range(8)], digest(fanin.Normal()(SHAPE, seed=3, name="w0", out=out))])
    """
    assert answer(code, FANIN_THREADS=choice) == [expected, expected[0]]
    assert answer(f"fanin.set_threading({choice!r})", code) == [expected, expected[0]]


@NEEDS_PROC
@NEEDS_TWO
def test_the_choice_can_change_at_any_time():
    """Each draw goes by the choice that it finds: here none, own and numba's layer, one after the other."""
    found = answer("""
        found = []
        for choice in ("none", "own", "numba"):
            fanin.set_threading(choice)
            found.append([more() > 0, layer() is not None])
        answer(found)
    """, NUMBA_THREADING_LAYER="omp" if "omp" in threading_layers() else "default")
    assert found[:2] == [[False, False], [True, False]]
    assert found[2][1] or "omp" not in threading_layers()


def test_choosing_while_others_draw(expected):
    """Draws that are running finish as they began."""
    found = answer("""
        found, stop = [], threading.Event()
        def work():
            while not stop.is_set():
                found.append(draw(0))
        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for i in range(300):
            fanin.set_threading(("numba", "own", "none")[i % 3])
            time.sleep(0.002)
        stop.set()
        for worker in workers:
            worker.join()
        answer(sorted(set(found)))
    """)
    assert found == [expected[0]]


@pytest.mark.parametrize("value", ["openmp", "Numba", ""])
def test_another_value_is_refused(value):
    """The error names the choices."""
    with pytest.raises(fanin.FaninValueError, match="`threads` must be one of 'numba', 'own', 'none' \\(got"):
        fanin.set_threading(value)


def test_another_type_is_refused():
    """A number of threads is numba's to set."""
    with pytest.raises(fanin.FaninTypeError, match="`threads` must be a string \\(got 2, an int"):
        fanin.set_threading(2)


def test_another_value_of_the_variable_is_refused():
    """Each draw says so, small ones too, until the program makes a choice of its own; importing does not fail."""
    assert json.loads(run("""
        found = []
        for _ in range(2):
            try:
                fanin.Normal()(3, seed=0)
            except fanin.FaninValueError as error:
                found.append(str(error))
        fanin.set_threading("own")
        answer([found, fanin.Normal()(3, seed=0).tolist() == fanin.Normal()(3, seed=0, device="reference").tolist()])
    """, FANIN_THREADS="mine")) == [["`FANIN_THREADS` must be one of 'numba', 'own', 'none' (got 'mine')"] * 2, True]


# -- how many --------------------------------------------------------------------------------------------------------


@NEEDS_PROC
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize(("variables", "limit"), [
    ({"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "3"}, 1), ({"NUMBA_NUM_THREADS": "2"}, 2),
    ({"NUMBA_NUM_THREADS": "4", "OMP_NUM_THREADS": "2"}, 2), ({"NUMBA_NUM_THREADS": "4", "OMP_NUM_THREADS": "1,4"}, 1),
    ({"NUMBA_NUM_THREADS": "64"}, 64),
], ids=str)
def test_variables_and_processors_limit_threads(choice, variables, limit, expected):
    """NUMBA_NUM_THREADS, OMP_NUM_THREADS and the processors are all kept, and the bits don't depend on them."""
    found = answer("answer([more(), draw(0)])", FANIN_THREADS=choice, **variables)
    assert found == [min(limit, PROCESSORS) - 1 if choice != "none" else 0, expected[0]]


@NEEDS_PROC
@NEEDS_TWO
@pytest.mark.parametrize("choice", CHOICES[:2])
def test_set_num_threads(choice, expected):
    """numba.set_num_threads counts from the next draw on, and is what it was after the draw."""
    found = answer("""
        import numba
        found = []
        for n in (1, 2):
            numba.set_num_threads(n)
            found.append([more(), draw(0), numba.get_num_threads()])
        answer(found)
    """, FANIN_THREADS=choice, NUMBA_NUM_THREADS="2")
    assert found == [[0, expected[0], 1], [1, expected[0], 2]]


@NEEDS_PROC
@NEEDS_TWO
@pytest.mark.parametrize("choice", CHOICES[:2])
def test_affinity(choice, expected):
    """A process that is bound to one processor draws in one thread, also when it was bound after the import."""
    found = answer("""
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        found = [more(), layer(), draw(0)]
        os.sched_setaffinity(0, processors)
        answer([*found, more() > 0])
    """, FANIN_THREADS=choice)
    assert found == [0, None, expected[0], True]


NEW = "25 24 0:23 {root} /sys/fs/cgroup rw,nosuid master:9 - cgroup2 cgroup2 rw,nsdelegate\n"
OLD = "33 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"


def machine(folder, cgroup, mounts, **files):
    """A folder with what Linux shows of a process' control groups."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(cgroup)
    (folder / "proc/self/mountinfo").write_text(f"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n{mounts}")
    for name, text in files.items():
        path = folder / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(("quota", "cores_of_it"), [
    ("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("250000 100000", 2), ("300000 100000", 3),
    ("75000 25000", 3),
])
def test_a_quota_in_whole_cores(tmp_path, quota, cores_of_it):
    """Rounded down, but to one at least; as a container sees it, whose own group is the uppermost."""
    root = machine(tmp_path, "0::/\n", NEW.format(root="/"), **{"cpu.max": quota + "\n"})
    assert cores._quota(root) == cores_of_it


def test_the_least_quota_counts(tmp_path):
    """Those of the groups around the process' own limit it too."""
    root = machine(tmp_path, "0::/pods/a/b\n", NEW.format(root="/"), **{
        "pods/a/b/cpu.max": "max 100000\n", "pods/a/cpu.max": "400000 100000\n", "pods/cpu.max": "200000 100000\n"})
    assert cores._quota(root) == 2


@pytest.mark.parametrize(("cgroup", "inside"), [
    ("4:memory:/x\n2:cpu,cpuacct:/docker/1\n0::/\n", "/docker/1"),  # seen from a container of an old Docker
    ("2:cpu,cpuacct:/docker/1\n", "/"),  # and where not even the path of the mount is told
])
def test_the_quota_of_version_1(tmp_path, cgroup, inside):
    """Control groups of the first version, where a quota of -1 is none."""
    where = "cpu,cpuacct/cpu.cfs_"
    for name, quota, expected in (("a", "150000", 1), ("b", "-1", None)):
        root = machine(tmp_path / name, cgroup, OLD.format(root=inside), **{
            where + "quota_us": quota + "\n", where + "period_us": "50000\n"})
        assert cores._quota(root) == (3 if expected else None)


@pytest.mark.parametrize("other", [b"9 1 0:9 / /caf\xe9 rw - vfat /dev/sda rw\n", b"9 1 0:9 / /run rw - tmpfs  rw\n"])
def test_mounts_of_any_name_and_source(tmp_path, other):
    """What else is mounted, under whatever name, doesn't hide the quota."""
    root = machine(tmp_path, "0::/\n", NEW.format(root="/"), **{"cpu.max": "100000 100000\n"})
    mounts = root / "proc/self/mountinfo"
    mounts.write_bytes(other + mounts.read_bytes())
    assert cores._quota(root) == 1


def test_no_control_groups(tmp_path):
    """Elsewhere than on Linux nothing is limited by them."""
    assert cores._quota(tmp_path) is None


# -- the layer -------------------------------------------------------------------------------------------------------


def test_a_small_draw_starts_nothing():
    """No layer and no thread, whatever the choice and however often."""
    assert answer("""
        before = threading.active_count()
        for scheme in (fanin.Normal(), fanin.Sparse(0.5), fanin.Orthogonal()):
            for _ in range(3):
                scheme((100, 100), seed=0)
        answer([layer(), threading.active_count() - before])
    """) == [None, 0]


@pytest.mark.parametrize("choice", ["own", "none"])
def test_other_choices_start_no_layer(choice, expected):
    """numba's layer stays the caller's to choose, after fanin has drawn."""
    for name in threading_layers():
        found, before, used = answer(USERS_KERNEL, f"""
            found = [draw(i) for i in range(8)]
            before = layer()
            numba.config.THREADING_LAYER = {name!r}
            users_own()
            answer([found, before, layer()])
        """, FANIN_THREADS=choice)
        assert (found, before, used) == (expected, None, name)


@NEEDS_TWO
@pytest.mark.parametrize("name", threading_layers())
def test_the_layer_is_the_users_choice(name, expected):
    """A large draw starts OpenMP where numba is told to use it, and never a layer that it could not use itself."""
    found = answer("answer([draw(0), layer()])", NUMBA_THREADING_LAYER=name)
    assert found == [expected[0], name if name != "workqueue" else None]


@NEEDS_OPENMP
@NEEDS_TWO
def test_the_order_of_layers_is_the_users_choice(expected):
    """No layer is started while numba would start one that is of no use to a draw; later choices count."""
    assert answer("""
        import numba
        found = [draw(0), layer()]
        numba.config.THREADING_LAYER = "omp"
        answer([*found, draw(0), layer()])
    """, NUMBA_THREADING_LAYER_PRIORITY="workqueue omp tbb") == [expected[0], None, expected[0], "omp"]


@NEEDS_TWO
def test_a_layer_that_is_not_here(expected):
    """What numba can't start is numba's to say, when a kernel needs it: a draw doesn't."""
    code = """
        import numba
        numba.config.THREADING_LAYER = "nonesuch"
        answer([draw(0), draw(1), layer()])
    """
    assert answer(code) == [*expected[:2], None]


@NEEDS_FORK
@NEEDS_TWO
def test_a_forked_child_starts_no_layer(expected):
    """Not even where its parent had started none: another library's OpenMP may have been busy there."""
    found = answer("""
        pid = os.fork()
        if pid == 0:
            os._exit(0 if draw(0) == EXPECTED and layer() is None else 9)
        answer([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), draw(0)])
    """.replace("EXPECTED", repr(expected[0])))
    assert found == [0, expected[0]]


@NEEDS_OPENMP
@pytest.mark.parametrize("choice", CHOICES)
def test_a_draw_inside_a_parallel_loop(choice, expected):
    """From Python code that a parallel loop of the user's calls, in each of its threads."""
    found = answer("""
        import numba

        found = {}
        def work(i):
            found[i] = draw(i)

        @numba.njit(parallel=True)
        def loop():
            for i in numba.prange(8):
                with numba.objmode():
                    work(i)

        draw(0)
        loop()
        answer([found[i] for i in range(8)])
    """, FANIN_THREADS=choice, NUMBA_THREADING_LAYER="omp")
    assert found == expected
