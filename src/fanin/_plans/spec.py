"""`TensorSpec`: what a scheme's `plan` is given, and the ways in which it says what to draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import real
from .._checks import shape as check_shape
from .._dtypes import (
    COMPLEX,
    FLOAT8,
    FLOATING,
    NO_ZERO,
    as_dtype,
    computing_type,
    is_complex,
    is_floating,
    is_known,
    largest_at_most,
    real_type,
    smallest_at_least,
)
from .._errors import FaninTypeError, FaninValueError, a_type, shown
from .._kernels.samplers import constant, constant_pair
from .fans import Fans, compute_fans
from .plan import BlocksPlan, MatrixPlan, Plan, SamplerPlan, TwinsPlan, mixture
from .sampler_check import check_sampler

if TYPE_CHECKING:
    from .._types import Array, Dims, DType, Sampler, Shape


class TensorSpec:
    """What `Initializer.plan` is given: a shape and a dtype, ways to ask for fans, and ways to say what to draw.

    Args:
        shape: an int or a sequence of ints >= 0.
        dtype: anything that fanin takes for a dtype; a `numpy.dtype` afterwards.

    >>> spec = TensorSpec((64, 32, 3, 3))
    >>> spec.fans()
    Fans(fan_in=288, fan_out=576)
    """

    __slots__ = ("_fans", "dtype", "shape")

    def __init__(self, shape: Shape, dtype: DType = "float32") -> None:
        self.shape: Dims = check_shape(shape)
        self.dtype: np.dtype[Any] = as_dtype(dtype)
        self._fans: tuple[float | None, float | None] = (None, None)

    def __repr__(self) -> str:
        return f"TensorSpec({self.shape}, {self.dtype.name!r})"

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return is_complex(self.dtype)

    @property
    def computing_type(self) -> type[np.float32] | type[np.float64]:
        """float32, or float64 for float64 and complex128: what parameters are rounded to."""
        return computing_type(self.dtype)

    def fans(self, layout: str = "oi*", groups: int = 1, transposed: bool = False) -> Fans:
        """(fan_in, fan_out) of this shape; the plan made of this spec reports them."""
        fans = compute_fans(self.shape, layout, groups, transposed)
        self._fans = fans
        return fans

    def given_fans(self, fan_in: float | None, fan_out: float | None) -> None:
        """Fans that the caller knows; the plan made of this spec reports them as it does those of `fans`."""
        self._fans = (fan_in, fan_out)

    def require_floating(self, scheme: str) -> None:
        """Refuse integer and bool dtypes, and float8 for now, for a scheme that draws random numbers."""
        if self.dtype.name in FLOAT8:
            raise FaninTypeError(f"`dtype` must be wider than 8 bits for {scheme} (got {self.dtype.name}, which holds "
                                 "zeros, ones and constants for now): draw bfloat16 and cast")
        if not is_floating(self.dtype):
            raise FaninTypeError(f"`dtype` must be a floating-point or complex type for {scheme} (got "
                                 f"{self.dtype.name}): one of {', '.join(FLOATING + COMPLEX)}")

    def draw(self, sampler: Sampler, *params: float, mean: complex | None = None, std: float | None = None,
             mask: Sampler | None = None, mask_params: Sequence[int] = ()) -> SamplerPlan:
        """A plan that draws every element with `sampler`, a function marked with `fanin.sampler`.

        Args:
            sampler: the function; it gets u (see `fanin.sampler`) and `params`.
            params: real numbers, rounded once to the computing type; finite.
            mean, std: of what it draws, for `describe`, if they are known.
            mask, mask_params: fanin's own way to draw some of the elements only.

        Raises:
            FaninTypeError: not a sampler, an integer dtype, or a complex dtype for a sampler of real numbers.
            FaninValueError: a parameter that is not finite in the computing type.
        """
        takes = getattr(sampler, "takes", None)
        if takes is None:
            raise FaninTypeError(f"`sampler` must be a function marked with @fanin.sampler (got {shown(sampler)})")
        self.require_floating(sampler.__name__)
        if self.is_complex and takes != "pair":
            raise FaninTypeError(f"`dtype` must be real for the sampler {sampler.__name__}, which makes real numbers "
                                 f"(got {self.dtype.name})")
        rounded = self._round(sampler, params)
        if takes == "u":
            sampler = check_sampler(sampler, self.computing_type, rounded)
        return SamplerPlan(self.shape, self.dtype, sampler, rounded, mask, tuple(map(np.uint64, mask_params)), mean,
                           std, *self._fans)

    def tabulate(self, sampler: Sampler, *params: Any) -> SamplerPlan:
        """A plan for a table: `sampler` makes each element of its index, without randomness; params as it takes them.

        For real dtypes.
        """
        return SamplerPlan(self.shape, self.dtype, sampler, params, None, (), None, None, *self._fans)

    def require_real(self, scheme: str) -> None:
        """Refuse what `require_floating` refuses, and complex dtypes."""
        self.require_floating(scheme)
        if self.is_complex:
            raise FaninTypeError(f"`dtype` must be real for {scheme} (got {self.dtype.name}): one of "
                                 f"{', '.join(FLOATING)}")

    def _round(self, sampler: Sampler, params: Sequence[float]) -> tuple[Any, ...]:
        number = self.computing_type
        with np.errstate(over="ignore"):
            rounded = tuple(number(real("params", param)) for param in params)
        for given, value in zip(params, rounded, strict=True):
            if not math.isfinite(value):
                raise FaninValueError(f"`params` of {sampler.__name__} must be finite in {np.dtype(number).name} "
                                      f"(got {given!r})")
        return rounded

    def fill(self, value: complex, *, std: float | None = 0.0, mean: complex | None = None, mask: Sampler | None = None,
             mask_params: Sequence[int] = (), name: str = "value") -> SamplerPlan:
        """A plan that puts one value everywhere, or where `mask` says so. Any dtype; refuses what it can't hold.

        `name` is that of the scheme's parameter, for the message.
        """
        stored = cast(value, self.dtype, name)
        if mask is not None and self.dtype.name in NO_ZERO:
            raise FaninTypeError(f"`dtype` must hold 0, which most elements are (got {self.dtype.name})")
        sampler: Sampler = constant_pair if self.dtype.itemsize == 16 else constant
        pattern = tuple(stored.reshape(1).view(f"u{min(self.dtype.itemsize, 8)}"))
        return SamplerPlan(self.shape, self.dtype, sampler, pattern, mask, tuple(map(np.uint64, mask_params)), mean,
                           std, *self._fans)

    def orthogonal(self, roles: str, gain: float, std: float | None, spread: bool = False) -> MatrixPlan:
        """A plan for a random orthogonal matrix, or convolution; `roles` and `spread` as in `MatrixPlan`."""
        return MatrixPlan(self.shape, self.dtype, roles, gain, spread, 0.0, std, *self._fans)

    def blocks(self, axis: int, plans: Sequence[Plan]) -> BlocksPlan:
        """A plan of plans side by side along an axis, each for its block's shape; they fill this one."""
        return BlocksPlan(self.shape, self.dtype, axis, tuple(plans), *mixture(plans), *_common_fans(plans))

    def twins(self, axis: int, plans: Sequence[Plan], interleaved: bool) -> TwinsPlan:
        """A plan of plans that share their words, each for its part of an axis, all of one shape: see `TwinsPlan`."""
        return TwinsPlan(self.shape, self.dtype, axis, tuple(plans), interleaved, *mixture(plans),
                         *_common_fans(plans))

    def inside(self, lower: float, upper: float) -> tuple[float, float]:
        """The dtype's smallest value >= lower and largest <= upper, in the computing type; ValueError if none."""
        dtype = real_type(self.dtype)
        smallest, largest = smallest_at_least(lower, dtype), largest_at_most(upper, dtype)
        if smallest > largest:
            raise FaninValueError(f"the bounds must hold a value of {self.dtype.name} (none lies in [{lower!r}, "
                                  f"{upper!r}]): use a wider dtype or wider bounds")
        return smallest, largest


