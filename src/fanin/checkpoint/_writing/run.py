"""Writing a job's files: those that are not there yet, and their index last."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...rules._slots import compile_first
from .._format import measure
from .._index import INDEX, SINGLE, index_text, is_model_file
from .._job import Job
from .existing import check_existing
from .folder import check_neighbours, check_space, check_suffix, check_target, is_folder, remove_stale_index
from .staging import remove_leftovers, sync_folder
from .writer import File, holds, is_written, lay_out, write, write_text


class Written(NamedTuple):
    """A complete file.

    Attributes:
        path: the file.
        tensors, elements, nbytes: what it holds; nbytes are the tensors'.
        there: whether it did so before, by its header and its size, and was left as it was: its bytes were not compared
            (`verify` does that).
    """

    path: str
    tensors: int
    elements: int
    nbytes: int
    there: bool


def ignore(*_: object) -> None:
    """What is told to nobody."""


class Watch(NamedTuple):
    """Who is told what happens.

    Attributes:
        begin: of each file that is to be written, its path, before anything is drawn for it.
        progress: the bytes written so far, and those to be written in all.
        report: of each file, as soon as it stands in its place.
    """

    begin: Callable[[str], object]
    progress: Callable[[int, int], object]
    report: Callable[[Written], object]


def write_job(job: Job, output: str, overwrite: bool, watch: Watch) -> list[Written]:
    """Write the job's file `output`, or its own of Hugging Face's files and their index into the folder `output`.

    Files that are there already, whole and the same, are left as they are; others are replaced if `overwrite`, and
    refused before anything is written if not.
    """
    if job.parts is not None:
        return _write_parts(job, check_target(output, folder=True), overwrite, watch)
    if is_folder(output, for_loaders=bool(job.spec.companions)):
        path = os.path.join(check_target(output, folder=True), SINGLE)
    else:
        check_suffix(output, ".safetensors", "a safetensors file")
        path = check_target(output, folder=False)
    folder, name = os.path.split(path)
    files = [lay_out(path, job.rows, job.metadata)]
    copies = _copies(job, folder) if is_model_file(name) else {}
    _check(job, files, {}, copies, overwrite)
    with _present(folder):
        written = _write_files(files, folder, lambda other: other == name, job.seed, overwrite, watch)
        _write_texts(copies)
    return written


def _write_parts(job: Job, folder: str, overwrite: bool, watch: Watch) -> list[Written]:
    parts = job.parts or {}

    def file(name: str) -> File | None:
        return lay_out(os.path.join(folder, name), parts[name], job.metadata) if name in parts else None

    def is_ours(name: str) -> bool:  # not what another machine may be writing now, should its locks not be seen here
        return name in job.own or name == INDEX or is_model_file(name) and name not in parts

    files = [lay_out(os.path.join(folder, name), parts[name], job.metadata) for name in job.own]
    index = os.path.join(folder, INDEX)
    text = index_text({name: [row.parameter for row in rows] for name, rows in parts.items()})
    copies = _copies(job, folder)
    check_neighbours(folder, job.own, file)
    _check(job, files, {index: text}, copies, overwrite)
    with _present(folder):
        replaced = any(os.path.exists(each.path) and not is_written(each) for each in files)
        remove_stale_index(index, text, replaced)
        written = _write_files(files, folder, is_ours, job.seed, overwrite, watch)
        check_neighbours(folder, job.own, file)  # again: nothing may have come since that the index would mix in
        _write_texts(copies | {index: text})
    return written


def _copies(job: Job, folder: str) -> dict[str, str]:
    """{path: text} of what loaders want beside the weights."""
    return {os.path.join(folder, name): text for name, text in job.spec.companions}


def _check(job: Job, files: list[File], index: dict[str, str], copies: dict[str, str], overwrite: bool) -> None:
    """Refuse to replace what may not be replaced, and samplers that don't compile, before anything is written."""
    places = {file.path: is_written(file) for file in files}
    places |= {path: holds(path, text) for path, text in index.items()}
    check_existing(places, job.spec.sources, overwrite)
    # a config may be its own copy: weights go beside it
    check_existing({path: holds(path, text) for path, text in copies.items()}, (), overwrite)
    compile_first(row for file in files if not places[file.path] for row in file.rows)


def _write_texts(texts: dict[str, str]) -> None:
    """Write small files, in their order, where they are not there already."""
    for path, text in texts.items():
        if not holds(path, text):
            write_text(path, text)


@contextlib.contextmanager
def _present(folder: str) -> Iterator[None]:
    """The folder is there, and goes again if it was made here and nothing is finished in it."""
    made = not os.path.isdir(folder)
    if made:
        os.makedirs(folder, exist_ok=True)  # another part's run may make it now
        sync_folder(os.path.dirname(folder))
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):  # it has files
                os.rmdir(folder)
        raise


def _write_files(files: list[File], folder: str, is_ours: Callable[[str], bool], seed: int, overwrite: bool,
                 watch: Watch) -> list[Written]:
    remove_leftovers(folder, is_ours)
    there = [is_written(file) for file in files]
    done, total = 0, sum(file.nbytes for file, is_there in zip(files, there, strict=True) if not is_there)
    check_space(folder, total)

    def count(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        watch.progress(done, total)

    written = []
    for file, is_there in zip(files, there, strict=True):
        if not is_there:
            watch.begin(file.path)
            write(file, seed, count, overwrite)
        written.append(Written(file.path, *measure([row.parameter for row in file.rows]), is_there))
        watch.report(written[-1])
    return written
