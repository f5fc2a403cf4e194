"""`fanin init`: a whole model into safetensors files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._errors import counted
from .._report import Content
from .._report.text import print_content
from .._terminal import progress_bar
from ..checkpoint import Written, init, read_spec
from ..checkpoint._format import floating_dtype, measure
from ..checkpoint._job import Job, make_job
from ..checkpoint._partition import parse_shard, parse_size
from ..rules import Rules
from ..rules._content import content, recipe_words
from ..rules._files import rule_sets
from ..rules._warnings import emit
from .options import add_command, argument, role, seed, variable

if TYPE_CHECKING:
    from .options import Commands

_EXAMPLES = (
    ("fanin init model.json --rules transformer -o model.safetensors", "a table of names and shapes, built-in rules"),
    ("fanin init llama/ --rules rules.toml --dry-run", "what each tensor of a Hugging Face folder would get"),
    ("fanin init llama/ --rules rules.toml --seed 7 --shard 3/8 -o parts/", "the third of 8 files, on any machine"),
)


def add(commands: Commands) -> None:
    """Enter the command."""
    command = add_command(commands, "init", "write a model's initial weights into safetensors files", _EXAMPLES)
    command.add_argument("spec", metavar="SPEC", help="the model: a safetensors file or its header, a Hugging Face "
                         "folder, its index or config.json, an ONNX file, package.module:function or file.py:function "
                         'that makes a torch module, or a JSON table {name: {"shape": [...], "dtype": "F32"}}')
    command.add_argument("-o", "--output", metavar="OUT", help="the file to write, "
                         "NAME.safetensors, or a folder for model.safetensors; with several files, their folder")
    command.add_argument("--rules", required=True, metavar="FILE|NAME", help="which tensor gets which scheme: a TOML "
                         f"or JSON file; a recipe or rule set ({', '.join(rule_sets())}; fanin recipes lists them); "
                         "or a preset, such as he_normal, for all weights, with zeros for biases and the usual initial "
                         "values for other parameters")
    command.add_argument("--set", action="append", default=[], type=argument(variable), metavar="NAME=NUMBER",
                         help="set a variable of the rules, such as std=0.01; may be repeated")
    command.add_argument("--role", action="append", default=[], type=argument(role), metavar="PATTERN=ROLE",
                         help="the role of parameters whose names fanin doesn't know, such as "
                         "*.wo=attention_out; may be repeated")
    command.add_argument("--seed", type=argument(seed), default=0, metavar="N", help="an int in [0, 2**64), 0 by "
                         "default; a tensor's values depend on it and on the tensor's name")
    command.add_argument("--layout", choices=("torch", "jax"), default="torch", help="the order of axes, if neither "
                         "the layer nor the scheme tells it: (out, in, ...) in torch, (..., in, out) in jax")
    command.add_argument("--dtype", type=argument(floating_dtype), metavar="D", help="write all floating-point tensors "
                         "in this dtype: float64, float32, float16 or bfloat16")
    files = command.add_mutually_exclusive_group()
    files.add_argument("--max-shard-size", type=argument(parse_size), metavar="SIZE", help="write files of at most "
                       "SIZE bytes of tensors, such as 5GB, and Hugging Face's index")
    files.add_argument("--shard", type=argument(parse_shard), metavar="I/N", help="write the I-th of N files of about "
                       "the same size, and Hugging Face's index")
    command.add_argument("--partial", action="store_true", help="the model is a part of a larger one, such as a "
                         "pipeline's stage: no warning for a rule that decides nothing")
    command.add_argument("--overwrite", action="store_true", help="replace existing files with other contents; "
                         "without this option they are an error")
    command.add_argument("--dry-run", action="store_true", help="print what each tensor would get and write nothing")
    command.add_argument("--all", action="store_true", help="in the dry run's table, print a line for each tensor, "
                         "not one for similar layers")
    command.add_argument("--warnings-as-errors", action="store_true", help="write nothing if there is a warning, for "
                         "example for a rule that decides nothing")
    command.set_defaults(run=_run, command=command)


def _run(args: argparse.Namespace) -> None:
    if args.output is None and not args.dry_run:
        args.command.error("the following arguments are required: -o/--output (or --dry-run)")
    spec = read_spec(args.spec)
    rules = Rules.of(args.rules).given(dict(args.set), dict(args.role))
    options = {"seed": args.seed, "dtype": args.dtype, "layout": args.layout, "max_shard_size": args.max_shard_size,
               "shard": args.shard, "partial": args.partial}
    if args.dry_run:
        job = make_job(spec, rules, **options)
        _print_job(job, args.all)
        print_notes(spec.notes)
        emit(job.warnings)
        return
    print_notes(spec.notes)
    lines = []
    terminal = sys.stderr.isatty()  # asked before there is a bar: old versions of rich answer for it

    def report(file: Written) -> None:
        there = ", already there (bytes not compared: fanin verify does)" if file.there else ""
        lines.append(f"{os.path.relpath(file.path)}: {_totals(file.tensors, file.elements, file.nbytes)}{there}")
        if not terminal:  # else when the bar is gone
            print(lines.pop(), flush=True)

    try:
        with progress_bar(args.check, "compiling") as progress:
            init(spec, args.output, rules, **options, overwrite=args.overwrite, begin=progress.begin,
                 progress=progress.advance, report=report)
    finally:
        for line in lines:
            print(line)


def _print_job(job: Job, unfold: bool) -> None:
    files = {"": job.rows} if job.parts is None else {name: job.parts[name] for name in job.own}
    grids = [grid._replace(title=name) for name, rows in files.items()
             for grid in content(rows, (), unfold, job.rules).grids]
    exact = _totals(*measure([row.parameter for rows in files.values() for row in rows]))
    words = tuple(recipe_words(job.rules))
    print_content(Content("What each tensor gets", words, tuple(grids), (exact,), compact=True))


def _totals(tensors: int, elements: int, nbytes: int) -> str:
    return f"{counted(tensors, 'tensor')}, {counted(elements, 'element')}, {counted(nbytes, 'byte')}"


def print_notes(notes: Iterable[str]) -> None:
    """What the reader of a model had to decide."""
    for note in notes:
        print(f"note: {note}")
