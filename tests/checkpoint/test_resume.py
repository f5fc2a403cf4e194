"""Interrupted, killed, repeated and simultaneous runs: what stands under a final name is whole, and is not redone."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file

from fanin import FaninError
from fanin.checkpoint import init, verify
from fanin.checkpoint._index import INDEX as INDEX_NAME
from fanin.checkpoint._writing import staging
from fanin.rules import Parameter

RULES = {"*.bias": "zeros", "*": {"name": "normal", "std": 0.02}}
SMALL = [Parameter(f"{i}.{name}", shape, "float32") for i in range(6) for name, shape in
         (("weight", (30, 10)), ("bias", (30,)))]
SIZE = 30 * 10 * 4 + 30 * 4  # bytes of one layer: six files
NAMES = [f"model-{i:05d}-of-00006.safetensors" for i in range(1, 7)]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def write(out, **options):
    return init(SMALL, out, RULES, **{"max_shard_size": SIZE, **options})


def contents(folder):
    """The bytes of every file in a folder, hidden ones too."""
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def identities(folder):
    """What changes when a file is written again, even with the same bytes."""
    return {name: ((stat := os.stat(folder / name)).st_ino, stat.st_mtime_ns) for name in os.listdir(folder)}


class Stop(Exception):
    pass


def stop_after(calls):
    """A `progress` that ends the run at its n-th call."""
    counter = itertools.count(1)

    def progress(done, total):
        if next(counter) >= calls:
            raise Stop

    return progress


# -- the same command again ---------------------------------------------------------------------------------------


def test_a_finished_run_is_not_redone(out):
    """The same call again says that all is there, and touches nothing, not even the index."""
    first = write(out)
    before = identities(out)

    again = write(out)

    assert [file.there for file in first] == [False] * 6 and [file.there for file in again] == [True] * 6
    assert [file[:-1] for file in first] == [file[:-1] for file in again]
    assert identities(out) == before
    single = init(SMALL, out / "single", RULES)
    assert not single[0].there and init(SMALL, out / "single", RULES)[0].there


@pytest.mark.parametrize("after", range(2, 7))
def test_an_interrupted_run_goes_on(out, tmp_path, after):
    """It keeps what was finished and writes no index; the next keeps that too, and gives the undisturbed result."""
    write(tmp_path / "undisturbed")

    with pytest.raises(Stop):
        write(out, progress=stop_after(after))

    finished = identities(out)
    assert sorted(finished) == NAMES[:after - 1]
    assert [file.there for file in write(out)] == [True] * (after - 1) + [False] * (7 - after)
    assert contents(out) == contents(tmp_path / "undisturbed")
    assert {name: identities(out)[name] for name in finished} == finished


def test_an_interrupted_first_file_leaves_no_folder(out):
    """Where nothing was finished, the folder that was made for it goes."""
    with pytest.raises(Stop):
        write(out, progress=stop_after(1))

    assert not out.exists()


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1], lambda data: data[:40], lambda data: b"", lambda data: data + b"\0",
    lambda data: data.replace(b'"fanin.seed":"0"', b'"fanin.seed":"1"'),
    lambda data: data.replace(b'"0.weight":{"dtype":"F32"', b'"0.weight":{"dtype":"I32"'),
    lambda data: data.replace(b'"fanin.version":"', b'"fanin.version":"9'),
], ids=["short", "header", "empty", "long", "seed", "dtype", "version"])
def test_a_file_that_is_not_the_same_is_replaced_only_if_asked(out, tmp_path, damage):
    """Half a file, a longer one, another header: each is refused; with `overwrite` it is replaced, and only it."""
    write(out)
    before, expected = identities(out), contents(out)
    data = (out / NAMES[0]).read_bytes()
    assert damage(data) != data
    (out / NAMES[0]).write_bytes(damage(data))

    damaged = contents(out)
    with pytest.raises(FaninError, match=f"{NAMES[0]} must not be there with other contents"):
        write(out)
    assert contents(out) == damaged

    assert [file.there for file in write(out, overwrite=True)] == [False] + [True] * 5
    assert contents(out) == expected
    assert {name: identities(out)[name] for name in NAMES[1:]} == {name: before[name] for name in NAMES[1:]}


# -- never two checkpoints in one folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("other", [{"seed": 1}, {"rules": {"*": "ones"}}, {"dtype": "bfloat16"}, {"layout": "jax"}])
def test_a_run_with_other_arguments_replaces_all_and_the_index_goes_first(out, tmp_path, other):
    """While files of two runs lie in the folder there is no index; in the end all are the new run's."""
    arguments = {"rules": RULES, "max_shard_size": SIZE} | other
    init(SMALL, out, RULES, max_shard_size=SIZE)
    if "dtype" in other:
        arguments["max_shard_size"] = SIZE // 2
    init(SMALL, tmp_path / "alone", **arguments)
    seen = []

    init(SMALL, out, **arguments, overwrite=True,
         progress=lambda done, total: seen.append(INDEX_NAME in os.listdir(out)))

    assert seen and not any(seen)
    assert contents(out) == contents(tmp_path / "alone")


