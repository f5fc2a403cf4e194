"""fanin.dask on Dask's real schedulers: threads, processes and a cluster, and a tensor larger than memory."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import dask.array as da
import ml_dtypes
import numpy as np
import pytest

import fanin.dask
from fanin import FaninError, FaninImportError, Initializer, Registry, Stream

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPE = (50, 24)
CHUNKS = ["auto", -1, 7, (50, 3), (1, -1), ((20, 0, 30), (1, 23)), {0: 10}, "1 KiB"]
SCHEMES = [
    "he_normal",
    {"scheme": "truncated_normal", "lower": -1.0},
    fanin.Uniform(-0.1, 0.1),
    fanin.Sparse(0.3),
    fanin.Eye(),
    fanin.Constant(np.arange(24.0)),
]


@pytest.fixture
def drawn(monkeypatch):
    """The shapes of all that is drawn from now on."""
    shapes, shard = [], Initializer.shard

    def spy(self, *arguments, **parameters):
        block = shard(self, *arguments, **parameters)
        shapes.append(block.shape)
        return block

    monkeypatch.setattr(Initializer, "shard", spy)
    return shapes


def assert_same(found, expected):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", SCHEMES, ids=str)
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_values_do_not_depend_on_chunks(init, chunks):
    """Any chunks, regular or not, hold the whole's bits."""
    array = fanin.dask.array(init, SHAPE, chunks, seed=3, name="w")

    assert_same(array.compute(), Registry.get(init)(SHAPE, seed=3, name="w"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "complex64", "complex128"])
def test_every_dtype_is_known_before_and_after(dtype):
    """`dtype` and `meta` say what `compute` gives, bfloat16 and complex types included."""
    array = fanin.dask.array("normal", SHAPE, 7, dtype=dtype, seed=3)

    assert array.dtype == array._meta.dtype == np.dtype(getattr(ml_dtypes, dtype, dtype))
    assert array._meta.shape == (0, 0)
    assert_same(array.compute(), Registry.get("normal")(SHAPE, dtype, seed=3))


@pytest.mark.parametrize("shape", [(), 5, (0,), (3, 0), (1, 1, 1), [2, 3]], ids=str)
def test_shapes_of_any_rank_and_without_elements(shape):
    """Scalars, ints as shapes, and axes of size 0 work as in the scheme itself."""
    assert_same(fanin.dask.array("normal", shape, seed=3).compute(), Registry.get("normal")(shape, seed=3))


@pytest.mark.parametrize("chunks", [-1, (40, -1), (-1, 20), (40, 50)], ids=str)
def test_orthogonal_chunks_are_those_of_the_whole_within_the_bound(chunks):
    """Orthogonal matrices agree within 1e-5·gain, whichever way they are cut."""
    whole = fanin.Orthogonal(2.0)((120, 60), seed=3, name="w")
    array = fanin.dask.array(fanin.Orthogonal(2.0), (120, 60), chunks, seed=3, name="w").compute()

    assert np.abs(array - whole).max() <= 2e-5
    assert np.abs(array.T @ array - 4 * np.eye(60)).max() <= 4e-5


def test_an_indexed_array_is_the_whole_indexed():
    """What follows in a graph sees the scheme's numbers: slices, steps back, lists, sums, transposes."""
    array = fanin.dask.array("normal", SHAPE, 7, seed=3)
    whole = Registry.get("normal")(SHAPE, seed=3)

    for expression in (lambda x: x[5], lambda x: x[::-3, 2], lambda x: x[[1, 40, 3]], lambda x: x[5, None, 3:].T,
                       lambda x: x.T[3:9], lambda x: (x[10:20] * 2)[:, ::5]):
        assert_same(expression(array).compute(), expression(whole))
    assert np.isclose(array.sum().compute(), whole.sum(), rtol=1e-4)


# -- graphs ------------------------------------------------------------------------------------------------------------


def test_nothing_is_drawn_before_it_is_asked_for_and_then_no_more_than_that(drawn):
    """Making an array of 80 GB draws nothing; a few of its rows cost those rows."""
    where = (5, slice(0, None, 1000))
    expected = Registry.get("he_normal").shard((200_000, 100_000), where, seed=0, name="w")
    drawn.clear()

    part = fanin.dask.array("he_normal", (200_000, 100_000), seed=0, name="w")[where] * 2
    assert drawn == []

    assert_same(part.compute(), 2 * expected)
    assert sum(np.prod(shape) for shape in drawn) == 100


def test_a_graph_holds_no_data():
    """A graph of 20 000 chunks pickles to the scheme and the sizes of chunks along each axis."""
    array = fanin.dask.array("he_normal", (200_000, 100_000), 1000, seed=0, name="w")

    assert array.npartitions == 20_000
    assert len(pickle.dumps(array.dask)) < 4000


def test_equal_calls_share_their_keys_and_others_do_not():
    """Keys are made of all that the values and their places depend on."""
    def name(init="he_normal", shape=SHAPE, chunks=7, **parameters):
        return fanin.dask.array(init, shape, chunks, **{"seed": 3, **parameters}).name

    others = [name(), name(seed=4), name(name="w"), name(name="v"), name(dtype="float16"), name(chunks=8),
              name(init="normal"), name(shape=(50, 25)), name(seed=Stream(3, 1))]

    assert name() == name(seed=Stream(3)) == name(init=Registry.get("he_normal")) == others[0]
    assert len(set(others)) == len(others)


