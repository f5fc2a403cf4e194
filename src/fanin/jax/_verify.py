"""`verify_model`: what a JAX model holds, compared with what would be drawn for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from .._errors import FaninValueError, a_type
from .._plans import indexing
from .._seeding import check_source
from ..rules import Comparison, Rules
from ..rules._comparison import Index, Tally, whole_block
from ..rules._slots import assign_slots
from ._models import read_model

if TYPE_CHECKING:
    from .._types import Array, Seed
    from ..rules._names import RulesLike


def verify_model(model: Any, rules: RulesLike, *, seed: Seed | None = None, buffers: bool | str | Sequence[str] = False
                 ) -> Comparison:
    """Compare a model's arrays with what `init_model` would draw for them, bit by bit.

    Each process compares what its own devices hold, every replica of it, without communication.

    Args:
        model, rules, seed, buffers: as they were given to `init_model`, with arrays in the model.

    Returns:
        A `fanin.rules.Comparison`, which prints as a summary: `ok`, and the `differences`. Orthogonal tensors are
        compared within their bound.

    Raises:
        FaninValueError, FaninTypeError: as `init_model`; or a model of shapes.

    >>> import fanin.jax, jax
    >>> shapes = {"kernel": jax.ShapeDtypeStruct((512, 256), "float32")}
    >>> rules = {"kernel": "he_normal"}
    >>> params, _ = fanin.jax.init_model(shapes, rules, seed=7)
    >>> print(fanin.jax.verify_model(params, rules, seed=7))
    OK, 1 tensor, 131,072 elements
    """
    rules, source = Rules.of(rules), check_source(seed)
    slots, _, layout = read_model(model, buffers)
    table = assign_slots(rules, slots, layout, partial=True, source=source)  # `init_model` has told of idle rules
    drawn = [(slot, row) for slot, row in zip(slots, table, strict=True) if row.scheme is not None]
    for slot, _ in drawn:
        if not isinstance(slot.place, (jax.Array, np.ndarray)) or isinstance(slot.place, jax.core.Tracer):
            raise FaninValueError(f"`model` must hold arrays to compare (got {a_type(slot.place)} in "
                                  f"{slot.parameter.name!r})")
    tally = Tally()
    for slot, row in drawn:
        for block, values in _parts(slot.place):
            def read(cut: Index, values: Array = values) -> Array:
                return np.asarray(values[cut])

            tally.compare_block(row, source, block, read)
    return tally.result(table)


def _parts(array: Any) -> Iterator[tuple[Index, Any]]:
    """(block, values) of each part that a device of this process holds; on a CPU numpy reads it in place."""
    if not isinstance(array, jax.Array):
        yield whole_block(array.shape), array
        return
    for shard in array.addressable_shards:
        block = tuple(slice(axis.start, axis.start + axis.size) for axis in indexing.parse(shard.index, array.shape))
        yield block, np.asarray(shard.data) if shard.device.platform == "cpu" else shard.data
