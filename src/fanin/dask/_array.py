"""`array`: a tensor whose parts are drawn by the tasks of a Dask graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
from dask.base import tokenize

from .._checks import shape as check_shape
from .._dtypes import as_dtype
from .._errors import FaninTypeError, FaninValueError, a_type, shown
from .._initializers import Initializer, Registry
from .._seeding import Key, Stream, check_name, check_source, take_key

if TYPE_CHECKING:
    from .._types import DType, Seed, Shape


def array(init: str | dict[str, Any] | Initializer, shape: Shape, chunks: Any = "auto", *, dtype: DType | None = None,
          seed: Seed | None = None, name: str | None = None) -> dask.array.Array:
    """Make a Dask array with the values of `init(shape, dtype, seed=seed, name=name)`; each task draws only its part.

    The values depend neither on the chunks nor on the scheduler: threads, processes and clusters compute the same bits
    as the scheme itself. (Orthogonal schemes: within 1e-5·gain, 1e-13·gain for 8-byte numbers.) The graph holds the
    scheme and where each chunk lies, no data. `x[5]` or `x[:, ::10]` draws the elements asked for, not whole chunks
    (from Dask 2025.1 on). Other threads help in each of Dask's; there is one team of them for all.

    Args:
        init: a scheme, a name (`Registry.get`), or a scheme's config.
        shape: of the whole tensor: an int or a sequence of ints >= 0.
        chunks: as in `dask.array`: "auto", an int, a tuple, a dict from axis to size, … All sizes must be known. Give
            an Orthogonal as few chunks as memory allows, and split one axis only: each chunk repeats part of the
            whole's work, since no element stands alone.
        dtype: float32 by default; any that the scheme draws, bfloat16 and complex types included.
        seed: an int in [0, 2**64), a `Stream`, or None, the default stream. An unnamed array takes one stream id, when
            it is made: all of its chunks, also when they are computed again, belong to the one draw.
        name: the parameter's name, which keys the draw. (It is not the name of Dask's keys. Those are made of all of
            the arguments, so arrays that are equal share their keys.)

    Returns:
        A `dask.array.Array`, whose `meta` is given: nothing is drawn until something is computed.

    Raises:
        FaninValueError, FaninTypeError: an argument, or what the scheme would draw, is not possible; no stream has
            moved.
        FaninKeyError: `init` names nothing that is known.
        FaninImportError: Dask is not installed (when `fanin.dask` is imported).

    Differs from `dask.array.random`, whose values change with the chunks.

    >>> import fanin, fanin.dask
    >>> x = fanin.dask.array("he_normal", (6, 4), chunks=(4, 3), seed=0, name="w")
    >>> x.chunks
    ((4, 2), (3, 1))
    >>> bool((x.compute() == fanin.Registry.get("he_normal")((6, 4), seed=0, name="w")).all())
    True
    """
    if not isinstance(init, (str, dict, Initializer)):
        raise FaninTypeError(f"`init` must be a scheme, a name or a config (got {shown(init, 100)}, {a_type(init)})")
    scheme, dims = Registry.get(init), check_shape(shape)
    dtype = as_dtype("float32" if dtype is None else dtype)
    scheme.describe(dims, dtype)  # a plan finds all that can be wrong with a draw
    source, name = check_source(seed), check_name(name)
    chunks = _chunks(chunks, dims, dtype)
    drawn = _Drawn(scheme, dims, dtype, take_key(source, name), name)
    # Dask treats an object that can be indexed as a file: a task is the object and a slice, later slices are merged
    # into it, and the object is small enough to travel with each task.
    return dask.array.from_array(drawn, chunks, name=f"fanin-{tokenize(drawn, chunks)}", inline_array=True,
                                 meta=np.empty((0,) * len(dims), dtype))


def _chunks(chunks: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Each axis' chunk sizes, by Dask's rules; its messages don't name the argument."""
    try:
        sizes = dask.array.core.normalize_chunks(chunks, shape, dtype=dtype)
    except Exception as error:  # of any type, ZeroDivisionError too
        raise FaninValueError(f"`chunks` must divide the shape {shape} as dask.array's do (got {shown(chunks)}): "
                              f"{error}") from None
    if not all(size >= 0 for axis in sizes for size in axis):  # nor NaN, Dask's sign of a size that isn't known
        raise FaninValueError(f"`chunks` must hold known sizes >= 0: a chunk's place says what is drawn there (got "
                              f"{shown(chunks)})")
    return sizes


class _Drawn:
    """A tensor that exists element by element: what is read from it is drawn. Dask's notion of an array-like."""

    __slots__ = ("_init", "_key", "_name", "dtype", "shape")

    def __init__(self, init: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any], key: Key, name: str | None
                 ) -> None:
        self._init, self.shape, self.dtype, self._key, self._name = init, shape, dtype, key, name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, index: Any) -> Any:
        # A stream stands at one position: the draw's, which a new one takes again. Named draws use its seed alone.
        seed = Stream(self._key.seed, 0 if self._name is not None else self._key.stream)
        return self._init.shard(self.shape, index, self.dtype, seed=seed, name=self._name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Drawn, (self._init, self.shape, self.dtype, self._key, self._name)

    def __dask_tokenize__(self) -> Any:
        # by the class, too: one that is defined anew in a notebook has the same config and may draw something else
        return tokenize(type(self._init), self._init.get_config(), self.shape, self.dtype.name, tuple(self._key))