def test_a_scheme_that_is_defined_anew_has_new_keys():
    """Two classes of one name and config, as after an edit in a notebook, are not taken for each other."""
    def define(low):
        class Scheme(Initializer):
            def __init__(self):
                pass

            def plan(self, spec):
                return fanin.Uniform(low, low + 1).plan(spec)

        return Scheme()

    assert fanin.dask.array(define(0), 3, seed=0).name != fanin.dask.array(define(5), 3, seed=0).name


# -- seeds -------------------------------------------------------------------------------------------------------------


def test_an_unnamed_array_takes_one_stream_id_when_it_is_made():
    """All chunks belong to one draw, also when they are computed apart, twice, or after other draws."""
    fanin.seed(11)
    array = fanin.dask.array("normal", SHAPE, 7)
    second = fanin.dask.array("normal", SHAPE, 7)
    apart = np.concatenate([array[start:start + 7].compute() for start in range(0, 50, 7)])

    assert_same(apart, Registry.get("normal")(SHAPE, seed=Stream(11, 0)))
    assert_same(second.compute(), Registry.get("normal")(SHAPE, seed=Stream(11, 1)))
    assert_same(array.compute(), apart)
    assert_same(Registry.get("normal")(SHAPE), Registry.get("normal")(SHAPE, seed=Stream(11, 2)))


def test_a_stream_moves_for_unnamed_arrays_only():
    """A name keys the draw: the stream's seed counts, its position doesn't."""
    stream = Stream(11, 5)
    named = fanin.dask.array("normal", SHAPE, 7, seed=stream, name="w")
    unnamed = fanin.dask.array("normal", SHAPE, 7, seed=stream)

    assert stream == Stream(11, 6)
    assert_same(named.compute(), Registry.get("normal")(SHAPE, seed=11, name="w"))
    assert_same(unnamed.compute(), Registry.get("normal")(SHAPE, seed=Stream(11, 5)))
    assert stream == Stream(11, 6)


@pytest.mark.parametrize("arguments, argument", [
    ({"init": 5}, "init"),
    ({"init": "he_nromal"}, "he_normal"),
    ({"shape": (50, -1)}, "shape"),
    ({"shape": 50}, "shape"),
    ({"dtype": "int32"}, "dtype"),
    ({"seed": -1}, "seed"),
    ({"name": 5}, "name"),
    ({"chunks": (float("nan"), 24)}, "chunks"),
    ({"chunks": ((float("nan"),) * 2, 24)}, "chunks"),
    ({"chunks": ((20, 20), 24)}, "chunks"),
    ({"chunks": ((-10, 60), 24)}, "chunks"),
    ({"chunks": (7,)}, "chunks"),
    ({"chunks": 0}, "chunks"),
    ({"chunks": "many"}, "chunks"),
    ({"chunks": None}, "chunks"),
], ids=str)
def test_everything_wrong_is_found_when_the_array_is_made(arguments, argument):
    """Errors name the argument, and no stream moves."""
    stream = Stream(11)

    with pytest.raises(FaninError, match=argument) as caught:
        fanin.dask.array(**{"init": "he_normal", "shape": SHAPE, "chunks": 7, "seed": stream, **arguments})
    assert stream == Stream(11)
    assert "\n" not in str(caught.value)


def test_without_dask_the_error_says_what_to_install(monkeypatch):
    """The feature, the package and the command."""
    monkeypatch.setitem(sys.modules, "dask.array", None)
    monkeypatch.delitem(sys.modules, "fanin.dask")

    with pytest.raises(FaninImportError, match=r"fanin\.dask.*dask\[array\].*pip install 'fanin\[dask\]'"):
        import fanin.dask  # noqa: F401


# -- schedulers --------------------------------------------------------------------------------------------------------


def test_first_draws_in_eight_threads_at_once():
    """A fresh process, whose first draws are made by Dask's threads, each of which has fanin's threads."""
    code = """if True:
        import fanin.dask, numpy
        array = fanin.dask.array("normal", (64, 2**16), (1, -1), seed=3)
        threads = array.compute(scheduler="threads", num_workers=8)
        assert (threads == array.compute(scheduler="synchronous")).all()
        assert (threads == fanin.Normal()((64, 2**16), seed=3)).all()
    """
    env = {**os.environ, "NUMBA_NUM_THREADS": "2"}

    subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, check=True, timeout=120)


@pytest.mark.parametrize("scheduler", ["spawn", "forkserver", "cluster"])
def test_processes_compute_the_same_bits(scheduler):
    """Dask's process scheduler and a LocalCluster, also with a user's scheme that no other process can import.

    The cluster's two workers, of 800 MiB each, reduce a tensor that is larger than both together.
    """
    script = Path(__file__).with_name("dask_processes.py")

    done = subprocess.run([sys.executable, "-W", "error", script, scheduler], capture_output=True, text=True,
                          check=False, timeout=240)

    assert done.returncode == 0, done.stderr


def test_the_example_writes_a_tensor_larger_than_its_memory(tmp_path):
    """examples/larger_than_memory.py: 512 MiB written and checked with 256 MiB, where the whole is refused."""
    script = EXAMPLES / "larger_than_memory.py"

    done = subprocess.run([sys.executable, "-W", "error", script, "--gib", "0.5", "--memory-mib", "256", "--out",
                           "stack"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    refused, wrote, checked = done.stdout.splitlines()
    assert "FaninMemoryError" in refused
    assert wrote.startswith("wrote 512 MiB in 16 files")
    assert checked.startswith("the files hold the scheme's bits: True; ")
    assert da.from_npy_stack(tmp_path / "stack").nbytes == 2**29
