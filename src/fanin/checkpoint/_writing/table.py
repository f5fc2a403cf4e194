"""`fanin.checkpoint.write_table`: what `fanin spec -o` does."""

from __future__ import annotations

import os

from ..._checks import flag
from .._spec.spec import Spec
from .._spec.tables import table_text
from .existing import check_existing
from .folder import check_suffix, check_target
from .writer import holds, write_text


def write_table(spec: Spec, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a `Spec` as a JSON table, completely or not at all, for machines that can't read the model itself.

    Args:
        spec: what `read_spec` has read.
        path: the file, whose name ends in .json or has no suffix.
        overwrite: whether a file that is there with other contents is replaced; otherwise it is an error. A file that
            `spec` was read from never is.

    Raises:
        FaninValueError: such a file, or a name that can't be. OSError: the disk's.
    """
    check_suffix(os.fspath(path), ".json", "a JSON table")
    target, text = check_target(path, folder=False), table_text(spec)
    check_existing({target: holds(target, text)}, spec.sources, flag("overwrite", overwrite))
    write_text(target, text)
