"""Kernels as plain functions that `cuda.jit` takes, one for each sampler, mask and storage type; and their types."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.cuda import extending, types
from numba.cuda.np.numpy_support import from_dtype

from ..._kernels.device import device_function, register_target
from .. import grid
from ..blocks import block_of, is_wide
from .memory import SIMULATED, ways

register_target(extending, types)


class Variant:
    """The kernels of one sampler, mask and storage type, as functions that `cuda.jit` takes."""

    def __init__(self, sampler: Any, mask: Callable[..., Any] | None, storage: np.dtype[Any], parts: int) -> None:
        block = block_of(sampler, mask, storage, parts)
        scope = {"block": _quiet(block) if SIMULATED else block, "NUMBERS": 2 if is_wide(storage) else 4}
        self._scope = scope | ways(storage)

    @functools.cached_property
    def run(self) -> Callable[..., None]:
        return grid.specialize(grid.fill_run, **self._scope)

    @functools.cache  # noqa: B019 - a variant lives as long as the process
    def strided(self, rank: int) -> Callable[..., None]:
        """The kernel for rows that are numbered along `rank` axes."""
        return grid.specialize(grid.fill_strided, rank, **self._scope)


@functools.cache
def variant(sampler: Any, mask: Callable[..., Any] | None, storage: np.dtype[Any], parts: int) -> Variant:
    """The `Variant` of these."""
    return Variant(sampler, mask, storage, parts)


@functools.cache
def copier(storage: np.dtype[Any], rank: int) -> Callable[..., None]:
    """The kernel that copies and broadcasts an array over `rank` axes."""
    return grid.specialize(grid.copy_strided, rank, **ways(storage))


def run_signature(params: tuple[Any, ...], mask_params: tuple[Any, ...]) -> Any:
    """The types that a `run` kernel takes, for the plan's parameters (numpy scalars)."""
    return types.void(types.uint64, *[types.int64] * 4, *_parameters(params, mask_params))


def strided_signature(rank: int, params: tuple[Any, ...], mask_params: tuple[Any, ...]) -> Any:
    return types.void(types.uint64, types.int64, types.int64, types.uint64, types.uint64, types.boolean,
                      *[types.int64] * 5, *_axes(rank), *_parameters(params, mask_params))


def copy_signature(rank: int) -> Any:
    return types.void(types.uint64, types.uint64, *[types.int64] * 3, *_axes(rank))


def _axes(rank: int) -> Any:
    return [types.UniTuple(types.uint64, rank)] * 2 + [types.UniTuple(types.int64, rank)] * 2


def _parameters(params: tuple[Any, ...], mask_params: tuple[Any, ...]) -> Any:
    return (types.UniTuple(types.uint64, 4), *(types.Tuple([from_dtype(value.dtype) for value in values])
                                               for values in (params, mask_params)))


def _quiet(block: Callable[..., Any]) -> Callable[..., Any]:
    """A block function whose integers wrap around without a warning: each simulated thread has numpy's defaults."""

    @device_function
    def quiet(*arguments: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return block(*arguments)

    return quiet
