"""From the command line's arguments to a checked list of files to write: everything before the first byte."""

import json
import os
from typing import NamedTuple

from .._seeding import STREAM_VERSION
from .._version import __version__
from .header import convert
from .partition import INDEX_NAME, by_count, by_size, file_names, index_text
from .rulefile import load_rules, rules_text
from .rules import Draw, assign
from .spec import read_spec
from .writer import check_target, lay_out, write


class Job(NamedTuple):
    """A model to be written: what each tensor gets, and the file's metadata."""

    draws: list[Draw]
    metadata: dict[str, str]
    seed: int


class Division(NamedTuple):
    """Which draws go into which file: (file name, draws) of every file, and those of the files that this run writes."""

    parts: list
    written: list
    names: bool  # whether the files have Hugging Face's names, and an index


def plan_job(spec_path, rules_source, seed=0, dtype=None, layout="torch"):
    """Read the model and the rules, and decide what every tensor gets.

    Args:
        spec_path: a safetensors file, the beginning of one, or a JSON table.
        rules_source: the name of a rule set, or a TOML or JSON file.
        seed: an int in [0, 2**64).
        dtype: safetensors' code of a floating-point dtype for all floating-point tensors, or None: each its own.
        layout: "torch" or "jax": which axes of a weight are in and out, for schemes that don't say it themselves.

    Raises:
        FaninError: anything that is wrong with the model, the rules, or one of them for the other.
    """
    spec = read_spec(spec_path)
    rules = load_rules(rules_source, layout)
    draws = assign(convert(spec.tensors, dtype), rules)
    metadata = {"format": "pt", **{key: text for key, text in spec.metadata.items() if not key.startswith("fanin.")},
                "fanin.version": __version__, "fanin.stream_version": str(STREAM_VERSION), "fanin.seed": str(seed),
                "fanin.rules": rules_text(rules), "fanin.options": json.dumps({"dtype": dtype, "layout": layout})}
    return Job(draws, metadata, seed)


def divide(draws, max_size=None, shard=None):
    """The files: one, or as many as `max_size` bytes each need, or n of which (i, n) = `shard` is to be written."""
    if max_size is None and shard is None:
        return Division([(None, draws)], [(None, draws)], False)
    sizes = [draw.info.nbytes for draw in draws]
    runs = by_size(sizes, max_size) if shard is None else by_count(sizes, shard[1])
    parts = [(name, draws[start:stop]) for name, (start, stop) in zip(file_names(len(runs)), runs, strict=True)]
    return Division(parts, parts if shard is None else parts[shard[0] - 1:shard[0]], True)


def execute(job, division, output, progress=lambda total: lambda nbytes: None):
    """Write the division's files: one file `output`, or Hugging Face's files and their index into a folder `output`.

    `progress` is called with the number of bytes to come, and what it returns with each number just written.
    """
    target = check_target(output, folder=division.names)
    place = (lambda name: os.path.join(target, name)) if division.names else lambda name: target
    files = [lay_out(place(name), draws, job.metadata) for name, draws in division.written]
    index = None
    if division.names:
        text = index_text([(name, [draw.info for draw in draws]) for name, draws in division.parts])
        index = (place(INDEX_NAME), text)
    write(files, job.seed, index, progress(sum(file.nbytes for file in files)))
    return files
