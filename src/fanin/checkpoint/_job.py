"""From a model and rules to a checked list of what goes into which file: everything before the first byte."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from .._checks import choice
from .._errors import FaninTypeError, FaninValueError, shown
from .._seeding import STREAM_VERSION, check_seed
from .._version import __version__
from ..rules import Parameter, Row, Rules, Table
from ._format import bytes_of, code_of, convert, floating_dtype
from ._index import file_names
from ._partition import by_count, by_size, check_shard, parse_shard, parse_size
from ._spec.read import read_spec
from ._spec.spec import Spec

if TYPE_CHECKING:
    from .._types import DType
    from ..rules._names import RulesLike


class Job(NamedTuple):
    """A checkpoint to be written, in one file or in several.

    Attributes:
        rows: what each tensor gets, in the model's order.
        metadata: of each file.
        seed: every tensor is keyed by it and its own name.
        parts: the rows of each of Hugging Face's files by its name; None: one file has all.
        own: the names of those that this run writes.
        warnings: what may not be as it was meant, as in a `Table`.
        spec: the model that was read, of which `rows` are.
        rules: that decided, with the values of their variables for this model.
    """

    rows: list[Row]
    metadata: dict[str, str]
    seed: int
    parts: dict[str, list[Row]] | None
    own: tuple[str, ...]
    warnings: tuple[str, ...]
    spec: Spec
    rules: Rules


def make_job(spec: Any, rules: RulesLike, *, seed: Any = 0, dtype: DType | None = None, layout: str = "torch",
             max_shard_size: int | str | None = None, shard: tuple[int, int] | str | None = None,
             partial: bool = False) -> Job:
    """Read the model and the rules, and decide what every tensor gets. The arguments are those of `checkpoint.init`.

    Raises:
        FaninError: anything that is wrong with an argument, the model, the rules, or one of them for the other.
    """
    choice("layout", layout, ("torch", "jax"))
    if max_shard_size is not None and shard is not None:
        raise FaninValueError("`max_shard_size` and `shard` say both how many files there are: give one of them")
    seed = check_seed(seed)
    written_dtype = None if dtype is None else floating_dtype(dtype)
    size, part = _size(max_shard_size), _shard(shard)
    spec = read_spec(spec)
    rules = Rules.of(rules).with_config(spec.config)
    table = assign(convert(spec.tensors, written_dtype), rules, layout, partial)
    rows = list(table)
    options = {"dtype": None if written_dtype is None else code_of(written_dtype), "layout": layout}
    metadata = {"format": "pt", **{key: text for key, text in spec.metadata.items() if not key.startswith("fanin.")},
                "fanin.version": __version__, "fanin.stream_version": str(STREAM_VERSION), "fanin.seed": str(seed),
                "fanin.rules": _compact(rules.get_config()), "fanin.options": json.dumps(options)}
    layers = {each.name: facts for each in spec.tensors if each.layer and (facts := each.layer.to_json())}
    if layers:
        metadata["fanin.layers"] = _compact(layers)
    if size is None and part is None:
        return Job(rows, metadata, seed, None, (), table.warnings, spec, rules)
    # all tensors of the model, for a file that holds some: rules look at siblings and count layers
    metadata["fanin.model"] = _compact({row.parameter.name: [code_of(row.parameter.dtype), row.parameter.shape]
                                        for row in rows})
    parts = _divide(rows, size, part)
    names = tuple(parts)
    own = names if part is None else names[part[0] - 1:part[0]]
    return Job(rows, metadata, seed, parts, own, table.warnings, spec, rules)


def assign(tensors: Iterable[Parameter], rules: Rules, layout: str = "torch", partial: bool = False) -> Table:
    """A row for each tensor, with everything that can be wrong checked: rules, schemes, shapes, dtypes, ranges."""
    table = rules.assign(tensors, layout, partial)
    for row in table:
        if row.scheme is None:
            raise FaninValueError(f"{row.parameter.name!r} must get values, since a checkpoint has none to keep (got "
                                  f"a tensor that is {row.note})")
    return table


def _divide(rows: list[Row], size: int | None, part: tuple[int, int] | None) -> dict[str, list[Row]]:
    """The files, by name: as many as `size` bytes each need, or n of about the same size for (i, n) = `part`."""
    sizes = [bytes_of(row.parameter) for row in rows]
    runs = by_count(sizes, part[1]) if size is None and part is not None else by_size(sizes, size or 0)
    return {name: rows[start:stop] for name, (start, stop) in zip(file_names(len(runs)), runs, strict=True)}


def _compact(value: Any) -> str:
    """One line of JSON, for a file's metadata."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _size(value: int | str | None) -> int | None:
    if isinstance(value, str):
        return parse_size(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise FaninTypeError(f"`max_shard_size` must be an int >= 1 or a text such as '5GB' (got {shown(value)})")
    return value


def _shard(value: tuple[int, int] | str | None) -> tuple[int, int] | None:
    if value is None or isinstance(value, str):
        return None if value is None else parse_shard(value)
    if not (isinstance(value, tuple) and len(value) == 2 and all(type(number) is int for number in value)):
        raise FaninTypeError(f"`shard` must be two ints (i, n), or a text such as '1/4' (got {shown(value)})")
    return check_shard(*value)
