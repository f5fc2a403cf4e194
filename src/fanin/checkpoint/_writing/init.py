"""`fanin.checkpoint.init`: what `fanin init` does."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ..._checks import flag
from ...rules._warnings import emit
from .._job import make_job
from .run import Watch, Written, ignore, write_job

if TYPE_CHECKING:
    from ..._types import DType
    from ...rules._names import RulesLike


def init(spec: Any, output: str | os.PathLike[str], rules: RulesLike, *, seed: int = 0, dtype: DType | None = None,
         layout: Literal["torch", "jax"] = "torch", max_shard_size: int | str | None = None,
         shard: tuple[int, int] | str | None = None, partial: bool = False, overwrite: bool = False,
         progress: Callable[[int, int], object] | None = None, begin: Callable[[str], object] | None = None,
         report: Callable[[Written], object] | None = None) -> list[Written]:
    """Draw a model's initial weights and write them into safetensors files, in constant memory.

    Each tensor holds what `scheme(shape, dtype=..., seed=seed, name=<its name>)` draws, whatever else is written.

    Args:
        spec: a path as `fanin init` takes it (a safetensors file or its header, a Hugging Face folder, an ONNX file, a
            JSON table, `package.module:function`), a torch module, on the meta device too, a list of
            `fanin.rules.Parameter`, or what `read_spec` has read.
        output: the file to write, whose name ends in .safetensors or has no suffix; or a folder for a
            `model.safetensors`, which exists or ends with a separator; with `max_shard_size` or `shard`, the folder.
        rules: `fanin.rules.Rules`, or what `Rules.of` takes: one word, a recipe or rule set, a file, entries.
        seed: an int in [0, 2**64).
        dtype: a floating-point dtype in which all floating-point tensors are written; by default each has its own.
        layout: the order of axes if a tensor's layer is unknown: "torch" (out, in, *kernel), "jax" (*kernel, in, out).
        max_shard_size: bytes, or a text such as "5GB": write files of at most that size, and Hugging Face's index.
        shard: (i, n), or "i/n", with 1 <= i <= n: write the i-th of n files, and the index. n runs of the same call, on
            any machines, write all of them.
        partial: whether this is only a part of a model, such as a pipeline's stage: then a rule that decides nothing
            is no warning.
        overwrite: whether existing files with other contents are replaced; otherwise they are an error. A file
            that the model is read from is never replaced.
        progress: called with the bytes written so far, and with the bytes to write in all.
        begin: called with the path of each file before anything is drawn for it.
        report: called with the `Written` of each file as soon as it is complete.

    Returns:
        A `Written` for each file of this call.

    Raises:
        FaninValueError, FaninTypeError: a wrong argument or model, or rules that don't fit it; an existing file with
            another header or size than this call writes, while `overwrite` is False; a folder with files of another
            checkpoint, which this call does not replace; or a sampler that doesn't compile. Nothing was written.
        FaninRuntimeError: the disk has too little space, or a package that reads `spec` is missing.
        OSError: the disk's.

    A file gets its name when it is complete and on the disk, and the index comes last. After an interruption the same
    call keeps the complete files and writes the others.

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
    overwrite = flag("overwrite", overwrite)
    job = make_job(spec, rules, seed=seed, dtype=dtype, layout=layout, max_shard_size=max_shard_size, shard=shard,
                   partial=partial)
    emit(job.warnings)
    watch = Watch(begin or ignore, progress or ignore, report or ignore)
    return write_job(job, os.fspath(output), overwrite, watch)
