"""The command line: `fanin init`, `verify` and the other commands of `_commands/`. Arguments in, tables out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ._commands import audit, completion, devices, init, names, recipes, spec, verify
from ._commands.options import Parser
from ._errors import FaninError, FaninWarning
from ._terminal import collected_warnings, error_lines, interrupts
from ._version import __version__

_COMMANDS = (init, spec, verify, audit, names, recipes, devices, completion)  # in the order of the help
_EXAMPLES = (
    ("fanin init model.json --rules transformer -o model.safetensors", "a model's first weights, by name and seed"),
    ("fanin verify model.safetensors", "the same weights drawn again, and compared bit by bit"),
    ("fanin show he_normal --shape 512,256", "what a name means, and what it draws"),
)


def _parser() -> Parser:
    parser = Parser(prog="fanin", examples=_EXAMPLES,
                    description="Initial weights for neural networks, with the same bits on every machine.")
    parser.add_argument("--version", action="version", version=f"fanin {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands",
                                     description="(fanin COMMAND --help has its options, and examples)")
    for command in _COMMANDS:
        command.add(commands)
    for subparser in commands.choices.values():
        subparser.set_defaults(command=subparser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status 0, 1 (failed) or 130 (interrupted). A usage error exits with 2."""
    parser = _parser()
    completion.answer(parser)
    args, unknown = parser.parse_known_args(arguments)
    if "command" not in args:
        if unknown:
            parser.refuse(unknown[0])
        parser.print_help()
        return 0
    if unknown:
        args.command.refuse(unknown[0])
    strict = getattr(args, "warnings_as_errors", False)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a tensor's name must not stop a table
    status, failures, remarks = 0, [], []
    try:
        with interrupts() as args.check, collected_warnings(strict) as remarks:
            args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        status, failures = 130, ["interrupted"]
    except BrokenPipeError:  # the reader of a table has seen enough; keep the interpreter from flushing the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (FaninError, FaninWarning, OSError, MemoryError) as error:
        status, failures = 1, [f"error: {line}" for line in error_lines(error)]
    for remark in dict.fromkeys(remarks):
        if not any(remark in failure for failure in failures):  # which may say the same
            print(f"fanin: warning: {remark}", file=sys.stderr)
    for failure in failures:
        print(f"fanin: {failure}", file=sys.stderr)
    return status