def _common_fans(plans: Sequence[Plan]) -> Iterator[float | None]:
    """fan_in and fan_out of plans that are not empty, each None where they differ."""
    kept = [plan for plan in plans if 0 not in plan.shape]
    for values in ({plan.fan_in for plan in kept}, {plan.fan_out for plan in kept}):
        yield next(iter(values)) if len(values) == 1 else None


def cast(value: Any, dtype: np.dtype[Any], name: str = "value") -> Array:
    """A scalar or an array in `dtype`; FaninValueError where the dtype can't hold a value, NaN and infinities kept."""
    given, value = value, np.asarray(value)
    if not is_known(value.dtype):
        raise FaninTypeError(f"`{name}` must be a number, or an array of numbers (got {shown(given)}, {a_type(given)})")
    is_real = value.dtype.kind != "c"
    with np.errstate(all="ignore"):
        stored = (value.real if is_real or dtype.kind != "c" else value).astype(dtype)
    if dtype.kind in "iub":
        rule = f"must be a value that {dtype.name} holds exactly"
        kept = stored == value
    else:
        real_and = "" if dtype.kind == "c" else "real and "
        rule = f"must be {real_and}within the range of {dtype.name}"
        kept = np.isfinite(stored) | ~np.isfinite(value)
        if dtype.name in FLOAT8:  # some of which have no infinities, and one neither zero nor signs: they make nan
            kept &= np.isnan(stored) == np.isnan(value)
    if not np.all(kept) or not is_real and dtype.kind != "c":
        raise FaninValueError(f"`{name}` {rule} (got {value.tolist()!r})" if value.size < 9 else f"`{name}` {rule}")
    return stored
