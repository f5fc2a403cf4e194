"""What all the classes share: drawing with a fanin scheme, and the random ones' seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._checks import shape as check_shape
from ..._dtypes import COMPLEX, FLOATING, is_floating
from ..._errors import FaninValueError
from .._shared.system import System
from . import _link, _replay, _seeds

if TYPE_CHECKING:
    import numpy as np

    from ..._initializers import Initializer as Scheme
    from ..._seeding import Stream
    from ..._types import Dims, DType, Shape

KERAS = System("keras", "shape", {"std": "stddev", "low": "minval", "high": "maxval"})


class Drawn(_link.Initializer):
    """An initializer whose values are one of fanin's schemes. A subclass says which in `_scheme`."""

    _source: Any = 0  # what the draw takes its words from; constants need none

    def __call__(self, shape: Shape, dtype: DType | None = None) -> Any:
        """Draw a tensor.

        Args:
            shape: an int or a sequence of ints >= 0.
            dtype: a name, a numpy dtype, or one of Keras' backend; None is `keras.config.floatx()`, float32 unless it
                was changed.

        Returns:
            A tensor of Keras' backend where Keras is installed, else a numpy array. Never a traced value: fanin draws
            on the host, and under `jax.jit` the result is a constant.

        Raises:
            FaninTypeError, FaninValueError: a shape or dtype for which there is nothing to draw. No seed was taken.
        """
        dims, number = check_shape(shape), _link.standardize_dtype(dtype)
        return _link.tensor(KERAS.new(dims, number, self._scheme(dims, number), self._source))

    def _scheme(self, shape: Dims, dtype: np.dtype[Any]) -> Scheme:
        raise NotImplementedError

    def __repr__(self) -> str:
        arguments = (f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({', '.join(arguments)})"


class RandomInitializer(Drawn):
    """An initializer that draws random numbers, from `seed`: fanin's, or Keras' own on `backend`."""

    def __init__(self, seed: Any = None, backend: _replay.Backend | None = None) -> None:
        self._init_seed = _seeds.check(seed)
        self.seed: Any = _link.default_seed() if seed is None else self._init_seed
        self.backend: _replay.Backend | None = _replay.check_backend(backend)
        if self.backend is not None:
            self.seed = _seeds.check_words(self.seed % 2**32 if seed is None else self.seed)

    @property
    def _source(self) -> int | Stream:
        return _seeds.source(self.seed)

    def __call__(self, shape: Shape, dtype: DType | None = None) -> Any:
        number = _link.standardize_dtype(dtype)
        if not is_floating(number):
            raise FaninValueError(f"`dtype` must be a floating-point type for {type(self).__name__} (got "
                                  f"{number.name}): one of {', '.join(FLOATING + COMPLEX)}")
        if self.backend is None:
            return super().__call__(shape, number.name)
        dims = check_shape(shape)
        return _link.tensor(_replay.draw(self.backend, self._law(dims), dims, number, _seeds.words(self.seed)))

    def _law(self, shape: Dims) -> _replay.Law:
        """What Keras asks its backend for."""
        raise NotImplementedError

    __call__.__doc__ = Drawn.__call__.__doc__

    def get_config(self) -> dict[str, Any]:
        """The arguments, as a dict that JSON can hold: a SeedGenerator as Keras writes it; None stays None.

        A `backend`, which Keras doesn't know, is in it only if one was given.
        """
        seed = {"seed": _seeds.config(self._init_seed)}
        return seed if self.backend is None else {**seed, "backend": self.backend}


def number(value: Any) -> Any:
    """A Python number for a scalar tensor, which Keras takes too; all else as it is."""
    if _link.is_tensor(value) and getattr(value, "shape", None) == ():
        return _link.as_numpy(value).item()
    return value
