"""What is to be drawn, as pure numbers: no key, no array, no backend. Equal schemes on equal specs give equal plans."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._checks import real
from ._checks import shape as check_shape
from ._dtypes import (
    COMPLEX,
    FLOATING,
    as_dtype,
    computing_type,
    is_complex,
    is_floating,
    largest_at_most,
    real_type,
    smallest_at_least,
)
from ._errors import FaninTypeError, FaninValueError
from ._fans import Fans, compute_fans
from .kernels.literals import with_compiled_types
from .kernels.samplers import constant, constant_pair

if TYPE_CHECKING:
    from ._types import DType, Shape


class Plan(NamedTuple):
    """One sampler and its parameters for every element of a shape, perhaps masked.

    Attributes:
        shape, dtype: of the whole tensor.
        sampler: the scalar function that makes each number.
        params: its parameters, in the type that it computes in.
        mask, mask_params: the function that says of an element's index whether it is drawn or zero, and its parameters.
        mean, std: of the drawn values, where they are known.
        fan_in, fan_out: where the scheme uses them.
    """

    shape: tuple
    dtype: np.dtype
    sampler: Any
    params: tuple
    mask: Any = None
    mask_params: tuple = ()
    mean: Any = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    @property
    def storage(self):
        """The dtype of the numbers that the sampler makes: bit patterns for a constant, else the real parts' type."""
        if self.sampler is constant or self.sampler is constant_pair:
            return np.dtype(f"u{min(self.dtype.itemsize, 8)}")
        return real_type(self.dtype)

    @property
    def parts(self):
        """Numbers that make an element: 2 where it is complex, but for complex64 constants."""
        return self.dtype.itemsize // self.storage.itemsize

    def __repr__(self):
        return describe(self, self.sampler.__name__)


def describe(plan, sampler, *details):
    """A plan in one line: what is drawn, and the fields that exist."""
    fields = [f"shape={plan.shape}", f"dtype={plan.dtype.name}", f"sampler={sampler}", *details]
    if getattr(plan, "mask", None) is not None:
        fields.append(f"mask={plan.mask.__name__}")
    for name in ("mean", "std", "fan_in", "fan_out"):
        value = getattr(plan, name)
        if value is not None:
            fields.append(f"{name}={value:.8g}" if isinstance(value, float) else f"{name}={value}")
    return f"Plan({', '.join(fields)})"


class MatrixPlan(NamedTuple):
    """A random (semi-)orthogonal matrix laid into a tensor.

    `roles` names each axis: r indexes the matrix's rows, c its columns, * is a kernel axis, where all but the centre
    is zero.
    """

    shape: tuple
    dtype: np.dtype
    roles: str
    gain: float
    mean: float = 0.0
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    def side(self, role):
        """The matrix's extent over the axes of one role: its rows (r) or columns (c)."""
        return math.prod(dim for dim, axis_role in zip(self.shape, self.roles, strict=True) if axis_role == role)

    def __repr__(self):
        return describe(self, "orthogonal")


class ArrayPlan(NamedTuple):
    """The values of an array, broadcast."""

    shape: tuple
    dtype: np.dtype
    array: Any  # a hashable holder of the array: Constant's
    mean: Any = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    def __repr__(self):
        return describe(self, "array")

    def values(self, index_of):
        """The part of the array at `index_of(d)` along each axis d of the tensor, to be broadcast to the block.

        The tensor itself may be too large even for a view.
        """
        value = self.array.value
        lead = len(self.shape) - value.ndim
        return value[tuple(index_of(lead + d, dim == 1) for d, dim in enumerate(value.shape))]


class BlocksPlan(NamedTuple):
    """Plans side by side along an axis, each for its block's own shape. `mean` and `std` are those of all values."""

    shape: tuple
    dtype: np.dtype
    axis: int
    plans: tuple
    mean: Any = None
    std: float | None = None
    fan_in: float | None = None
    fan_out: float | None = None

    def leaves(self, origin=None, path=()):
        """A `Leaf` for each plan in here that has no plans inside."""
        origin = origin or (0,) * len(self.shape)
        for number, plan in enumerate(self.plans):
            if isinstance(plan, BlocksPlan):
                yield from plan.leaves(origin, (*path, number))
            else:
                yield Leaf(plan, origin, (*path, number))
            origin = tuple(at + plan.shape[d] * (d == self.axis) for d, at in enumerate(origin))

    def __repr__(self):
        return describe(self, "blocks", f"axis={self.axis}", f"plans={list(self.plans)}")


