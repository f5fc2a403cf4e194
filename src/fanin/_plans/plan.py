"""What is to be drawn, as pure numbers: no key, no array, no backend. Equal schemes on equal specs give equal plans."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from .._dtypes import real_type
from .._kernels.samplers import FIXED, constant, constant_pair, described

if TYPE_CHECKING:
    from .._types import Array, Dims


class SamplerPlan(NamedTuple):
    """One sampler and its parameters for every element of a shape, perhaps masked.

    Attributes:
        shape, dtype: of the whole tensor.
        sampler: the scalar function that makes each number.
        params: its parameters, in the type that it computes in.
        mask, mask_params: the function that says of an element's index whether it is drawn or zero, and its parameters.
        mean, std: of the drawn values, where they are known.
        fan_in, fan_out: where the scheme uses them.
    """

    shape: Dims
    dtype: np.dtype[Any]
    sampler: Any  # a function with the attribute `takes`: see _kernels/samplers.py
    params: tuple[Any, ...]
    mask: Any = None
    mask_params: tuple[Any, ...] = ()
    mean: complex | None = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    @property
    def storage(self) -> np.dtype[Any]:
        """The dtype of the numbers that the sampler makes: bit patterns for a constant, else the real parts' type."""
        return _storage(self.dtype, self.is_constant)

    @property
    def is_constant(self) -> bool:
        """Whether all that is drawn has one value."""
        return self.sampler is constant or self.sampler is constant_pair

    @property
    def parts(self) -> int:
        """Numbers that make an element: 2 where it is complex, but for complex64 constants."""
        return self.dtype.itemsize // self.storage.itemsize

    @property
    def distribution(self) -> str:
        """What is drawn, in words, however it is computed."""
        return described(self.sampler)

    def __repr__(self) -> str:
        return describe(self, *([] if self.mask is None else [f"mask={described(self.mask)}"]))


@functools.cache
def _storage(dtype: np.dtype[Any], is_constant: bool) -> np.dtype[Any]:
    return np.dtype(f"u{min(dtype.itemsize, 8)}") if is_constant else real_type(dtype)


def describe(plan: Plan, *details: str) -> str:
    """A plan in one line: what is drawn, and the fields that exist."""
    fields = [f"shape={plan.shape}", f"dtype={plan.dtype.name}", f"distribution={plan.distribution}", *details]
    for name in ("mean", "std", "fan_in", "fan_out"):
        value = getattr(plan, name)
        if value is not None:
            fields.append(f"{name}={value:.8g}" if isinstance(value, float) else f"{name}={value}")
    return f"Plan({', '.join(fields)})"


class MatrixPlan(NamedTuple):
    """A random (semi-)orthogonal matrix laid into a tensor.

    `roles` names each axis: r indexes the matrix's rows, c its columns, * is a kernel axis, where all but the centre
    is zero; or, where it is `spread`, part of a kernel that as a whole preserves the norm of a signal of c channels.
    """

    shape: Dims
    dtype: np.dtype[Any]
    roles: str
    gain: float
    spread: bool = False
    mean: complex | None = 0.0
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    def side(self, role: str) -> int:
        """The matrix's extent over the axes of one role: its rows (r) or columns (c)."""
        return math.prod(dim for dim, axis_role in zip(self.shape, self.roles, strict=True) if axis_role == role)

    @property
    def distribution(self) -> str:
        """What is drawn, in words."""
        return "orthogonal convolution" if self.spread else "orthogonal"

    def __repr__(self) -> str:
        return describe(self)


class ArrayPlan(NamedTuple):
    """The values of an array, broadcast."""

    shape: Dims
    dtype: np.dtype[Any]
    array: Any  # a hashable holder of the array: Constant's
    mean: complex | None = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    @property
    def distribution(self) -> str:
        """What it is, in words."""
        return FIXED

    def __repr__(self) -> str:
        return describe(self)

    def values(self, index_of: Callable[[int, bool], Any]) -> Array:
        """The part of the array at `index_of(d)` along each axis d of the tensor, to be broadcast to the block.

        The tensor itself may be too large even for a view.
        """
        value = self.array.value
        lead = len(self.shape) - value.ndim
        return value[tuple(index_of(lead + d, dim == 1) for d, dim in enumerate(value.shape))]


