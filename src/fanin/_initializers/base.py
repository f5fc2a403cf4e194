"""`Initializer`: what every scheme is. A scheme writes `__init__` and `plan`; everything else is here, and final."""

from __future__ import annotations

import abc
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._backends import check_device
from .._checks import shape as check_shape
from .._drawing import arrays as _arrays
from .._drawing.execute import materialize
from .._dtypes import as_dtype
from .._errors import FaninAttributeError, FaninTypeError, FaninValueError
from .._plans import indexing
from .._plans.spec import TensorSpec
from .._seeding import check_name, check_source, take_key
from . import codec, parameters
from . import schemes as _schemes

if TYPE_CHECKING:
    from typing import Self

    from .._types import Device, DType, Index, Seed, Shape

PLANS_KEPT = 256  # per scheme: a model has fewer different shapes, and a loop over shapes must not fill the memory


class Initializer(abc.ABC):
    """A scheme: what to draw, for any shape and dtype, on any device, whole or in part, always with the same bits.

    A subclass stores its constructor's arguments under their own names and says in `plan` what to draw. It is then
    immutable, compared and hashed by value, and has a config, a pickle and a repr.

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
    def plan(self, spec: TensorSpec) -> Any:
        """What to draw for a `TensorSpec`: the result of `spec.draw(...)`, or of another scheme's `plan(spec)`."""

    def __call__(self, shape: Shape, dtype: DType | None = None, device: Device | None = None, *,
                 seed: Seed | None = None, name: str | None = None, out: Any = None) -> Any:
        """Draw a whole tensor.

        Args:
            shape: an int or a sequence of ints >= 0; `()` is a scalar.
            dtype: float32 by default; float16, bfloat16, float64, complex64, complex128, by name or as a dtype of
                numpy, ml_dtypes, torch or JAX. With `out`, the array's.
            device: "cpu" by default; "cuda" (this thread's current GPU), "cuda:1" or a torch.device; or "reference",
                the slow pure-Python oracle. With `out`, where the array is.
            seed: an int in [0, 2**64), a `Stream`, or None, the default stream (see `fanin.seed`). The same int
                without a name gives the same words each time: two layers drawn so start equal. Give names.
            name: the parameter's name. It keys the draw, so that values depend neither on the order of calls nor on
                other parameters.
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
        return self._draw(shape, None, dtype, device, seed, name, out)

    def shard(self, shape: Shape, index: Index, dtype: DType | None = None, device: Device | None = None, *,
              seed: Seed | None = None, name: str | None = None, out: Any = None) -> Any:
        """Draw only `[index]` of the tensor of this shape: the same bits, in memory for that block.

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
        return self._draw(shape, (index,), dtype, device, seed, name, out)

    def describe(self, shape: Shape, dtype: DType = "float32") -> Any:
        """The plan behind a draw: sampler, mean and std of the values, fans. Printable, comparable, nothing is drawn.

        >>> from fanin import Registry
        >>> Registry.get("he_normal").describe((512, 256)).fan_in
        256
        """
        spec = TensorSpec(shape, dtype)
        return self._plan(spec.shape, spec.dtype)

    def _draw(self, shape, index, dtype, device, seed, name, out):
        # All that can be wrong is found before memory is allocated, a stream id is taken, or a byte is written.
        view = written = None
        if out is not None:
            view, written = _arrays.writable(out)
            if dtype is not None and as_dtype(dtype) != view.dtype:
                raise FaninTypeError(f"`dtype` must be that of `out`, {view.dtype.name}, or None (got {dtype!r})")
            dtype = view.dtype
        shape, dtype = check_shape(shape), as_dtype("float32" if dtype is None else dtype)
        if view is None:
            device = check_device(device)
        else:
            device = view.device if device is None else _arrays.place(device, view)  # numpy's is "cpu"
        source, name = check_source(seed), check_name(name)
        axes = indexing.whole(shape) if index is None else indexing.parse(index[0], shape)
        result = shape if index is None else indexing.result_shape(axes)
        if view is not None and view.shape != result:
            raise FaninValueError(f"`out` must have the shape of what is drawn, {result} (got {view.shape})")
        plan = self._plan(shape, dtype)
        if view is None and device == "cpu":
            view = out = _arrays.empty(result, dtype)
        elif view is None:
            out, view = _arrays.new(result, dtype, device)
        materialize(plan, take_key(source, name), device, view, axes)
        if written is not None:
            written()
        return out

    def _plan(self, shape, dtype):
        plans = self.__dict__.get("_plans")
        if plans is None or len(plans) > PLANS_KEPT:
            plans = self.__dict__["_plans"] = {}
        plan = plans.get((shape, dtype))
        if plan is None:
            plan = self.plan(TensorSpec(shape, dtype))
            if not hasattr(plan, "fan_in"):
                raise FaninTypeError(f"`plan` of {type(self).__name__} must return spec.draw(...) or another scheme's "
                                     f"plan(spec) (got {plan!r})")
            if (plan.shape, plan.dtype) != (shape, dtype):
                raise FaninValueError(f"`plan` of {type(self).__name__} must be for the spec that it was given, "
                                      f"{shape} {dtype.name} (got {plan!r})")
            plans[shape, dtype] = plan
        return plan

    # -- a scheme as data -----------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """A flat dict that JSON can hold: the scheme's name, the config's version, every constructor parameter.

        >>> from fanin import Normal
        >>> Normal(std=0.02).get_config()
        {'scheme': 'normal', 'version': 1, 'mean': 0.0, 'std': 0.02}
        """
        return {"scheme": _schemes.name_of(type(self)), "version": codec.VERSION,
                **{name: codec.encode(name, value) for name, value in parameters.values(self).items()}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The scheme that a config describes. Missing parameters take their defaults; no code in a config is run.

        Args:
            config: what `get_config` returned, also after a trip through JSON, YAML or OmegaConf.

        Raises:
            FaninKeyError: the scheme is not registered.
            FaninValueError: a parameter that the scheme does not have, or a config of a newer version.

        >>> from fanin import Initializer
        >>> Initializer.from_config({"scheme": "normal", "version": 1, "std": 0.02})
        Normal(mean=0.0, std=0.02)
        """
        if not isinstance(config, Mapping):
            raise FaninTypeError(f"`config` must be a dict (got {config!r}, a {type(config).__name__})")
        given = {name: value for name, value in config.items() if name not in ("scheme", "version")}
        found = cls
        if cls is Initializer or config.get("scheme", _schemes.name_of(cls)) != _schemes.name_of(cls):
            found = _schemes.require(config.get("scheme"))
        if not issubclass(found, cls):
            raise FaninValueError(f"`config` must describe a {cls.__name__} (got the scheme {config['scheme']!r})")
        version = config.get("version", codec.VERSION)
        if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= codec.VERSION:
            raise FaninValueError(f"`version` of a config must be {codec.VERSION} or older (got {version!r}): a "
                                  "newer fanin wrote it, upgrade to read it")
        known = parameters.defaults(found)
        unknown = [name for name in given if name not in known]
        if unknown:
            raise FaninValueError(f"`config` must hold only parameters of {_schemes.name_of(found)}, which are "
                                  f"{', '.join(known) or 'none'} (got {', '.join(map(repr, unknown))})")
        missing = [name for name, default in known.items() if default is parameters.REQUIRED and name not in given]
        if missing:
            raise FaninValueError(f"`config` must hold {', '.join(map(repr, missing))}, for which "
                                  f"{_schemes.name_of(found)} has no default (got {config!r:.200})")
        annotations = getattr(found.__init__, "__annotations__", {})
        return found(**{
            name: codec.decode(name, value, Initializer.from_config,
                                 "complex" in str(annotations.get(name)) or isinstance(known[name], complex))
            for name, value in given.items()})

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from . import pydantic as _pydantic  # only if pydantic asks

        return _pydantic.core_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema, handler):
        from . import pydantic as _pydantic

        return _pydantic.json_schema(cls, handler.mode)

    def replace(self, **changes: Any) -> Self:
        """A copy with some parameters changed.

        >>> from fanin import Normal
        >>> Normal(std=0.02).replace(mean=1.0)
        Normal(mean=1.0, std=0.02)
        """
        kept = parameters.values(self)
        unknown = [name for name in changes if name not in kept]
        if unknown:
            raise FaninTypeError(f"`replace` takes parameters of {type(self).__name__}, which are "
                                 f"{', '.join(kept) or 'none'} (got {', '.join(map(repr, unknown))})")
        return type(self)(**(kept | changes))

    def _value(self):
        # The config as text: compares NaN equal to itself, and arrays by dtype, shape and values.
        return json.dumps(self.get_config(), sort_keys=True)

    def __eq__(self, other):
        return self is other or self._value() == other._value() if type(other) is type(self) else NotImplemented

    def __hash__(self):
        return hash((type(self), self._value()))

    def __repr__(self):
        arguments = (f"{name}={codec.expression(value)}" for name, value in parameters.values(self).items())
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __setattr__(self, name, value):
        if name in self.__dict__:
            raise FaninAttributeError(f"`{name}` of a {type(self).__name__} can be set only once, by its constructor: "
                                      f"use replace({name}=...) to make another")
        object.__setattr__(self, name, value)

    def __delattr__(self, name):
        raise FaninAttributeError(f"`{name}` of a {type(self).__name__} can't be deleted: schemes are immutable")

    def __reduce__(self):
        # The class by name and the parameters: survives a parameter added later, and holds no compiled function.
        return _rebuild, (type(self), {"version": codec.VERSION, **parameters.values(self)})


def _rebuild(cls, config):
    """Unpickle. Classes, also those of parameters, are found by their qualified names: unregistered ones work too."""
    config = {name: value if name == "version" else codec.Decoded(value) for name, value in config.items()}
    return cls.from_config({**config, "scheme": _schemes.name_of(cls)})
