"""A sampler with its mask and rounding, for one storage type: what the loops of each backend call."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._kernels.blocks import make_block, make_number
from .._kernels.literals import with_literals
from .._kernels.rounding import as_is, to_bfloat16, to_float16
from .._kernels.truncated import truncated_centre

_FINISH = {"bfloat16": to_bfloat16, "float16": to_float16}


def is_wide(storage: np.dtype[Any]) -> bool:
    """Whether numbers of this type take two words each."""
    return storage.itemsize == 8


@functools.cache
def block_of(sampler: Any, mask: Callable[..., Any] | None, storage: np.dtype[Any], parts: int) -> Callable[..., Any]:
    """block(b, k0, k1, s0, s1, params, mask_params) -> the numbers of block b, as they are stored."""
    return make_block(_typed(sampler, storage), is_wide(storage), mask, parts, _finish(storage))


@functools.cache
def number_of(sampler: Any, mask: Callable[..., Any] | None, storage: np.dtype[Any]) -> Callable[..., Any] | None:
    """number(x, params) -> the number of the word x, as it is stored; None where it takes more, or none.

    None for bfloat16 too, as LLVM makes most such loops narrower than the processor: blocks are up to a fifth faster.
    """
    if mask is not None or sampler.takes in ("pair", "place"):
        return None
    if storage.name == "bfloat16" and sampler is not truncated_centre:
        return None
    return make_number(_typed(sampler, storage), is_wide(storage), _finish(storage))


def _typed(sampler: Any, storage: np.dtype[Any]) -> Any:
    if sampler.takes == "u":
        return with_literals(sampler, np.float64 if is_wide(storage) else np.float32)
    return sampler


def _finish(storage: np.dtype[Any]) -> Callable[..., Any]:
    return _FINISH.get(storage.name, as_is)
