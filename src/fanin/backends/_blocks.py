"""The block function of a sampler, shared by the backends: with its mask and rounding, for one storage type."""

import functools

import numpy as np

from ..kernels.blocks import make_block
from ..kernels.literals import with_literals
from ..kernels.rounding import as_is, to_bfloat16, to_float16

_FINISH = {"bfloat16": to_bfloat16, "float16": to_float16}


def is_wide(storage):
    """Whether numbers of this type take two words each."""
    return storage.itemsize == 8


@functools.cache
def block_of(sampler, mask, storage, parts):
    """block(b, k0, k1, s0, s1, params, mask_params) -> the numbers of block b, as they are stored."""
    if sampler.takes == "u":
        sampler = with_literals(sampler, np.float64 if is_wide(storage) else np.float32)
    return make_block(sampler, is_wide(storage), mask, parts, _FINISH.get(storage.name, as_is))
