"""`fanin completion`: what a shell needs to complete fanin's commands; and the words that it offers.

argcomplete does the work: at each TAB the shell runs `fanin`, with the line so far in its environment.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .._dtypes import FLOATING
from .._errors import FaninError
from .._initializers import Registry
from ..rules._files import recipe_names, rule_sets
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands, Parser

_SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "completion", "print a script that lets your shell complete commands and names", (
        ('eval "$(fanin completion bash)"', "in ~/.bashrc"),
        ('eval "$(fanin completion zsh)"', "in ~/.zshrc, after compinit"),
        ("fanin completion fish | source", "in ~/.config/fish/config.fish"),
    ))
    command.add_argument("shell", choices=_SHELLS, help="the shell")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    import argcomplete

    print(argcomplete.shellcode(["fanin"], shell=args.shell))


def answer(parser: Parser) -> None:
    """Where a shell asks for completions, give them and end the process."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, default_completer=_words)


def _words(prefix: str, action: argparse.Action, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """What may stand for an argument that has no list of choices: its own words, and else files."""
    from argcomplete.completers import FilesCompleter

    if action.dest == "rules":
        return [*rule_sets(), *Registry.names(), *FilesCompleter(("toml", "json"))(prefix)]
    if action.dest in _WORDS:
        return _WORDS[action.dest](prefix, parsed_args)
    return FilesCompleter()(prefix)


def _names(prefix: str, args: argparse.Namespace) -> list[str]:
    """Names of schemes: bare ones, those of --profile, and behind `profile:` that framework's."""
    profile, colon, _ = prefix.partition(":")
    if colon:
        return [f"{profile}:{name}" for name in Registry.names(profile)]
    if args.profile is not None:
        return Registry.names(args.profile)
    return [*Registry.names(), *(f"{profile}:" for profile in Registry.profiles())]


def _parameters(_prefix: str, args: argparse.Namespace) -> list[str]:
    """The parameters of the scheme that the line names."""
    try:
        config = Registry.get(args.name, profile=args.profile).get_config()
    except FaninError:  # it needs one that isn't there yet
        return []
    return [f"{key}=" for key in config if key not in ("scheme", "version")]


# argument -> the words for it
_WORDS: dict[str, Callable[[str, argparse.Namespace], list[str]]] = {
    "name": _names,
    "recipe": lambda _prefix, _args: recipe_names(),
    "parameters": _parameters,
    "profile": lambda _prefix, _args: Registry.profiles(),
    "dtype": lambda _prefix, _args: list(FLOATING),
}
