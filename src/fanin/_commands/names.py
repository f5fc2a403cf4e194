"""`fanin list` and `fanin show`: the names that schemes are known by, and what one of them means."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from .._callers import warn
from .._catalogue import catalogue, entry
from .._errors import FaninKeyError
from .._initializers import Registry, schemes
from .._report.text import print_content
from .options import add_command, argument, parameter, shape

if TYPE_CHECKING:
    from .options import Commands


def add(commands: Commands) -> None:
    """Enter the commands."""
    names = add_command(commands, "list", "list the names of all schemes", (
        ("fanin list", "all names, what they mean, and the papers they are from"),
        ("fanin list --profile jax", "JAX's names, with JAX's meanings"),
    ))
    names.add_argument("--profile", help="only the names of one framework, with its meanings")
    names.set_defaults(run=_list)

    show = add_command(commands, "show", "show what a name means", (
        ("fanin show he_normal --shape 512,256", "its parameters, and a picture of what it draws"),
        ("fanin show jax:he_normal", "what JAX means by the name"),
        ("fanin show sparse sparsity=0.9", "a name that needs a parameter"),
    ))
    show.add_argument("name", metavar="NAME", help="a name, or profile:name")
    show.add_argument("parameters", nargs="*", type=argument(parameter), metavar="PARAMETER=VALUE",
                      help="parameters instead of the name's own, such as std=0.02")
    show.add_argument("--profile", help="the framework whose meaning of the name to show")
    show.add_argument("--shape", type=argument(shape), help="also show what is drawn for a shape, such as 512,256")
    show.set_defaults(run=_show)


def _list(args: argparse.Namespace) -> None:
    print_content(catalogue(args.profile))
    if args.profile is None:
        _warn_of_packages()


def _show(args: argparse.Namespace) -> None:
    try:
        scheme = Registry.get(args.name, profile=args.profile, **dict(args.parameters))
    except FaninKeyError:
        _warn_of_packages()
        raise
    shown = entry(args.name, args.profile, scheme, args.shape)
    print(repr(scheme))
    print(json.dumps(scheme.get_config()))
    print_content(shown)


def _warn_of_packages() -> None:
    """Warn of installed packages whose names are missing here because something is wrong with them."""
    for problem in schemes.problems():
        warn(problem)
