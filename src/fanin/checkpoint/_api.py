"""`fanin.checkpoint.init`: what `fanin init` does, as a function."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from .._checks import choice
from .._dtypes import as_dtype
from .._errors import FaninTypeError, FaninValueError
from .._seeding import check_seed
from ._header import floating_code
from ._job import divide, plan_job
from ._partition import parse_shard, parse_size
from ._run import execute


class Written(NamedTuple):
    """A file that stands in its place.

    Attributes:
        path: the file.
        tensors, elements, nbytes: what it holds; nbytes are the tensors'.
        there: whether it did so before, whole and the same, and was left as it was.
    """

    path: str
    tensors: int
    elements: int
    nbytes: int
    there: bool


def init(spec: Any, output: str | os.PathLike[str], rules: Any, *, seed: int = 0, dtype: Any = None,
         layout: str = "torch", max_shard_size: int | str | None = None, shard: tuple[int, int] | str | None = None,
         progress: Callable[[int, int], Any] | None = None) -> list[Written]:
    """Write a model's initial weights into safetensors files, in constant memory.

    A tensor holds what `scheme(shape, dtype=..., seed=seed, name=<its name>)` draws, whatever else is written.

    Args:
        spec: a path as `fanin init` takes it (a safetensors file or its header, a Hugging Face folder, an ONNX file, a
            JSON table, `package.module:function`), a torch module, on the meta device too, or a list of
            `fanin.rules.Parameter`.
        output: the file to write; with `max_shard_size` or `shard` the folder of files.
        rules: `fanin.rules.Rules`, or what `Rules.of` takes: a built-in set's name, a file, entries, a scheme for all.
        seed: an int in [0, 2**64).
        dtype: a floating-point dtype in which all floating-point tensors are written; by default each has its own.
        layout: of tensors whose layer is not known: "torch" is (out, in, *kernel), "jax" (*kernel, in, out).
        max_shard_size: bytes, or a text such as "5GB": write files of at most that, and Hugging Face's index.
        shard: (i, n), or "i/n", with 1 <= i <= n: write the i-th of n files, and the index. n runs of the same call, on
            any machines, write all of them.
        progress: called with the bytes written so far, and those to be written in all.

    Returns:
        A `Written` for each file that this call is to write.

    Raises:
        FaninValueError, FaninTypeError: an argument, the model, or rules that don't fit it; or a folder with files of
            another checkpoint, which this call does not replace. Nothing was written.
        FaninRuntimeError: the disk has too little space; or a package that reads `spec` is missing.
        OSError: the disk's.

    A file gets its name when it is whole and on the disk, and the index comes last. The same call again, after an
    interrupt or a kill, leaves the files that are there and writes the others.

    >>> import os, tempfile
    >>> from fanin.rules import Parameter
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "model.safetensors")
    >>> model = [Parameter("fc.weight", (512, 256), "bfloat16"), Parameter("fc.bias", (512,), "bfloat16")]
    >>> rules = {"*.bias": "zeros", "*": "he_normal"}
    >>> init(model, path, rules, seed=7)[0][1:]
    (2, 131584, 263168, False)
    >>> init(model, path, rules, seed=7)[0].there
    True
    >>> folder.cleanup()
    """
    choice("layout", layout, ("torch", "jax"))
    if max_shard_size is not None and shard is not None:
        raise FaninValueError("`max_shard_size` and `shard` say both how many files there are: give one of them")
    if dtype is not None:
        dtype = floating_code(dtype if isinstance(dtype, str) else as_dtype(dtype).name)
    job = plan_job(spec, rules, check_seed(seed), dtype, layout)
    division = divide(job.draws, _size(max_shard_size), _shard(shard))
    written = []
    execute(job, division, os.fspath(output), progress, lambda file, there: written.append(summary(file, there)))
    return written


def summary(file, there):
    """The `Written` of a `File`."""
    return Written(file.path, len(file.draws), sum(draw.info.size for draw in file.draws),
                   sum(draw.info.nbytes for draw in file.draws), there)


def _size(value):
    if value is None or isinstance(value, str):
        return None if value is None else parse_size(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise FaninTypeError(f"`max_shard_size` must be an int >= 1 or a text such as '5GB' (got {value!r})")
    return value


def _shard(value):
    if value is None or isinstance(value, str):
        return None if value is None else parse_shard(value)
    if not (isinstance(value, tuple) and len(value) == 2 and all(type(number) is int for number in value)):
        raise FaninTypeError(f"`shard` must be two ints (i, n), or a text such as '1/4' (got {value!r})")
    return parse_shard("{}/{}".format(*value))
