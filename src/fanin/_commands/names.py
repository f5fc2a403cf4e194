"""`fanin list` and `fanin show`: the names that schemes are known by, and what one of them means."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from .._catalogue import catalogue, entry
from .._initializers import Registry
from .._report.text import print_content
from .options import argument, parameter, shape

if TYPE_CHECKING:
    from .options import Commands


def add(commands: Commands) -> None:
    """Enter the commands."""
    names = commands.add_parser("list", help="list the names that schemes are known by")
    names.add_argument("--profile", help="the names of one framework, with its meanings")
    names.set_defaults(run=_list)

    show = commands.add_parser("show", help="show what a name means")
    show.add_argument("name", metavar="NAME", help="a name, or profile:name")
    show.add_argument("parameters", nargs="*", type=argument(parameter), metavar="PARAMETER=VALUE",
                      help="parameters other than the name's own, such as std=0.02")
    show.add_argument("--profile", help="the framework whose meaning is asked for")
    show.add_argument("--shape", type=argument(shape), help="also what is drawn for a shape, such as 512,256")
    show.set_defaults(run=_show)


def _list(args: argparse.Namespace) -> None:
    print_content(catalogue(args.profile))


def _show(args: argparse.Namespace) -> None:
    scheme = Registry.get(args.name, profile=args.profile, **dict(args.parameters))
    shown = entry(args.name, args.profile, scheme, args.shape)
    print(repr(scheme))
    print(json.dumps(scheme.get_config()))
    print_content(shown)
