"""Writing a job's files: those that are not there yet, and their index last."""

import contextlib
import os

from ._job import compact
from ._partition import INDEX_NAME, index_text
from ._writing.folder import check_neighbours, check_space, check_target, is_model_file, remove_stale_index
from ._writing.staging import remove_leftovers, sync_folder
from ._writing.writer import holds, is_written, lay_out, write, write_text


def execute(job, division, output, progress=None, report=lambda file, there: None):
    """Write the division's files: one file `output`, or Hugging Face's files and their index into a folder `output`.

    Files that are there already, whole and the same, are left as they are. `progress` is called with the bytes written
    so far and those to be written in all; `report` with each `File` that stands in its place, and whether it did so
    before.
    """
    target = check_target(output, folder=division.names)
    folder = target if division.names else os.path.dirname(target)
    if not division.names:
        files = [lay_out(target, division.written[0][1], job.metadata)]
        _write(files, folder, {os.path.basename(target)}.__contains__, job.seed, progress, report)
        return
    parts, written = dict(division.parts), dict(division.written)
    metadata = job.metadata | {"fanin.model": _model_text(job.draws)}

    def file(name):
        return lay_out(os.path.join(folder, name), parts[name], metadata) if name in parts else None

    files = [file(name) for name in written]
    index = os.path.join(folder, INDEX_NAME)
    text = index_text([(name, [draw.info for draw in draws]) for name, draws in division.parts])

    def is_ours(name):  # not what another machine may be writing now, should its locks not be seen here
        return name in written or name == INDEX_NAME or is_model_file(name) and name not in parts

    check_neighbours(folder, written, file)
    with _folder(folder):
        replaced = any(os.path.exists(each.path) and not is_written(each) for each in files)
        remove_stale_index(index, text, replaced)
        _write(files, folder, is_ours, job.seed, progress, report)
        check_neighbours(folder, written, file)  # again: nothing may have come since that the index would mix in
        if not holds(index, text):
            write_text(index, text)


def _model_text(draws):
    """All tensors of the model, for a file that holds some: rules look at siblings and count layers."""
    return compact({draw.info.name: [draw.info.dtype, draw.info.shape] for draw in draws})


@contextlib.contextmanager
def _folder(path):
    made = not os.path.isdir(path)
    if made:
        os.makedirs(path, exist_ok=True)  # another part's run may make it now
        sync_folder(os.path.dirname(path))
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):  # it has files
                os.rmdir(path)
        raise


def _write(files, folder, is_ours, seed, progress, report):
    remove_leftovers(folder, is_ours)
    there = [is_written(file) for file in files]
    done, total = 0, sum(file.nbytes for file, is_there in zip(files, there, strict=True) if not is_there)
    check_space(folder, total)

    def count(nbytes):
        nonlocal done
        done += nbytes
        if progress is not None:
            progress(done, total)

    for file, is_there in zip(files, there, strict=True):
        if not is_there:
            write(file, seed, count)
        report(file, is_there)