class Leaf(NamedTuple):
    """A plan, the index in the whole tensor of its element 0, and the numbers of the blocks that it lies in."""

    plan: Any
    origin: tuple
    path: tuple

    @property
    def keeps_numbers(self):
        """Whether each element depends on its own words only, which are then those of its number in the whole."""
        return isinstance(self.plan, Plan) and self.plan.mask is None


def mixture(plans):
    """(mean, std) of all values of some plans together, each None where it is not known."""
    moments = [(math.prod(plan.shape), plan.mean, plan.std) for plan in plans if 0 not in plan.shape]
    if len({moment[1:] for moment in moments}) == 1:
        return moments[0][1:]
    if not moments or any(mean is None for _, mean, _ in moments):
        return None, None
    size = sum(count for count, _, _ in moments)
    mean = sum(count / size * mean for count, mean, _ in moments)
    if not np.isfinite(mean):
        return None, None
    if any(std is None for _, _, std in moments):
        return mean, None
    std = math.sqrt(sum(count / size * (std * std + abs(here - mean) ** 2) for count, here, std in moments))
    return mean, std if math.isfinite(std) else None


def is_elementwise(plan):
    """Whether any range of the plan's elements can be made alone (`materialize_range`), in constant memory."""
    if isinstance(plan, BlocksPlan):
        return all(map(is_elementwise, plan.plans))
    return not isinstance(plan, MatrixPlan)


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
        self.shape = check_shape(shape)
        self.dtype = as_dtype(dtype)
        self._fans: tuple = (None, None)

    def __repr__(self):
        return f"TensorSpec({self.shape}, {self.dtype.name!r})"

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_complex(self) -> bool:
        return is_complex(self.dtype)

    @property
    def computing_type(self):
        """float32, or float64 for float64 and complex128: what parameters are rounded to."""
        return computing_type(self.dtype)

    def fans(self, layout: str = "oi*", groups: int = 1, transposed: bool = False) -> Fans:
        """(fan_in, fan_out) of this shape; the plan made of this spec reports them."""
        self._fans = fans = compute_fans(self.shape, layout, groups, transposed)
        return fans

    def given_fans(self, fan_in, fan_out):
        """Fans that the caller set, reported as those of `fans` are."""
        self._fans = Fans(fan_in, fan_out)
        return self._fans

    def require_floating(self, scheme):
        """Refuse integer and bool dtypes for a scheme that draws random numbers."""
        if not is_floating(self.dtype):
            raise FaninTypeError(f"`dtype` must be a floating-point or complex type for {scheme} (got "
                                 f"{self.dtype.name}): one of {', '.join(FLOATING + COMPLEX)}")

    def draw(self, sampler: Callable[..., Any], *params: float, mean: float | None = None, std: float | None = None,
             mask: Any = None, mask_params: tuple = ()) -> Plan:
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
            raise FaninTypeError(f"`sampler` must be a function marked with @fanin.sampler (got {sampler!r})")
        self.require_floating(sampler.__name__)
        if self.is_complex and takes != "pair":
            raise FaninTypeError(f"`dtype` must be real for the sampler {sampler.__name__}, which makes real numbers "
                                 f"(got {self.dtype.name})")
        rounded = self._round(sampler, params)
        if takes == "u":
            check_sampler(sampler, self.computing_type, rounded)
        return Plan(self.shape, self.dtype, sampler, rounded, mask, tuple(map(np.uint64, mask_params)), mean, std,
                    *self._fans)

    def _round(self, sampler, params):
        number = self.computing_type
        with np.errstate(over="ignore"):
            rounded = tuple(number(real("params", param)) for param in params)
        for given, value in zip(params, rounded, strict=True):
            if not math.isfinite(value):
                raise FaninValueError(f"`params` of {sampler.__name__} must be finite in {np.dtype(number).name} "
                                      f"(got {given!r})")
        return rounded

    def fill(self, value, *, std=0.0, mean=None, mask=None, mask_params=(), name="value"):
        """A plan that puts one value everywhere, or where `mask` says so. Any dtype; refuses what it can't hold.

        `name` is that of the scheme's parameter, for the message.
        """
        stored = cast(value, self.dtype, name)
        if self.dtype.itemsize == 16:
            pattern, sampler = tuple(stored.reshape(1).view(np.uint64)), constant_pair
        else:
            pattern, sampler = tuple(stored.reshape(1).view(f"u{self.dtype.itemsize}")), constant
        return Plan(self.shape, self.dtype, sampler, pattern, mask, tuple(map(np.uint64, mask_params)), mean, std,
                    *self._fans)

    def orthogonal(self, roles, gain, std):
        """A plan for a random orthogonal matrix; `roles` as in `MatrixPlan`."""
        return MatrixPlan(self.shape, self.dtype, roles, gain, 0.0, std, *self._fans)

    def blocks(self, axis, plans):
        """A plan of plans side by side along an axis, each for its block's shape; they fill this one."""
        kept = [plan for plan in plans if 0 not in plan.shape]
        fans = (next(iter(values)) if len(values) == 1 else None
                for values in ({getattr(plan, fan) for plan in kept} for fan in ("fan_in", "fan_out")))
        return BlocksPlan(self.shape, self.dtype, axis, tuple(plans), *mixture(plans), *fans)

    def inside(self, lower, upper):
        """The dtype's smallest value >= lower and largest <= upper, in the computing type; ValueError if none."""
        dtype = real_type(self.dtype)
        smallest, largest = smallest_at_least(lower, dtype), largest_at_most(upper, dtype)
        if smallest > largest:
            raise FaninValueError(f"the bounds must hold a value of {self.dtype.name} (none lies in [{lower!r}, "
                                  f"{upper!r}]): use a wider dtype or wider bounds")
        return smallest, largest


