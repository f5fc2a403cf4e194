"""Compiled code on disk: few variants, found again by other processes, made anew when a source file was edited."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

import fanin
from fanin._backends.compile import FilesByKey
from scripts import TIMEOUT, digests_of_draws, environment, run, source

PACKAGE = Path(fanin.__file__).parent


@pytest.fixture(scope="module")
def expected():
    return digests_of_draws()


@pytest.fixture
def site(tmp_path):
    """A folder with a copy of the package that may be edited."""
    folder = tmp_path / "site"
    shutil.copytree(PACKAGE, folder / "fanin", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def loops_on_disk(folder):
    """What numba keeps below a folder: {loop: number of compiled variants}."""
    def loop(path):
        return path.name.partition(".py")[0].rsplit("-", 2)[0]  # without digest and line number

    variants = [loop(path) for path in folder.rglob("*.nbc")]
    loops = [loop(path) for path in folder.rglob("*.nbi")]
    assert len(set(loops)) == len(loops)
    return {name: variants.count(name) for name in loops}


def test_a_loop_for_each_sampler_and_storage_type_and_none_for_a_preset(tmp_path):
    """Presets, sizes, layouts of the parameters and numbers of threads share compiled code.

    One parallel loop, in a variant for each number of parameters, serves all samplers, where there are two processors.
    """
    run("""
        get = fanin.Registry.get
        presets = ["he_normal", "glorot_normal", "lecun_normal", "truncated_normal",
                   "he_uniform", "glorot_uniform", "lecun_uniform", "kaiming_uniform", "xavier_uniform", "uniform",
                   "kaiming_normal", "xavier_normal", "normal"]
        for preset in presets:
            for shape in ((64, 64), (16, 8, 3, 3), (1000, 1001)):
                get(preset)(shape, seed=2**64 - 1, name="w")
        for scheme in (fanin.Normal(1, 2), fanin.Normal(-1.5, 0), fanin.Uniform(-3, 3), fanin.TruncatedNormal(0.25)):
            scheme(10, seed=0)
            scheme.shard((2**40, 8), (slice(2**39, 2**39 + 5), slice(None)), seed=0)
    """, NUMBA_CACHE_DIR=str(tmp_path))

    found = loops_on_disk(tmp_path)
    assert found.pop("cpu._pieces_of_run", 3) == 3
    assert found == {f"loops.{loop}-float32x1": 1 for loop in (
        "run-normal", "run_words-truncated_centre", "run_words-uniform_clamped", "run_words-uniform_inside")}


def test_a_second_process_compiles_nothing(tmp_path, expected):
    """The first call of the next process finds all it needs."""
    code = "answer([draw(i) for i in range(8)])"
    outputs = [run(code, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DEBUG_CACHE="1") for _ in range(2)]
    assert all(json.dumps(expected) in output for output in outputs)
    assert "data saved to" in outputs[0]
    assert "data saved to" not in outputs[1]
    assert "data loaded from" in outputs[1]


def test_processes_that_compile_at_once(tmp_path, expected):
    """Four processes start on an empty cache: each has the right bits, and the cache serves a fifth."""
    command = [sys.executable, "-c", source("answer([draw(i) for i in range(8)])")]
    cache = environment(NUMBA_CACHE_DIR=str(tmp_path))
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=cache)
                 for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, err
        assert json.loads(out) == expected
    output = run("answer([draw(i) for i in range(8)])", NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DEBUG_CACHE="1")
    assert json.dumps(expected) in output
    assert "data saved to" not in output


def test_code_that_different_processes_compiled_does_not_mix(tmp_path):
    """Loops of several samplers, each compiled by a process of its own, in one process and in any order.

    Their helpers have the same types; numba links what it loads by name.
    """
    codes = [f"answer(fanin.{scheme}(500, seed=0)[123:].tolist())" for scheme in ("Normal()", "Uniform()")]
    alone = [run(code, NUMBA_CACHE_DIR=str(tmp_path)) for code in codes]
    for order in (1, -1):
        together = run(*codes[::order], NUMBA_CACHE_DIR=str(tmp_path))
        assert together.splitlines() == [line.strip() for line in alone[::order]]


# -- edits -----------------------------------------------------------------------------------------------------------

EDITS = {  # file: text, another text, what it makes of the values of Uniform()
    "_kernels/uniform.py": ("BITS_SINGLE = np.uint32(8)", "BITS_SINGLE = np.uint32(9)",
                           lambda u: (u * 2**23).astype(int) * 2**-24),
    "_backends/loops.py": ("number_of(words[skip + i], params)", "number_of(words[skip + i - i % 2], params)",
                          lambda u: u[[0, 0, 2, 2, 4]]),
}


def test_an_edit_of_a_source_file_is_noticed(site, tmp_path):
    """With a cache that is warm from before the edit, the next process draws what the edited code says."""
    before = fanin.Uniform()(5, seed=0)

    def draw():
        return json.loads(run("answer([fanin.Uniform()(5, seed=0).tolist(), fanin.__file__])", site=site,
                              NUMBA_CACHE_DIR=str(tmp_path / "cache")))

    assert draw() == [before.tolist(), str(site / "fanin" / "__init__.py")]
    for name, (old, new, expected) in EDITS.items():
        file = site / "fanin" / name
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{name} has changed: choose another edit"
        file.write_text(text.replace(old, new), "utf-8")
        assert draw()[0] == expected(before).tolist() != before.tolist()
        file.write_text(text, "utf-8")


def test_every_source_file_counts(site):
    """Compiled code is labelled by a digest that any edit of a file of _kernels/ and _backends/ changes."""
    names, digests = json.loads(run("""
        from pathlib import Path
        from fanin._backends import compile
        package = Path(fanin.__file__).parent
        digests, names = [compile.sources()], []
        for file in sorted([*package.glob("_kernels/*.py"), *package.glob("_backends/*.py")]):
            names.append(file.name)
            file.write_text(file.read_text("utf-8") + "\\n", "utf-8")
            compile.sources.cache_clear()
            digests.append(compile.sources())
        answer([names, digests])
    """, site=site))
    assert {"philox.py", "uniform.py", "loops.py", "blocks.py"} < set(names)
    assert len(set(digests)) == len(names) + 1


# -- nowhere to write ------------------------------------------------------------------------------------------------


def test_a_read_only_machine_is_no_obstacle(site, tmp_path, expected):
    """Where compiled code can be kept nowhere it is made anew, and one warning says so and what to do."""
    # Root may write anywhere; a file where a folder would have to be stops it too.
    for blocked in (site / "fanin" / "_backends" / "__pycache__", tmp_path / "home"):
        blocked.write_text("")
    found, warned, where = json.loads(run("""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = [draw(i) for i in range(8)] + [fanin.Uniform()(3, seed=0).tolist()]
        warned = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
        answer([found[:8], warned, fanin.__file__])
    """, site=site, NUMBA_CACHE_DIR="", HOME=str(tmp_path / "home"), XDG_CACHE_HOME=str(tmp_path / "home")))

    assert where.startswith(str(site))
    assert found == expected
    assert len(warned) == 1
    assert "NUMBA_CACHE_DIR" in warned[0]


@pytest.mark.skipif(os.name != "posix", reason="limits of files are POSIX'")
def test_a_full_disk_is_no_obstacle(tmp_path):
    """Where the folder is there and the code doesn't fit, the draw is right and one warning says so."""
    found, warned = json.loads(run("""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = [scheme(5, seed=0).tolist() for scheme in (fanin.Uniform(), fanin.Normal())]
        answer([found, [str(warning.message) for warning in caught if warning.category is RuntimeWarning]])
    """, NUMBA_CACHE_DIR=str(tmp_path)))
    assert found == [scheme(5, seed=0).tolist() for scheme in (fanin.Uniform(), fanin.Normal())]
    assert len(warned) == 1
    assert "NUMBA_CACHE_DIR" in warned[0]


