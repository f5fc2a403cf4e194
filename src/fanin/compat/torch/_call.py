"""One call of a function: it draws fanin's numbers, or under a `Generator` torch's, into an array or a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..._checks import shape as check_shape
from ..._dtypes import as_dtype, is_complex
from ..._errors import FaninTypeError, FaninValueError
from ..._graphs import outside_graphs
from ..._plans import indexing
from .._shared.errors import TorchTypeError, TorchValueError
from .._shared.system import System
from ._generator import replayed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._initializers import Initializer
    from ..._types import Array, Dims, Index, Shape
    from .._shared.types import Generator, T
    from ._laws import Normal, Uniform
    from ._state import State

system = System("torch", "tensor", {"low": "a", "high": "b", "lower": "a", "upper": "b", "value": "val",
                                    "scale": "gain"}, TorchValueError, TorchTypeError)


class Law(Protocol):
    """What torch draws, with its parameters. A law that doesn't suit every array has a `check(dtype)` too."""

    def write(self, state: State, view: Array) -> None:
        """Fill an array."""


class Whole(NamedTuple):
    """The tensor that a call draws, of which the given one may be a part."""

    shape: Dims
    part: Index | None


def whole_of(tensor: Any, index: Index | None, shape: Shape | None) -> Whole:
    """What `index=` and `shape=` say, against the tensor that was given."""
    given = system.shape_of(tensor)
    if index is None and shape is None:
        return Whole(given, None)
    if index is None or shape is None:
        raise FaninTypeError(f"`{'shape' if shape is None else 'index'}` must be given too (got only "
                             f"{'index' if shape is None else 'shape'}=): `shape` is that of the whole tensor, and "
                             "`index` says which part of it `tensor` is")
    whole = check_shape(shape)
    part = indexing.result_shape(indexing.parse(index, whole))
    if part != given:
        raise FaninValueError(f"`tensor` must have the shape of what `index` selects, {part} (got {given})")
    return Whole(whole, index)


@outside_graphs
def fill(tensor: T, scheme: Initializer, law: Law, generator: Generator) -> T:
    """Fill a tensor with a scheme's draw, or under a `Generator` with torch's draw of a law."""
    found = replayed(generator)
    if found is None:
        return system.fill(tensor, scheme, generator)
    opened = _open(tensor, scheme, system.shape_of(tensor))
    if opened is not None:
        view, written = opened
        if hasattr(law, "check"):
            law.check(view.dtype)
        with found.opened() as state:
            law.write(state, view)
        written()
    return tensor


@outside_graphs
def fill_part(tensor: T, scheme: Initializer, law: Uniform | Normal, generator: Generator, whole: Whole) -> T:
    """Fill a tensor that may be a part of a whole one."""
    if whole.part is None:
        return fill(tensor, scheme, law, generator)
    found = replayed(generator)
    if found is None:
        return system.fill(tensor, scheme, generator, (whole.shape, whole.part))
    opened = _open(tensor, scheme, whole.shape)
    if opened is not None:
        view, written = opened
        with found.opened() as state:
            law.write_part(state, whole.shape, indexing.parse(whole.part, whole.shape), view)
        written()
    return tensor


def _open(tensor: Any, scheme: Initializer, shape: Dims) -> tuple[Array, Callable[[], None]] | None:
    """A numpy view to fill, and what to call then; None for a tensor without memory. All else is refused."""
    opened = system.opened(tensor, scheme, shape)
    if is_complex(opened[0].dtype if opened else as_dtype(tensor.dtype)):
        raise TorchTypeError("`tensor` must be of a real dtype under a fanin.compat.torch.Generator (got "
                             f"{tensor.dtype}): draw its two parts, or without one, by fanin's own law")
    if opened and not isinstance(opened[0], np.ndarray):
        raise TorchValueError("`tensor` must be on the CPU under a fanin.compat.torch.Generator (got one on "
                              f"{tensor.device}): fill one there and move it")
    return opened