# Where a user's sampler is tried: both ends, and between them a point for each piece that it may be made of.
TRIED = (2.0**-33, 1e-6, 1e-3, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.999, 1 - 2.0**-24)


def check_sampler(sampler, number, params):
    """Refuse a user's sampler that doesn't take `params`, or leaves u's type and so would differ between backends."""
    code, defaults = sampler.__code__, len(sampler.__defaults__ or ())
    least, most = code.co_argcount - defaults - 1, code.co_argcount - 1
    if code.co_flags & 0x0C or code.co_kwonlyargcount or most < 0:
        raise FaninTypeError(f"`sampler` must take u and its parameters, one by one and by position (got {sampler!r})")
    if not least <= len(params) <= most:
        wanted = most if least == most else f"{least} to {most}"
        raise FaninTypeError(f"`params` of {sampler.__name__} must be {wanted} numbers (got {len(params)})")
    with np.errstate(all="ignore"):
        tried = with_compiled_types(sampler, number)
        for u in TRIED:
            value = tried(number(u), *params)
            if type(value) is not number:
                raise FaninTypeError(f"`sampler` must return u's type, {np.dtype(number).name} (got a "
                                     f"{type(value).__name__} from {sampler.__name__}): write constants as floats, 2.0 "
                                     "not 2 and PI = math.pi in the module, and use fanin.math")


def cast(value, dtype, name="value"):
    """A scalar or an array in `dtype`; FaninValueError where the dtype can't hold a value, NaN and infinities kept."""
    value = np.asarray(value)
    with np.errstate(all="ignore"):
        stored = value.astype(dtype) if dtype.kind == "c" or value.dtype.kind != "c" else None
    if dtype.kind in "iub":
        kept = stored is not None and bool(np.all(stored == value))
        rule = f"must be a value that {dtype.name} holds exactly"
    else:
        kept = stored is not None and bool(np.all(np.isfinite(stored) | ~np.isfinite(value)))
        rule = f"must be real and within the range of {dtype.name}" if dtype.kind != "c" else \
            f"must be within the range of {dtype.name}"
    if not kept:
        raise FaninValueError(f"`{name}` {rule} (got {value.tolist()!r})" if value.size < 9 else f"`{name}` {rule}")
    return stored