def test_an_index_of_another_model_goes_first(out):
    """Also where no file of this run was there."""
    out.mkdir()
    (out / INDEX_NAME).write_text('{"weight_map": {"w": "w.safetensors"}}')

    with pytest.raises(Stop):
        write(out, progress=stop_after(2), overwrite=True)

    assert sorted(os.listdir(out)) == NAMES[:1]


@pytest.mark.parametrize("name", ["model-00003-of-00007.safetensors", "model.safetensors"])
@pytest.mark.parametrize("options", [{}, {"max_shard_size": None, "shard": (2, 6)}])
def test_files_of_another_partition_are_refused(out, name, options):
    """A loader that looks at names would mix them in, so nothing is written beside them; other files don't matter."""
    out.mkdir()
    (out / "config.json").write_text("{}")
    (out / "adapter_model.safetensors").write_text("")
    (out / name).write_text("")
    before = identities(out)

    with pytest.raises(FaninError, match=rf"must hold no other checkpoint's files \({name} .*choose another folder"):
        write(out, **options)

    assert identities(out) == before
    (out / name).unlink()
    write(out, **options)


def test_a_part_beside_parts_of_another_seed_is_refused(out):
    """It can't replace them, so it writes nothing; parts of the same call may be there."""
    def part(i, seed):
        return write(out, max_shard_size=None, shard=(i, 6), seed=seed)

    part(1, seed=0)
    before = contents(out)

    with pytest.raises(FaninError, match=rf"\({NAMES[0]} is no part"):
        part(2, seed=1)

    assert contents(out) == before
    part(2, seed=0)
    assert sorted(os.listdir(out)) == [*NAMES[:2], INDEX_NAME]


def test_a_part_of_another_seed_that_comes_meanwhile_keeps_the_index_away(out):
    """Two runs that began together, with different seeds: the one that ends last writes no index over the mixture."""
    def meanwhile(done, total):
        if not (out / NAMES[0]).exists():
            write(out, max_shard_size=None, shard="1/6", seed=1)
            (out / INDEX_NAME).unlink()

    with pytest.raises(FaninError, match=rf"\({NAMES[0]} is no part"):
        write(out, max_shard_size=None, shard="2/6", seed=0, progress=meanwhile)

    assert sorted(os.listdir(out)) == NAMES[:2]


# -- what killed runs leave -----------------------------------------------------------------------------------------


def leftover(folder, name, token="0123456789ab"):
    path = folder / f".{name}.{token}.tmp"
    path.write_bytes(b"half")
    return path


def test_leftovers_of_the_same_target_are_removed(out, tmp_path):
    """Also those of another partition, and of the index; nothing that only looks similar."""
    write(out)
    gone = [leftover(out, name) for name in (NAMES[2], INDEX_NAME, "model-00001-of-00009.safetensors")]
    kept = [leftover(out, "adapter.safetensors"), leftover(out, NAMES[2], "0123"), leftover(out, NAMES[2], "x" * 12)]
    single = [leftover(tmp_path, "single"), leftover(tmp_path, "other")]

    write(out)
    init(SMALL, tmp_path / "single", RULES)

    assert [path.exists() for path in gone + kept] == [False] * 3 + [True] * 3
    assert [path.exists() for path in single] == [False, True]


def test_a_part_leaves_what_other_parts_may_be_writing(out):
    """On a file system whose locks end at each machine, nobody's but its own are looked at."""
    out.mkdir()
    own, other = leftover(out, NAMES[1]), leftover(out, NAMES[2])

    write(out, max_shard_size=None, shard=(2, 6))

    assert (own.exists(), other.exists()) == (False, True)


def test_a_temporary_file_that_is_being_written_is_no_leftover(out):
    """Its writer holds a lock; the same part written a second time, in the meantime, does no harm."""
    def meanwhile(done, total):
        (temporary,) = [name for name in os.listdir(out) if name.startswith(".")]
        assert not write(out, max_shard_size=None, shard=(2, 6))[0].there
        assert temporary in os.listdir(out)

    write(out, max_shard_size=None, shard=(2, 6), progress=meanwhile)

    assert sorted(os.listdir(out)) == [NAMES[1], INDEX_NAME]
    assert all(report.ok for report in verify(out / NAMES[1]))


def test_a_temporary_file_removed_before_it_was_locked_is_made_again(out, monkeypatch):
    """Between its creation and its lock another run may take it for a leftover."""
    lock, removed = staging.fcntl.flock, []

    def too_late(descriptor, operation):
        if not removed:
            (temporary,) = [name for name in os.listdir(out) if name.startswith(".")]
            (out / temporary).unlink()
            removed.append(temporary)
        lock(descriptor, operation)

    monkeypatch.setattr(staging.fcntl, "flock", too_late)

    write(out)

    assert removed and sorted(os.listdir(out)) == [*NAMES, INDEX_NAME]
    assert all(report.ok for report in verify(out))