class BlocksPlan(NamedTuple):
    """Plans side by side along an axis, each for its block's own shape. `mean` and `std` are those of all values."""

    shape: Dims
    dtype: np.dtype[Any]
    axis: int
    plans: tuple[Plan, ...]
    mean: complex | None = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    def leaves(self, origin: Dims | None = None, path: Dims = ()) -> Iterator[Leaf]:
        """A `Leaf` for each plan in here that is not made of blocks itself."""
        origin = origin or (0,) * len(self.shape)
        for number, plan in enumerate(self.plans):
            if isinstance(plan, BlocksPlan):
                yield from plan.leaves(origin, (*path, number))
            else:
                yield Leaf(plan, origin, (*path, number))
            origin = (*origin[:self.axis], origin[self.axis] + plan.shape[self.axis], *origin[self.axis + 1:])

    @property
    def distribution(self) -> str:
        """What it is, in words; each block's plan says its own."""
        return "blocks"

    def __repr__(self) -> str:
        return describe(self, f"axis={self.axis}", f"plans={list(self.plans)}")


class TwinsPlan(NamedTuple):
    """Plans of one shape along an axis, each drawn as if it were the whole tensor: from the same words.

    Plan p of n fills the places p, p + n, … of the axis where they are `interleaved`, else part p of n equal ones.
    """

    shape: Dims
    dtype: np.dtype[Any]
    axis: int
    plans: tuple[Plan, ...]
    interleaved: bool
    mean: complex | None = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    @property
    def distribution(self) -> str:
        """What it is, in words; each part's plan says its own."""
        return f"{len(self.plans)} parts of the same numbers, {'interleaved' if self.interleaved else 'in turn'}"

    def __repr__(self) -> str:
        plans = self.plans if len(set(self.plans)) > 1 else self.plans[:1]
        return describe(self, f"axis={self.axis}", f"plans={list(plans)}")


Plan: TypeAlias = SamplerPlan | MatrixPlan | ArrayPlan | BlocksPlan | TwinsPlan
"""What a scheme's `plan` returns and `describe` shows: `shape` and `dtype` of the whole tensor, the `distribution` in
words, `mean` and `std` of the drawn values, `fan_in` and `fan_out`, each None where it is not known."""


class Leaf(NamedTuple):
    """A plan, the index in the whole tensor of its element 0, and the numbers of the blocks that it lies in."""

    plan: SamplerPlan | MatrixPlan | ArrayPlan | TwinsPlan
    origin: Dims
    path: Dims

    @property
    def keeps_numbers(self) -> bool:
        """Whether each element depends on its own words only, which are then those of its number in the whole."""
        return isinstance(self.plan, SamplerPlan) and self.plan.mask is None and self.plan.sampler.takes != "place"


def mixture(plans: Iterable[Plan]) -> tuple[complex | None, float | None]:
    """(mean, std) of all values of some plans together, each None where it is not known."""
    parts = [plan for plan in plans if 0 not in plan.shape]
    if len({(plan.mean, plan.std) for plan in parts}) == 1:
        return parts[0].mean, parts[0].std
    means = [plan.mean for plan in parts if plan.mean is not None]
    if not parts or len(means) < len(parts):
        return None, None
    sizes = [math.prod(plan.shape) for plan in parts]
    shares = [size / sum(sizes) for size in sizes]
    mean = sum(share * here for share, here in zip(shares, means))
    if not np.isfinite(mean):
        return None, None
    stds = [plan.std for plan in parts if plan.std is not None]
    if len(stds) < len(parts):
        return mean, None
    variance = sum(share * (std * std + abs(here - mean) ** 2) for share, here, std in zip(shares, means, stds))
    std = math.sqrt(variance)
    return mean, std if math.isfinite(std) else None


def is_random(plan: Plan) -> bool:
    """Whether what is drawn depends on the seed."""
    if isinstance(plan, SamplerPlan):
        return not plan.is_constant and plan.sampler.takes != "place"
    if isinstance(plan, (BlocksPlan, TwinsPlan)):
        return any(map(is_random, plan.plans))
    return isinstance(plan, MatrixPlan)


def is_elementwise(plan: Plan) -> bool:
    """Whether any range of the plan's elements can be made alone (`materialize_range`), in constant memory."""
    if isinstance(plan, (BlocksPlan, TwinsPlan)):
        return all(map(is_elementwise, plan.plans))
    return not isinstance(plan, MatrixPlan)
