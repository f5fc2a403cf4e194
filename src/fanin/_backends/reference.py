"""The oracle: the same scalar functions, run by Python one number at a time. About ten thousand numbers a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .blocks import block_of, is_wide

if TYPE_CHECKING:
    from .._plans.indexing import Block
    from .._plans.plan import SamplerPlan
    from .._seeding import Key
    from .._types import Array


def fill(plan: SamplerPlan, key: Key, out: Array, block: Block) -> None:
    """Write the elements of `block` into `out`, an array of its dims and of the plan's dtype."""
    storage = plan.storage
    parts = plan.parts
    lanes = 2 if is_wide(storage) else 4
    one_block = block_of(plan.sampler, plan.mask, storage, parts)
    words = tuple(np.uint64(word) for word in key.words)
    stored_as = np.uint16 if storage.itemsize == 2 else storage
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for index in np.ndindex(out.shape):
            first = parts * (block.start + sum(i * step for i, step in zip(index, block.steps, strict=True)))
            numbers = [one_block(np.uint64(n // lanes), *words, plan.params, plan.mask_params)[n % lanes]
                       for n in range(first, first + parts)]
            out[index] = np.array(numbers, stored_as).view(plan.dtype)[0]


fill_in_this_thread = fill
