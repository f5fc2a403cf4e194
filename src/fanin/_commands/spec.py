"""`fanin spec`: a model as a JSON table."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..checkpoint import read_spec, write_table
from ..checkpoint._spec.tables import table_text
from .init import print_notes

if TYPE_CHECKING:
    from .options import Commands


def add(commands: Commands) -> None:
    """Enter the command."""
    command = commands.add_parser("spec", help="print a model as a JSON table, which init takes")
    command.add_argument("spec", metavar="SPEC", help="the model, as for init")
    command.add_argument("-o", "--output", metavar="TABLE", help="the file to write, NAME.json, instead of standard "
                         "output")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is there with other contents; "
                         "else it is an error")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    spec = read_spec(args.spec)
    if args.output is None:
        print(table_text(spec), end="")
        return
    write_table(spec, args.output, overwrite=args.overwrite)
    print_notes(spec.notes)
    print(f"{os.path.relpath(args.output)}: {len(spec.tensors):,} tensors")