def test_a_sampler_that_came_by_value_draws_in_every_process(tmp_path):
    """A function from a module that isn't here, as from a notebook on a cluster, is found on disk or made anew."""
    code = """
        scope = {"__name__": "somewhere_else", "log": fanin.math.log}
        exec("def exponential(u, scale):\\n    return -scale * log(u)", scope)
        sampler = fanin.sampler(scope["exponential"])

        class Exponential(fanin.Initializer):
            def plan(self, spec):
                return spec.draw(sampler, 2.0)

        turned = np.empty((50, 40), "float32").T
        answer([digest(Exponential()(SHAPE, seed=3)), digest(Exponential()((40, 50), seed=3, out=turned))])
    """

    first, second = (run(code, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))

    assert first == second


def code_that_others_find(files, folder):
    """What a third process finds under "one", while and after one and another process keep their code at once."""
    folder.mkdir()
    one, other, third = (files(str(folder), "loop", "stamp") for _ in range(3))
    load_index, save_data, found = one._load_index, one._save_data, []

    def load_before_the_other_saves():
        index = load_index()
        one._load_index = load_index
        other.save("two", "code for two")
        return index

    def save_after_a_look(name, data):
        found.append(third.load("one"))
        save_data(name, data)

    one._load_index, one._save_data = load_before_the_other_saves, save_after_a_look
    one.save("one", "code for one")
    return [*found, third.load("one")]


def test_processes_that_compile_at_once_keep_their_code_apart(tmp_path):
    """Code for one type is never found as code for another, as it is with numba's own numbered files."""
    assert "code for two" in code_that_others_find(IndexDataCacheFile, tmp_path / "numba")
    found = code_that_others_find(FilesByKey, tmp_path / "fanin")
    assert set(found) <= {None, "code for one"}
    assert found[-1] == "code for one"
