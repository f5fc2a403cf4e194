"""`fanin verify`: a checkpoint drawn again and compared."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from .._errors import FaninValueError
from .._terminal import progress_bar
from ..checkpoint import Report, verify
from .options import argument, seed

if TYPE_CHECKING:
    from .options import Commands

_AT_MOST = 10  # tensors that are listed for a file


def add(commands: Commands) -> None:
    """Enter the command."""
    command = commands.add_parser("verify", help="draw a checkpoint again and compare the bits")
    command.add_argument("path", metavar="PATH", help="a safetensors file, or a folder with an index of several")
    command.add_argument("--rules", metavar="FILE|NAME", help="the rules to compare with, instead of those in the "
                         "file's metadata; needed with --seed for a checkpoint from elsewhere")
    command.add_argument("--seed", type=argument(seed), metavar="N", help="the seed, instead of the metadata's")
    command.add_argument("--layout", choices=("torch", "jax"), help="the layout, instead of the metadata's")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    with progress_bar(args.check) as progress:
        reports = verify(args.path, args.rules, seed=args.seed, layout=args.layout, progress=progress)
    for report in reports:
        print(f"{os.path.relpath(report.path)}: {_verdict(report)}")
        for difference in report.differences[:_AT_MOST]:
            print(f"  {difference}")
        if len(report.differences) > _AT_MOST:
            print(f"  and {len(report.differences) - _AT_MOST:,} more tensors")
    wrong = sum(not report.ok for report in reports)
    if wrong:
        raise FaninValueError(f"{wrong} of {len(reports)} files are not what is drawn" if len(reports) > 1 else
                              "the file is not what is drawn")


def _verdict(report: Report) -> str:
    if report.problem:
        return report.problem
    if report.differences:
        return f"{len(report.differences):,} of {report.tensors:,} tensors differ"
    bound = f", {report.bounded:,} of the tensors orthogonal: within their bound" if report.bounded else ""
    return f"OK, {report.tensors:,} tensors, {report.elements:,} elements, {report.nbytes:,} bytes{bound}"
