"""`Initializer`: what every scheme is. A scheme writes `__init__` and `plan`; everything else is final."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from .._backends import check_device
from .._checks import shape as check_shape
from .._drawing import arrays as _arrays
from .._drawing.compiling import compile_samplers
from .._drawing.execute import materialize
from .._dtypes import as_dtype
from .._errors import FaninTypeError, FaninValueError, listed, shown
from .._graphs import outside_graphs
from .._plans import indexing
from .._plans.spec import TensorSpec
from .._seeding import check_name, check_source, take_key
from . import parameters
from .data import FINAL, Scheme, is_own
from .parameters import TAKEN
from .repeats import watch_unnamed

if TYPE_CHECKING:
    import numpy as np

    from .._plans.plan import Plan
    from .._types import Array, Device, Dims, DType, Index, Seed, Shape

T = TypeVar("T")

PLANS_KEPT = 256  # per scheme: a model has fewer different shapes, and a loop over shapes must not fill the memory


class Initializer(Scheme):
    """A scheme: it says what to draw, for any shape and dtype, on any device, whole or in part.

    A subclass stores its constructor's arguments under their own names, and says in `plan` what to draw. Its objects
    are then immutable, compared and hashed by value, and have a config, a pickle and a repr.

    >>> from fanin import Initializer, Normal
    >>> class HalfHe(Initializer):
    ...     def __init__(self, gain=0.5):
    ...         self.gain = gain
    ...     def plan(self, spec):
    ...         return Normal(0.0, self.gain * (2 / spec.fans().fan_in) ** 0.5).plan(spec)
    >>> HalfHe()((2, 8), seed=0).shape
    (2, 8)
    >>> HalfHe(gain=2.0).describe((16, 8)).std
    1.0
    """

    @abc.abstractmethod
    def plan(self, spec: TensorSpec) -> Plan:
        """What to draw for a `TensorSpec`: the result of `spec.draw(...)`, or of another scheme's `plan(spec)`."""

    @overload
    def __call__(self, shape: Shape, dtype: DType | None = None, device: Device | None = None, *,
                 seed: Seed | None = None, name: str | None = None, out: None = None) -> Array: ...

    @overload
    def __call__(self, shape: Shape, dtype: DType | None = None, device: Device | None = None, *,
                 seed: Seed | None = None, name: str | None = None, out: T) -> T: ...

    def __call__(self, shape: Shape, dtype: DType | None = None, device: Device | None = None, *excess: object,
                 seed: Seed | None = None, name: str | None = None, out: Any = None) -> Any:
        """Draw a whole tensor.

        Args:
            shape: an int or a sequence of ints >= 0; `()` is a scalar.
            dtype: float32 by default; float16, bfloat16, float64, complex64, complex128, by name or as a dtype of
                numpy, ml_dtypes, torch or JAX. With `out`, the array's.
            device: "cpu" by default; "cuda" (this thread's current GPU), "cuda:1" or a torch.device; or "reference",
                slow and in pure Python, to check results. With `out`, where the array is.
            seed: an int in [0, 2**64), a `Stream`, or None for the default stream (see `fanin.seed`). An int without
                a name gives the same numbers at each call, so two layers would start equal: give names. (Two
                such draws of different shapes or schemes are a `FaninWarning`, once in a process.)
            name: the parameter's name. With an int seed it determines the values, which then depend neither on the
                order of calls nor on other parameters.
            out: an array to fill in place, of any strides: numpy's, torch's, CuPy's, numba's, or one with DLPack,
                __array_interface__ or __cuda_array_interface__. On a GPU the work is queued on its library's current
                stream.

        Returns:
            `out`, or a new array: numpy's, or on a GPU numba's, which offers __cuda_array_interface__.

        Raises:
            FaninValueError, FaninTypeError: an argument, or what the scheme would draw, is not possible; nothing was
                allocated or written, and no stream has moved.
            FaninRuntimeError: the device, its driver or a package is missing.
            FaninMemoryError: a tensor that doesn't fit.
        """
        if excess:
            _refuse("`shape`, `dtype` and `device`", excess)
        return self._draw(shape, None, dtype, device, seed, name, out)

    @overload
    def shard(self, shape: Shape, index: Index, dtype: DType | None = None, device: Device | None = None, *,
              seed: Seed | None = None, name: str | None = None, out: None = None) -> Array: ...

    @overload
    def shard(self, shape: Shape, index: Index, dtype: DType | None = None, device: Device | None = None, *,
              seed: Seed | None = None, name: str | None = None, out: T) -> T: ...

    def shard(self, shape: Shape, index: Index, dtype: DType | None = None, device: Device | None = None,
              *excess: object, seed: Seed | None = None, name: str | None = None, out: Any = None) -> Any:
        """Draw only the block `[index]` of a tensor: the bits that it has in the whole, without the rest.

        Args:
            shape: of the whole tensor, which may be far larger than memory.
            index: an int, a slice (any step), Ellipsis, or a tuple of them, as in numpy's basic indexing.
            dtype, device, seed, name, out: as when the scheme is called; `out` has the block's shape.

        Returns:
            The block, as when the scheme is called: a new array, or `out`.

        Raises:
            FaninIndexError: the index lies outside the shape. Else as when the scheme is called.

        >>> from fanin import Normal
        >>> whole = Normal()((6, 4), seed=0, name="w")
        >>> part = Normal().shard((6, 4), (slice(2, 5), -1), seed=0, name="w")
        >>> bool((part == whole[2:5, -1]).all())
        True
        """
        if excess:
            _refuse("`shape`, `index`, `dtype` and `device`", excess)
        return self._draw(shape, (index,), dtype, device, seed, name, out)

    def describe(self, shape: Shape, dtype: DType = "float32") -> Plan:
        """Show what would be drawn, without drawing it: the distribution, mean and std of the values, and the fans.

        Plans print in one line; equal schemes give equal plans.

        >>> from fanin import Registry
        >>> Registry.get("he_normal").describe((512, 256)).fan_in
        256
        """
        return self._described(shape, dtype)

    @outside_graphs
    def _described(self, shape: Shape, dtype: DType) -> Plan:
        spec = TensorSpec(shape, dtype)
        return self._plan(spec.shape, spec.dtype)

    @outside_graphs
    def _draw(self, shape: Shape, index: tuple[Index] | None, dtype: DType | None, device: Device | None,
              seed: Seed | None, name: str | None, out: Any) -> Any:
        # All that can be wrong is found before memory is allocated, a stream id is taken, or a byte is written.
        view = written = None
        if out is not None:
            view, written = _arrays.writable(out)
            if dtype is not None and as_dtype(dtype) != view.dtype:
                raise FaninTypeError(f"`dtype` must be that of `out`, {view.dtype.name}, or None (got {shown(dtype)})")
            dtype = view.dtype
        dims, dtype = check_shape(shape), as_dtype("float32" if dtype is None else dtype)
        if view is None:
            device = check_device(device)
        else:
            device = view.device if device is None else _arrays.place(device, view)  # numpy's is "cpu"
        source, name = check_source(seed), check_name(name)
        axes = indexing.whole(dims) if index is None else indexing.parse(index[0], dims)
        result = dims if index is None else indexing.result_shape(axes)
        if view is not None and view.shape != result:
            raise FaninValueError(f"`out` must have the shape of what is drawn, {result} (got {view.shape})")
        plan = self._plan(dims, dtype)
        if index is None and name is None and isinstance(source, int):
            watch_unnamed(self, source, plan)
        if view is None and device == "cpu":
            view = out = _arrays.empty(result, dtype)
        elif view is None:
            out, view = _arrays.new(result, dtype, device)
        if view.size:
            compile_samplers(plan, device, view)
        materialize(plan, take_key(source, name), device, view, axes)
        if written is not None:
            written()
        return out

    def _plan(self, shape: Dims, dtype: np.dtype[Any]) -> Plan:
        plans = self._plans
        if plans is None or len(plans) > PLANS_KEPT:
            plans = vars(self)["_plans"] = {}
        plan = plans.get((shape, dtype))
        if plan is None:
            plan = self._new_plan(shape, dtype)
            if _plans_alike(self):
                plans[shape, dtype] = plan
        return plan

    def _new_plan(self, shape: Dims, dtype: np.dtype[Any]) -> Plan:
        plan = self.plan(TensorSpec(shape, dtype))
        if not hasattr(plan, "fan_in"):
            raise FaninTypeError(f"`plan` of {type(self).__name__} must return spec.draw(...) or another scheme's "
                                 f"plan(spec) (got {plan!r})")
        if (plan.shape, plan.dtype) != (shape, dtype):
            raise FaninValueError(f"`plan` of {type(self).__name__} must be for the spec that it was given, "
                                  f"{shape} {dtype.name} (got {plan!r})")
        return plan


def _plans_alike(value: Any) -> bool:
    """Whether a scheme's plans are the same at any time. A user's may change, with a constant that a cell sets anew."""
    if isinstance(value, Scheme):
        return is_own(type(value)) and all(map(_plans_alike, parameters.values(value).values()))
    return not isinstance(value, tuple) or all(map(_plans_alike, value))


def _refuse(positional: str, excess: tuple[object, ...]) -> NoReturn:
    raise FaninTypeError(f"{positional} alone may be given without a name (got {listed(map(repr, excess), 5)} after "
                         "them): give the shape as a tuple, such as (512, 256)")


TAKEN.update(dir(Initializer))
FINAL.update({name: value for base in (Scheme, Initializer) for name, value in vars(base).items()
              if name == "__call__" or name not in ("plan", "_abc_impl") and not name.startswith("__")})
