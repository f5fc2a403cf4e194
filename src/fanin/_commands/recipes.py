"""`fanin recipes`: how real models are initialized, and from which source that is known."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .._report.text import print_content
from ..rules._book import Recipes
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "recipes", "list the recipes of real models, or show one", (
        ("fanin recipes", "all recipes, what they are for, and where they are from"),
        ("fanin recipes gpt2", "one: its source, its variables, what each role gets"),
    ))
    command.add_argument("recipe", nargs="?", metavar="NAME", help="the recipe to show")
    command.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> None:
    print_content(Recipes(args.recipe)._content())
