"""`fanin audit`: the law that each tensor of a checkpoint follows."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from .._errors import FaninValueError, agreeing, counted
from .._terminal import progress_bar
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands

_EXAMPLES = (
    ("fanin audit model.safetensors", "law and scale of each tensor"),
    ("fanin audit model.safetensors --rules transformer", "compared with rules"),
    ("fanin audit model.safetensors --html audit.html", "also as a page with a picture"),
)


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "audit", "say which law each tensor of a checkpoint follows, and what looks odd",
                          _EXAMPLES)
    command.add_argument("path", metavar="PATH", help="a safetensors file, or a folder or an index of several")
    command.add_argument("--rules", metavar="FILE|NAME", help="also compare each tensor with these rules; exit "
                         "status 1 if law or scale differs")
    command.add_argument("--layout", choices=("torch", "jax"), default="torch", help="the order of axes if the layer "
                         "is unknown: (out, in, ...) in torch, (..., in, out) in jax")
    command.add_argument("--all", action="store_true", help="print a line for each layer, not one for similar layers")
    command.add_argument("--html", metavar="PAGE", help="also write a page with a picture, which needs no network")
    command.add_argument("--json", action="store_true", help="print all that was found as JSON")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    from .._audit import audit  # which no other command waits for

    with progress_bar(args.check, "reading") as progress:
        progress.begin(args.path)
        result = audit(args.path, args.rules, layout=args.layout, progress=progress.advance)
    if args.html is not None:
        result.to_html(args.html)
    if args.json:
        print(json.dumps(result.to_dicts(), indent=1))
    else:
        print(result.to_text(unfold=args.all, width=None if sys.stdout.isatty() else 10**4))
    other = {name for finding in result.findings if finding.kind == "rules" for name in finding.names}
    if other:
        raise FaninValueError(f"{len(other):,} of {counted(len(result), 'tensor')} {agreeing(len(other), 'is', 'are')} "
                              "not what the rules ask")
