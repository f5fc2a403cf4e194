"""`fanin verify`: draws a checkpoint again, from what its files say of themselves, and compares the bits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..._errors import FaninError, FaninValueError
from ..._seeding import STREAM_VERSION, check_seed
from ...rules import Parameter, Row, Rules
from ...rules._comparison import Difference, tolerance
from .. import _pieces
from .._direct import Reader
from .._format import bytes_of, measure, parse_dtype
from .._job import assign
from .._pieces import Piece
from .._spec.tables import layers_in, noted
from .._worker import Worker
from .compare import Tally
from .contents import Contents, files_of, misfits, read_contents

if TYPE_CHECKING:
    from ...rules._names import RulesLike

_MISSING = "is missing, but the index lists it"


class Report(NamedTuple):
    """The result of comparing one file.

    Attributes:
        path: the file.
        tensors, elements, nbytes: how much was compared; nbytes are the tensors'.
        bounded: how many of the tensors are orthogonal: compared within the promised bound, not bit by bit.
        differences: a `Difference` for each tensor that differs.
        problem: why the file could not be compared, or belongs to another checkpoint, or None.
    """

    path: str
    tensors: int = 0
    elements: int = 0
    nbytes: int = 0
    bounded: int = 0
    differences: tuple[Difference, ...] = ()
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the file holds what is drawn."""
        return self.problem is None and not self.differences

    @property
    def missing(self) -> bool:
        """Whether the index lists the file and it isn't there."""
        return self.problem == _MISSING


def verify(path: str | os.PathLike[str], rules: RulesLike | None = None, *, seed: int | None = None,
           layout: Literal["torch", "jax"] | None = None,
           progress: Callable[[int, int], object] | None = None, begin: Callable[[str], object] | None = None
           ) -> list[Report]:
    """Draw a checkpoint's tensors again and compare them with its files, bit by bit, in constant memory.

    Args:
        path: a safetensors file; or an index or a folder with one, for all files that it lists.
        rules, seed, layout: as for `init`. By default those in the files' metadata; a checkpoint that fanin didn't
            write needs `rules` and `seed`.
        progress: called with the bytes compared so far, and with those of all files.
        begin: called with the path of each file before anything is drawn for it.

    Returns:
        A `Report` for each file, in the order of their names.

    Raises:
        FaninValueError: the checkpoint does not say how it was made, or has a newer stream version than this fanin's;
            or the rules don't fit it.
        OSError: a file that can't be read.

    The last bits of orthogonal tensors depend on BLAS, so they are compared within the bound that fanin promises: 1e-5
    times the gain (1e-13 in float64), before rounding to a half type.

    >>> import os, tempfile
    >>> from fanin.checkpoint import init, verify
    >>> from fanin.rules import Parameter
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "model.safetensors")
    >>> _ = init([Parameter("w", (8, 8), "float32")], path, {"*": "he_normal"}, seed=7)
    >>> [report.ok for report in verify(path)]
    [True]
    >>> print(verify(path, seed=8)[0].differences[0].differing)
    64
    >>> folder.cleanup()
    """
    path = os.fspath(path)
    paths, owners = files_of(path)
    contents, problems = _read_all(paths, is_listed=owners is not None)
    problems |= misfits(contents, owners)
    comparable = [file for file in contents if file.path not in problems]
    reports = {file: Report(file, problem=problem) for file, problem in problems.items()}
    if comparable:
        try:
            rows, seed = _rows(comparable, rules, seed, layout)
        except FaninError as error:
            raise type(error)(f"{path}: {error}") from None
        count = _counter(comparable, progress)
        for file in comparable:
            if begin is not None:
                begin(file.path)
            reports[file.path] = _compare(file, [rows[tensor.name] for tensor in file.tensors], seed, count)
    return [reports[file] for file in paths]


def _read_all(paths: Iterable[str], is_listed: bool) -> tuple[list[Contents], dict[str, str]]:
    """(contents, {path: problem}): the files' headers, and what is wrong with those that can't be compared."""
    contents, problems = [], {}
    for path in paths:
        try:
            contents.append(read_contents(path))
        except FaninError as error:
            problems[path] = str(error).removeprefix(f"{path}: ")
        except OSError as error:
            if not is_listed:
                raise
            missing = isinstance(error, FileNotFoundError)
            problems[path] = _MISSING if missing else error.strerror or str(error)
    return contents, problems


def _counter(contents: Iterable[Contents], progress: Callable[[int, int], object] | None) -> Callable[[int], None]:
    """A function to be told the bytes that have been compared, which tells `progress` their sum and that of all."""
    done, total = 0, sum(bytes_of(tensor) for file in contents for tensor in file.tensors)

    def count(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        if progress is not None:
            progress(done, total)

    return count


def _rows(contents: Sequence[Contents], rules: RulesLike | None, seed: Any, layout: str | None
          ) -> tuple[dict[str, Row], int]:
    """({name: row}, seed): what the tensors of all the files are, by the arguments and else by the metadata."""
    metadata = contents[0].metadata
    version = metadata.get("fanin.stream_version")
    if version is None and (rules is None or seed is None):
        raise FaninValueError("does not say how it was made: `rules` and `seed` must be given (--rules and --seed)")
    if version is not None and version != str(STREAM_VERSION):
        raise FaninValueError(f"was written with stream version {version:.20}, whose bits this fanin does not draw (it "
                              f"has {STREAM_VERSION}): use the fanin that wrote it, "
                              f"{metadata.get('fanin.version', '?'):.20}")
    try:
        seed = check_seed(int(metadata["fanin.seed"]) if seed is None else seed)
        rules = Rules.from_config(noted(metadata, "fanin.rules")) if rules is None else Rules.of(rules)
        if layout is None:
            layout = noted(metadata, "fanin.options").get("layout", "torch")
        layers = layers_in(metadata)
        model = {name: Parameter(name, tuple(shape), parse_dtype(code))
                 for name, (code, shape) in noted(metadata, "fanin.model").items()}
    except FaninError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaninValueError(f"the metadata of fanin in it must be as fanin writes them (got {error!r}): give "
                              "`rules` and `seed` (--rules and --seed)") from None
    model |= {tensor.name: tensor for file in contents for tensor in file.tensors}
    tensors = [tensor._replace(layer=layers.get(name, tensor.layer)) for name, tensor in model.items()]
    return {row.parameter.name: row for row in assign(tensors, rules, layout or "torch")}, seed


def _compare(contents: Contents, rows: list[Row], seed: int, count: Callable[[int], object]) -> Report:
    """The report on one file, whose tensors are to hold what `rows` say."""
    tally, offset, problem = Tally(), contents.start, None
    try:
        with Reader(contents.path, _pieces.BUFFER) as file:
            def compare(piece: Piece) -> None:
                nonlocal offset
                tally.compare_piece(piece, file.read(offset, len(piece.data)))
                offset += len(piece.data)

            with Worker(compare, count) as worker:
                for piece in _pieces.generate(rows, seed, worker.free_buffer):
                    worker.submit(piece)
    except OSError as error:
        problem = error.strerror
    except EOFError:
        problem = "was cut off while it was read"
    bounded = sum(tolerance(row.plan) > 0 for row in rows)
    return Report(contents.path, *measure([row.parameter for row in rows]), bounded, tally.differences, problem)
