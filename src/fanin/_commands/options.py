"""How the command line reads its arguments: one line for a wrong one, and the values that several commands take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .._errors import FaninError, FaninValueError, one_line
from .._json import parse_json
from .._seeding import check_seed

if TYPE_CHECKING:
    from .._types import Dims

    Commands = argparse._SubParsersAction["Parser"]

T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """argparse's, with its errors in one line and without abbreviated options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """End the process with status 2."""
        self.exit(2, f"{self.prog}: error: {one_line(' '.join(message.split()))} (see {self.prog} --help)\n")


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
