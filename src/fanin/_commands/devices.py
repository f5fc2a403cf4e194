"""`fanin devices`: what can be drawn on, here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .._backends import find_devices
from .._terminal import print_table
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "devices", "list the devices that fanin can draw on here", (
        ("fanin devices", "the processor, GPUs, and what is missing for a GPU"),
    ))
    command.set_defaults(run=_run)


def _run(_args: argparse.Namespace) -> None:
    print_table(["device", "what it is"], find_devices())
