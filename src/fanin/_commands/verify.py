"""`fanin verify`: a checkpoint drawn again and compared."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from .._errors import FaninValueError, agreeing, counted
from .._terminal import progress_bar
from ..checkpoint import Report, verify
from .options import add_command, argument, seed

if TYPE_CHECKING:
    from .options import Commands

_AT_MOST = 10  # tensors that are listed for a file

_EXAMPLES = (
    ("fanin verify model.safetensors", "with the seed and the rules in its metadata"),
    ("fanin verify out/", "all files of a folder's index"),
    ("fanin verify other.safetensors --rules transformer --seed 7", "a file without fanin's metadata"),
)


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "verify", "draw a checkpoint again and compare the bits", _EXAMPLES)
    command.add_argument("path", metavar="PATH", help="a safetensors file, or a folder with an index of several")
    command.add_argument("--rules", metavar="FILE|NAME", help="the rules to compare with, instead of those in the "
                         "file's metadata; a checkpoint that fanin didn't write needs --rules and --seed")
    command.add_argument("--seed", type=argument(seed), metavar="N", help="the seed, instead of the metadata's")
    command.add_argument("--layout", choices=("torch", "jax"), help="the layout, instead of the metadata's")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    with progress_bar(args.check, "compiling") as progress:
        reports = verify(args.path, args.rules, seed=args.seed, layout=args.layout, begin=progress.begin,
                         progress=progress.advance)
    for report in reports:
        print(f"{os.path.relpath(report.path)}: {_verdict(report)}")
        for difference in report.differences[:_AT_MOST]:
            print(f"  {difference}")
        if len(report.differences) > _AT_MOST:
            print(f"  and {counted(len(report.differences) - _AT_MOST, 'more tensor')}")
    if not all(report.ok for report in reports):
        raise FaninValueError(_summary(reports))


def _summary(reports: list[Report]) -> str:
    """What is wrong, in one sentence: a file that is missing is one thing, a file that holds something else another."""
    missing = sum(report.missing for report in reports)
    other = sum(not report.ok for report in reports) - missing
    if len(reports) == 1 and not missing:
        return "the file is not what is drawn"
    counts = [(missing, "missing"), (other, "not what is drawn")]
    (first, fault), *rest = [(count, fault) for count, fault in counts if count]
    return " and ".join([f"{first} of {counted(len(reports), 'file')} {agreeing(first, 'is', 'are')} {fault}",
                         *(f"{count} {agreeing(count, 'is', 'are')} {fault}" for count, fault in rest)])


def _verdict(report: Report) -> str:
    if report.problem:
        return report.problem
    if report.differences:
        wrong = len(report.differences)
        return f"{wrong:,} of {counted(report.tensors, 'tensor')} {agreeing(wrong, 'differs', 'differ')}"
    bound = f", {report.bounded:,} of the tensors orthogonal: within their bound" if report.bounded else ""
    return (f"OK, {counted(report.tensors, 'tensor')}, {counted(report.elements, 'element')}, "
            f"{counted(report.nbytes, 'byte')}{bound}")
