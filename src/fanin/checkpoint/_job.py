"""From the arguments to a checked list of files to write: everything before the first byte."""

import json
from typing import NamedTuple

from .._seeding import STREAM_VERSION
from .._version import __version__
from ..rules import Rules
from ._draws import Draw, assign
from ._header import convert
from ._partition import by_count, by_size, file_names
from ._spec import read_spec


class Job(NamedTuple):
    """A model to be written: what each tensor gets, and the files' metadata."""

    draws: list[Draw]
    metadata: dict[str, str]
    seed: int
    notes: tuple[str, ...] = ()  # what the reader of the model decided, a line each


class Division(NamedTuple):
    """Which draws go into which file: (file name, draws) of every file, and those of the files that this run writes."""

    parts: list
    written: list
    names: bool  # whether the files have Hugging Face's names, and an index


def plan_job(spec, rules, seed=0, dtype=None, layout="torch"):
    """Read the model and the rules, and decide what every tensor gets.

    Args:
        spec: what `read_spec` takes.
        rules: what `Rules.of` takes.
        seed: an int in [0, 2**64).
        dtype: safetensors' code of a floating-point dtype for all floating-point tensors, or None: each its own.
        layout: "torch" or "jax": which axes of a weight are in and out, where neither its layer nor its scheme says it.

    Raises:
        FaninError: anything that is wrong with the model, the rules, or one of them for the other.
    """
    spec, rules = read_spec(spec), Rules.of(rules)
    tensors = convert(spec.tensors, dtype)
    draws = assign(tensors, rules, layout)
    metadata = {"format": "pt", **{key: text for key, text in spec.metadata.items() if not key.startswith("fanin.")},
                "fanin.version": __version__, "fanin.stream_version": str(STREAM_VERSION), "fanin.seed": str(seed),
                "fanin.rules": compact(rules.get_config()),
                "fanin.options": json.dumps({"dtype": dtype, "layout": layout})}
    layers = {info.name: facts for info in tensors if (facts := info.layer.to_json() if info.layer else {})}
    if layers:
        metadata["fanin.layers"] = compact(layers)
    return Job(draws, metadata, seed, spec.notes)


def compact(value):
    """One line of JSON, for a file's metadata."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def divide(draws, max_size=None, shard=None):
    """The files: one, or as many as `max_size` bytes each need, or n of which (i, n) = `shard` is to be written."""
    if max_size is None and shard is None:
        return Division([(None, draws)], [(None, draws)], False)
    sizes = [draw.info.nbytes for draw in draws]
    runs = by_size(sizes, max_size) if shard is None else by_count(sizes, shard[1])
    parts = [(name, draws[start:stop]) for name, (start, stop) in zip(file_names(len(runs)), runs, strict=True)]
    return Division(parts, parts if shard is None else parts[shard[0] - 1:shard[0]], True)
