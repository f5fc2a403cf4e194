"""The command line: `fanin init`, `verify`, `spec`, `audit`, `list`, `show`, `devices`. Arguments in, tables out."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ._backends import find_devices
from ._catalogue import catalogue, entry
from ._errors import FaninError, FaninValueError, FaninWarning, one_line
from ._initializers import Registry
from ._json import parse_json
from ._report import Content
from ._report.text import print_content
from ._seeding import check_seed
from ._terminal import collected_warnings, error_lines, interrupts, print_table, progress_bar
from ._version import __version__
from .checkpoint import Report, Written, init, read_spec, verify, write_table
from .checkpoint._format import floating_dtype, measure
from .checkpoint._job import Job, make_job
from .checkpoint._partition import parse_shard, parse_size
from .checkpoint._spec.tables import table_text
from .rules._content import content
from .rules._files import rule_sets
from .rules._warnings import emit

if TYPE_CHECKING:
    from ._types import Dims

T = TypeVar("T")

_AT_MOST = 10  # tensors that are listed for a file


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {one_line(' '.join(message.split()))} (see {self.prog} --help)\n")


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser of option values whose refusal is a usage error with fanin's own message."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except FaninError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _seed(text: str) -> int:
    try:
        number = int(text)
    except ValueError:  # no number, or one of thousands of digits
        raise FaninValueError(f"`seed` must be an int in [0, 2**64) (got {text!r:.100})") from None
    return check_seed(number)


def _shape(text: str) -> Dims:
    try:
        return tuple(int(dim) for dim in text.split(",") if dim.strip())
    except ValueError:
        raise FaninValueError(f"`shape` must be ints with commas, such as 512,256 (got {text!r:.100})") from None


def _parameter(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise FaninValueError(f"a parameter must be NAME=VALUE, such as std=0.02 (got {text!r})")
    try:
        return key, parse_json(value)
    except FaninError:
        return key, value  # a word, such as mode=fan_out


def _parser() -> _Parser:
    parser = _Parser(prog="fanin", description="Initial weights: the same bits on every machine.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"fanin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = commands.add_parser("init", help="initialize a whole model into safetensors files", allow_abbrev=False)
    init.add_argument("spec", metavar="SPEC", help="the model: a safetensors file or its header, a Hugging Face "
                      "folder, its index or config.json, an ONNX file, package.module:function or file.py:function "
                      'that makes a torch module, or a JSON table {name: {"shape": [...], "dtype": "F32"}}')
    init.add_argument("-o", "--output", metavar="OUT", help="the file to write, "
                      "NAME.safetensors, or a folder for model.safetensors; with several files, their folder")
    init.add_argument("--rules", required=True, metavar="FILE|NAME", help="which tensor gets which scheme: a TOML or "
                      f"JSON file; one of {', '.join(rule_sets())}; or a preset, such as he_normal, for all weights, "
                      "with zeros for biases and what others start from")
    init.add_argument("--seed", type=_argument(_seed), default=0, metavar="N", help="an int in [0, 2**64), 0 by "
                      "default; a tensor's values depend on it and on the tensor's name")
    init.add_argument("--layout", choices=("torch", "jax"), default="torch", help="the order of axes that schemes "
                      "without one of their own mean: (out, in, ...) in torch, (..., in, out) in jax")
    init.add_argument("--dtype", type=_argument(floating_dtype), metavar="D", help="write all floating-point tensors "
                      "in this dtype: float64, float32, float16 or bfloat16")
    files = init.add_mutually_exclusive_group()
    files.add_argument("--max-shard-size", type=_argument(parse_size), metavar="SIZE", help="write files of at most "
                       "SIZE bytes of tensors, such as 5GB, and Hugging Face's index")
    files.add_argument("--shard", type=_argument(parse_shard), metavar="I/N", help="write the I-th of N files of about "
                       "the same size, and Hugging Face's index")
    init.add_argument("--overwrite", action="store_true", help="replace files that are there with other contents; else "
                      "they are an error")
    init.add_argument("--dry-run", action="store_true", help="print what each tensor would get and write nothing")
    init.add_argument("--all", action="store_true", help="in the dry run's table, a line for each tensor, instead of "
                      "one for a run of layers that are alike")
    init.add_argument("--warnings-as-errors", action="store_true", help="write nothing where there is a warning, such "
                      "as a rule that decides nothing")
    init.set_defaults(run=_init, refuse=init.error)

    table = commands.add_parser("spec", help="print a model as a JSON table, which init takes",
                                allow_abbrev=False)
    table.add_argument("spec", metavar="SPEC", help="the model, as for init")
    table.add_argument("-o", "--output", metavar="TABLE", help="the file to write, NAME.json, instead of standard "
                       "output")
    table.add_argument("--overwrite", action="store_true", help="replace a file that is there with other contents; "
                       "else it is an error")
    table.set_defaults(run=_spec)

    check = commands.add_parser("verify", help="draw a checkpoint again and compare the bits", allow_abbrev=False)
    check.add_argument("path", metavar="PATH", help="a safetensors file, or a folder with an index of several")
    check.add_argument("--rules", metavar="FILE|NAME", help="the rules to compare with, instead of those in the file's "
                       "metadata; needed with --seed for a checkpoint from elsewhere")
    check.add_argument("--seed", type=_argument(_seed), metavar="N", help="the seed, instead of the metadata's")
    check.add_argument("--layout", choices=("torch", "jax"), help="the layout, instead of the metadata's")
    check.set_defaults(run=_verify)

    look = commands.add_parser("audit", help="say which law each tensor of a checkpoint follows, and what is odd",
                               allow_abbrev=False)
    look.add_argument("path", metavar="PATH", help="a safetensors file, or a folder or an index of several")
    look.add_argument("--rules", metavar="FILE|NAME", help="also compare law and scale with what these ask; exit "
                      "status 1 where they differ")
    look.add_argument("--layout", choices=("torch", "jax"), default="torch", help="the order of axes where no layer "
                      "tells it: (out, in, ...) in torch, (..., in, out) in jax")
    look.add_argument("--all", action="store_true", help="a line for each layer, instead of one for layers alike")
    look.add_argument("--html", metavar="PAGE", help="also write a page with a picture, which needs no network")
    look.add_argument("--json", action="store_true", help="print all that was found as JSON")
    look.set_defaults(run=_audit)

    names = commands.add_parser("list", help="list the names that schemes are known by", allow_abbrev=False)
    names.add_argument("--profile", help="the names of one framework, with its meanings")
    names.set_defaults(run=_list)

    show = commands.add_parser("show", help="show what a name means", allow_abbrev=False)
    show.add_argument("name", metavar="NAME", help="a name, or profile:name")
    show.add_argument("parameters", nargs="*", type=_argument(_parameter), metavar="PARAMETER=VALUE",
                      help="parameters other than the name's own, such as std=0.02")
    show.add_argument("--profile", help="the framework whose meaning is asked for")
    show.add_argument("--shape", type=_argument(_shape), help="also what is drawn for a shape, such as 512,256")
    show.set_defaults(run=_show)

    devices = commands.add_parser("devices", help="list what can be drawn on, here", allow_abbrev=False)
    devices.set_defaults(run=_devices)
    return parser


# -- commands -----------------------------------------------------------------------------------------------------


def _init(args: argparse.Namespace) -> None:
    if args.output is None and not args.dry_run:
        args.refuse("the following arguments are required: -o/--output (or --dry-run)")
    spec = read_spec(args.spec)
    options = {"seed": args.seed, "dtype": args.dtype, "layout": args.layout, "max_shard_size": args.max_shard_size,
               "shard": args.shard}
    if args.dry_run:
        job = make_job(spec, args.rules, **options)
        _print_job(job, args.all)
        _print_notes(spec.notes)
        emit(job.warnings)
        return
    _print_notes(spec.notes)
    lines = []

    def report(file: Written) -> None:
        there = ", already there (bytes not compared: fanin verify does)" if file.there else ""
        lines.append(f"{os.path.relpath(file.path)}: {_totals(file.tensors, file.elements, file.nbytes)}{there}")
        if not sys.stderr.isatty():  # else when the bar is gone
            print(lines.pop(), flush=True)

    try:
        with progress_bar(args.check) as progress:
            init(spec, args.output, args.rules, **options, overwrite=args.overwrite, progress=progress, report=report)
    finally:
        for line in lines:
            print(line)


def _spec(args: argparse.Namespace) -> None:
    spec = read_spec(args.spec)
    if args.output is None:
        print(table_text(spec), end="")
        return
    write_table(spec, args.output, overwrite=args.overwrite)
    _print_notes(spec.notes)
    print(f"{os.path.relpath(args.output)}: {len(spec.tensors):,} tensors")


def _verify(args: argparse.Namespace) -> None:
    with progress_bar(args.check) as progress:
        reports = verify(args.path, args.rules, seed=args.seed, layout=args.layout, progress=progress)
    for report in reports:
        print(f"{os.path.relpath(report.path)}: {_verdict(report)}")
        for difference in report.differences[:_AT_MOST]:
            print(f"  {difference}")
        if len(report.differences) > _AT_MOST:
            print(f"  and {len(report.differences) - _AT_MOST:,} more tensors")
    wrong = sum(not report.ok for report in reports)
    if wrong:
        raise FaninValueError(f"{wrong} of {len(reports)} files are not what is drawn" if len(reports) > 1 else
                              "the file is not what is drawn")


def _audit(args: argparse.Namespace) -> None:
    from ._audit import audit  # which no other command waits for

    with progress_bar(args.check) as progress:
        result = audit(args.path, args.rules, layout=args.layout, progress=progress)
    if args.html is not None:
        result.to_html(args.html)
    if args.json:
        print(json.dumps(result.to_dicts(), indent=1))
    else:
        print(result.to_text(unfold=args.all, width=None if sys.stdout.isatty() else 10**4))
    other = {name for finding in result.findings if finding.kind == "rules" for name in finding.names}
    if other:
        raise FaninValueError(f"{len(other):,} of {len(result):,} tensors are not what the rules ask")


def _verdict(report: Report) -> str:
    if report.problem:
        return report.problem
    if report.differences:
        return f"{len(report.differences):,} of {report.tensors:,} tensors differ"
    bound = f", {report.bounded:,} of the tensors orthogonal: within their bound" if report.bounded else ""
    return f"OK, {report.tensors:,} tensors, {report.elements:,} elements, {report.nbytes:,} bytes{bound}"


def _print_job(job: Job, unfold: bool) -> None:
    files = {"": job.rows} if job.parts is None else {name: job.parts[name] for name in job.own}
    grids = [grid._replace(title=name) for name, rows in files.items() for grid in content(rows, (), unfold).grids]
    exact = _totals(*measure([row.parameter for rows in files.values() for row in rows]))
    print_content(Content("What each tensor gets", grids=tuple(grids), notes=(exact,), compact=True))


def _totals(tensors: int, elements: int, nbytes: int) -> str:
    return f"{tensors:,} tensors, {elements:,} elements, {nbytes:,} bytes"


def _list(args: argparse.Namespace) -> None:
    print_content(catalogue(args.profile))


def _show(args: argparse.Namespace) -> None:
    scheme = Registry.get(args.name, profile=args.profile, **dict(args.parameters))
    shown = entry(args.name, args.profile, scheme, args.shape)
    print(repr(scheme))
    print(json.dumps(scheme.get_config()))
    print_content(shown)


def _devices(_args: argparse.Namespace) -> None:
    print_table(["device", "what it is"], find_devices())


# -- text ---------------------------------------------------------------------------------------------------------


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}")


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status 0, 1 (failed) or 130 (interrupted). A usage error exits with 2."""
    args = _parser().parse_args(arguments)
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
    for remark in remarks:
        if not any(remark in failure for failure in failures):  # which may say the same
            print(f"fanin: warning: {remark}", file=sys.stderr)
    for failure in failures:
        print(f"fanin: {failure}", file=sys.stderr)
    return status
