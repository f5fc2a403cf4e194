"""`fanin spec`: a model as a JSON table."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from .._errors import counted
from ..checkpoint import read_spec, write_table
from ..checkpoint._spec.tables import table_text
from .init import print_notes
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands

_EXAMPLES = (
    ("fanin spec llama/", "its names, shapes, dtypes and layers"),
    ("fanin spec llama/ -o llama.json", "the same into a file, for machines that can't read the model"),
)


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "spec", "print a model's names and shapes as a JSON table, for init", _EXAMPLES)
    command.add_argument("spec", metavar="SPEC", help="the model, as for init")
    command.add_argument("-o", "--output", metavar="TABLE", help="the file to write, NAME.json, instead of standard "
                         "output")
    command.add_argument("--overwrite", action="store_true", help="replace an existing file with other contents; "
                         "without this option it is an error")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    spec = read_spec(args.spec)
    if args.output is None:
        print(table_text(spec), end="")
        return
    write_table(spec, args.output, overwrite=args.overwrite)
    print_notes(spec.notes)
    print(f"{os.path.relpath(args.output)}: {counted(len(spec.tensors), 'tensor')}")
