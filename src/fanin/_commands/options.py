"""How the command line reads its arguments: one line for a wrong one, and the values that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._errors import FaninError, FaninValueError, hint, one_line
from .._json import parse_json
from .._seeding import check_seed
from ..rules._roles import check_role

if TYPE_CHECKING:
    from .._types import Dims

    Commands = argparse._SubParsersAction["Parser"]

T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """argparse's, with examples in its help, hints at what was meant, and errors in one line."""

    def __init__(self, *, examples: Iterable[tuple[str, str]] = (), **options: Any) -> None:
        """`examples` are pairs of a command line and what it does."""
        lines = [f"  {command}\n      {does}" for command, does in examples]
        super().__init__(**{"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter,
                            "epilog": "\n".join(["examples:", *lines]) if lines else None, **options})

    def error(self, message: str) -> NoReturn:
        """End the process with status 2."""
        self.exit(2, f"{self.prog}: error: {one_line(' '.join(message.split()))} (see {self.prog} --help)\n")

    def refuse(self, unknown: str) -> NoReturn:
        """End the process, for an argument that the command does not have."""
        self.error(f"unknown argument {unknown}{hint(unknown.partition('=')[0], self._option_string_actions)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse's own hints, from Python 3.14 on, are one of these at most, and not in fanin's words
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"must be one of {', '.join(map(str, action.choices))} (got {value!r})"
                                         + hint(value, action.choices))


def add_command(commands: Commands, name: str, about: str, examples: Iterable[tuple[str, str]]) -> Parser:
    """Enter a command, with a line that says what it does."""
    return commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.", examples=examples)


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser of option values whose refusal is a usage error with fanin's own message."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except FaninError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def seed(text: str) -> int:
    """The value of --seed."""
    try:
        number = int(text)
    except ValueError:  # no number, or one of thousands of digits
        raise FaninValueError(f"`seed` must be an int in [0, 2**64) (got {text!r:.100})") from None
    return check_seed(number)


def shape(text: str) -> Dims:
    """The value of --shape."""
    try:
        return tuple(int(dim) for dim in text.split(",") if dim.strip())
    except ValueError:
        raise FaninValueError(f"`shape` must be ints with commas, such as 512,256 (got {text!r:.100})") from None


def parameter(text: str) -> tuple[str, Any]:
    """A scheme's parameter, NAME=VALUE."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise FaninValueError(f"a parameter must be NAME=VALUE, such as std=0.02 (got {text!r})")
    try:
        return key, parse_json(value)
    except FaninError:
        return key, value  # a word, such as mode=fan_out


def variable(text: str) -> tuple[str, float]:
    """The value of --set, NAME=NUMBER."""
    key, value = parameter(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FaninValueError(f"a variable must be NAME=NUMBER, such as std=0.01 (got {text!r})")
    return key, value


def role(text: str) -> tuple[str, str]:
    """The value of --role, PATTERN=ROLE."""
    pattern, equals, name = text.rpartition("=")
    if not pattern or not equals:
        raise FaninValueError(f"a role must be PATTERN=ROLE, such as *.wo=attention_out (got {text!r})")
    return pattern, check_role(name)
