"""`fanin verify`: draws a checkpoint again, from what its files say of themselves, and compares the bits."""

import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from ..._errors import FaninError, FaninValueError
from ..._seeding import STREAM_VERSION, check_seed
from ...rules import Layer, Rules
from .. import _pieces
from .._draws import assign
from .._header import TensorInfo
from .._writing.behind import Behind
from .._writing.direct import Reader
from .compare import Difference, Tally, tolerance
from .contents import files_of, read_contents, strangers


class Report(NamedTuple):
    """What was found in one file.

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


def verify(path: str | os.PathLike[str], rules: Any = None, *, seed: int | None = None, layout: str | None = None,
           progress: Callable[[int, int], Any] | None = None) -> list[Report]:
    """Draw a checkpoint's tensors again and compare them with its files, bit by bit, in constant memory.

    Args:
        path: a safetensors file; or an index or a folder with one, for all files that it lists.
        rules, seed, layout: as they were given to `init`. By default what the files' metadata say; a checkpoint from
            elsewhere needs `rules` and `seed`.
        progress: called with the bytes compared so far, and those of all files.

    Returns:
        A `Report` for each file, in the order of their names.

    Raises:
        FaninValueError: the checkpoint does not say how it was made, or in a newer stream version than this fanin's; or
            rules that don't fit it.
        OSError: a file that can't be read.

    Orthogonal tensors follow BLAS, so they are compared within the bound that fanin promises: 1e-5 times the gain
    (1e-13 in float64), before rounding to a half type.

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
    contents, reports = {}, {}
    for file in paths:
        try:
            contents[file] = read_contents(file)
        except FaninError as error:
            reports[file] = Report(file, problem=str(error).removeprefix(f"{file}: "))
        except OSError as error:
            if owners is None:
                raise
            missing = isinstance(error, FileNotFoundError)
            reports[file] = Report(file, problem="is missing, but the index lists it" if missing else error.strerror)
    reports |= {file: Report(file, problem=problem) for file, problem in strangers(contents, owners)}
    readable = [found for file, found in contents.items() if file not in reports]
    if readable:
        try:
            draws, seed = _draws(readable, rules, seed, layout)
        except FaninError as error:
            raise type(error)(f"{path}: {error}") from None
        done, total = 0, sum(info.nbytes for found in readable for info in found.spec.tensors)

        def count(nbytes):
            nonlocal done
            done += nbytes
            if progress is not None:
                progress(done, total)

        for found in readable:
            reports[found.path] = _compare(found, draws, seed, count)
    return [reports[file] for file in paths]


def _draws(contents, rules, seed, layout):
    """({name: Draw}, seed): what the tensors of all the files are, by the arguments and else by the metadata."""
    metadata = contents[0].spec.metadata
    version = metadata.get("fanin.stream_version")
    if version is None and (rules is None or seed is None):
        raise FaninValueError("does not say how it was made: `rules` and `seed` must be given (--rules and --seed)")
    if version is not None and version != str(STREAM_VERSION):
        raise FaninValueError(f"was written with stream version {version}, whose bits this fanin does not draw (it has "
                              f"{STREAM_VERSION}): use the fanin that wrote it, {metadata.get('fanin.version')}")
    try:
        seed = check_seed(int(metadata["fanin.seed"]) if seed is None else seed)
        rules = Rules.from_config(json.loads(metadata["fanin.rules"])) if rules is None else Rules.of(rules)
        layout = json.loads(metadata.get("fanin.options", "{}")).get("layout", "torch") if layout is None else layout
        layers = json.loads(metadata.get("fanin.layers", "{}"))
        layers = {name: Layer.from_json(facts) for name, facts in layers.items()}
        model = {name: TensorInfo(name, tuple(shape), dtype)
                 for name, (dtype, shape) in json.loads(metadata.get("fanin.model", "{}")).items()}
    except FaninError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaninValueError(f"the metadata of fanin in it must be as fanin writes them (got {error!r}): give "
                              "`rules` and `seed` (--rules and --seed)") from None
    model |= {info.name: info for found in contents for info in found.spec.tensors}
    tensors = [info._replace(layer=layers.get(name, info.layer)) for name, info in model.items()]
    return {draw.info.name: draw for draw in assign(tensors, rules, layout)}, seed


def _compare(found, draws, seed, count):
    """The report on one file."""
    own = [draws[info.name] for info in found.spec.tensors]
    tally, offset, problem = Tally(), found.start, None
    try:
        with Reader(found.path, _pieces.BUFFER) as file:
            def work(piece):
                nonlocal offset
                tally.compare(piece, file.read(offset, len(piece.data)))
                offset += len(piece.data)

            with Behind(work, count) as behind:
                for piece in _pieces.generate(own, seed, behind.take):
                    behind.give(piece)
    except OSError as error:
        problem = error.strerror
    except EOFError:
        problem = "was cut off while it was read"
    return Report(found.path, len(own), sum(draw.info.size for draw in own), sum(draw.info.nbytes for draw in own),
                  sum(tolerance(draw.plan) > 0 for draw in own), tuple(tally.differences), problem)