def test_without_locks_nothing_is_removed(out, monkeypatch):
    """A file system that refuses locks: the run goes on, what an earlier one left stays."""
    def refuse(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(staging.fcntl, "flock", refuse)
    out.mkdir()
    left = leftover(out, NAMES[0])

    write(out)

    assert left.exists() and sorted(os.listdir(out))[1:] == [*NAMES, INDEX_NAME]


def test_a_temporary_file_taken_for_a_leftover(out):
    """Where another machine removes it and finishes the same file, all is well; without that file it is an error."""
    def remove(done, total):
        (temporary,) = [name for name in os.listdir(out) if name.startswith(".")]
        (out / temporary).unlink()

    write(out)
    (out / NAMES[5]).rename(out / "kept")
    data = (out / "kept").read_bytes()

    def remove_and_finish(done, total):
        remove(done, total)
        (out / NAMES[5]).write_bytes(data)

    with pytest.raises(FileNotFoundError):
        write(out, progress=remove)
    assert not (out / NAMES[5]).exists()
    write(out, progress=remove_and_finish)
    assert (out / NAMES[5]).read_bytes() == data


# -- real processes ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of 8 files of 12 MB, its rules, and what one undisturbed run makes of it."""
    folder = tmp_path_factory.mktemp("model")
    table = {f"{i}.w": {"shape": [1000, 3000], "dtype": "F32"} for i in range(8)}
    (folder / "model.json").write_text(json.dumps(table))
    (folder / "rules.json").write_text('{"rule": [{"match": "*", "init": "normal"}]}')
    init(folder / "model.json", folder / "parts", folder / "rules.json", max_shard_size="12MB")
    init(folder / "model.json", folder / "quarters", folder / "rules.json", shard=(1, 4))
    for i in (2, 3, 4):
        init(folder / "model.json", folder / "quarters", folder / "rules.json", shard=(i, 4))
    return folder


def start(model, out, *options):
    arguments = ["init", model / "model.json", "--rules", model / "rules.json", "-o", out, *options]
    return subprocess.Popen([sys.executable, "-m", "fanin", *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def finish(process):
    text, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return text


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)


def names_in(out):
    return sorted(os.listdir(out)) if out.is_dir() else []


def finished(out):
    return [name for name in names_in(out) if not name.startswith(".")]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_killed_runs_go_on_where_they_stopped(model, out):
    """SIGKILL at random moments: whole files only, none of them redone, nothing left over, the undisturbed result."""
    undisturbed, chance, kept = contents(model / "parts"), random.Random(5), {}
    for files in (0, 2, 5):
        process = start(model, out, "--max-shard-size", "12MB")
        # as many files as that are there and the next is being written; then a moment more
        wait_for(lambda files=files: len(finished(out)) >= files and len(names_in(out)) > len(finished(out)), process)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate()

        assert process.returncode == -signal.SIGKILL
        assert INDEX_NAME not in names_in(out)
        assert {name: (out / name).read_bytes() == undisturbed[name] for name in finished(out)} == \
            dict.fromkeys(finished(out), True)
        now = identities(out)
        assert {name: now[name] for name in kept} == kept
        kept = {name: now[name] for name in finished(out)}

    assert len(kept) >= 5
    text = finish(start(model, out, "--max-shard-size", "12MB"))

    assert contents(out) == undisturbed
    assert {name: identities(out)[name] for name in kept} == kept
    assert text.count(", already there (bytes not compared: fanin verify does)\n") == len(kept)
    assert len(text.splitlines()) == 8


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_stopped_run_and_a_second_one_do_each_other_no_harm(model, tmp_path):
    """The second finds the first's temporary file locked, leaves it, and finishes; the first then finishes too."""
    out = tmp_path / "model.safetensors"
    # it stops itself, at its first progress: another process might be too early to stop it, or too late
    code = f"""
import itertools, os, signal
from fanin.checkpoint import init
calls = itertools.count()
init({str(model / "model.json")!r}, {str(out)!r}, {str(model / "rules.json")!r},
     progress=lambda done, total: next(calls) or os.kill(os.getpid(), signal.SIGSTOP))
"""
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert os.WIFSTOPPED(os.waitpid(first.pid, os.WUNTRACED)[1])
    (temporary,) = names_in(tmp_path)

    finish(start(model, out))
    assert names_in(tmp_path) == [temporary, out.name]
    first.send_signal(signal.SIGCONT)
    finish(first)

    assert names_in(tmp_path) == [out.name]
    assert verify(out)[0].ok


def test_parts_written_at_the_same_time(model, out):
    """Four processes, and a fifth for the same part as one of them, one folder: what parts one by one make."""
    processes = [start(model, out, "--shard", f"{i}/4") for i in (1, 2, 3, 4, 3)]

    for process in processes:
        assert "model-0000" in finish(process)

    assert contents(out) == contents(model / "quarters")
    assert all(report.ok for report in verify(out))
    tensors = {}
    for name in finished(out):
        if name != INDEX_NAME:
            tensors |= load_file(out / name)
    whole = {}
    for path in (model / "parts").glob("*.safetensors"):
        whole |= load_file(path)
    assert all((tensors[name] == whole[name]).all() for name in whole) and tensors.keys() == whole.keys()
