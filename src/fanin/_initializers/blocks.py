"""Blocks along an axis, with a scheme each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from .._checks import MAX_ELEMENTS, MAX_RANK, integer
from .._checks import axis as check_axis
from .._errors import FaninError, FaninTypeError, FaninValueError, a_type, shown
from .base import Initializer
from .registry import Registry

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec
    from .._types import Dims


class Blocks(Initializer):
    """A scheme for each block of an axis: the parts of a fused QKV weight, an LSTM's gates, an embedding's zero row.

    Args:
        inits: the blocks' schemes in order, at least one: each an `Initializer`, a name, a table such as {"name":
            "normal", "std": 0.02}, or a config; a `Blocks` too.
        axis: the axis that is divided; counted from the end when negative.
        sizes: an int for each block, its size along the axis. None: equal parts. If one of them is -1, the others are
            lengths, and -1 takes the rest. Otherwise they are shares: the axis must be a whole multiple of their sum.

    Each block is drawn for its own shape, so its fans are its own. Its elements use the random words that they have in
    the whole tensor. So blocks that all have the same scheme, one without fans, are that scheme's whole tensor, and a
    zero row leaves the other rows as they were. This holds for all but the orthogonal schemes, ICNR, Chrono and Sparse.
    A block of these counts as a separate tensor, with the stream id BLAKE2b(stream id, number of the block), 8 bytes
    each, and its top bit set.

    Raises:
        FaninTypeError, FaninValueError, FaninKeyError: a parameter that is no such list, axis or size; when drawn: an
            axis that doesn't exist or can't be divided so, or what a block's scheme refuses.

    Other systems slice the tensor and fill the slices one by one, each from wherever the generator stands. torch's
    `xavier_uniform_` takes a fused (3E, E) projection as one matrix, whose fans make q, k and v 1/√2 as wide.

    >>> Blocks(["zeros", "ones", "zeros", "zeros"])(8)  # an LSTM's bias, the forget gate's at 1
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    >>> rows = Blocks(["zeros", {"name": "normal", "std": 0.02}], sizes=[1, -1])  # an embedding's padding row 0
    >>> w = rows((1000, 64), seed=0, name="wte")
    >>> bool((w[0] == 0).all()), round(float(w[1:].std()), 3)
    (True, 0.02)
    >>> qkv = Blocks(["xavier_uniform"] * 3, sizes=[4, 1, 1])  # four query heads for each key and value head
    >>> [block.fan_out for block in qkv.describe((768, 512)).plans]
    [512, 128, 128]
    """

    def __init__(self, inits: Sequence[Initializer | str | Mapping[str, Any]], axis: int = 0,
                 sizes: Sequence[int] | None = None) -> None:
        self.inits: tuple[Initializer, ...] = _schemes(inits)
        self.axis: int = integer("axis", axis, -MAX_RANK, MAX_RANK - 1)
        self.sizes: tuple[int, ...] | None = None if sizes is None else _sizes(sizes, len(self.inits))

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        if spec.ndim == 0:
            raise FaninValueError("`shape` must have at least 1 dimension for Blocks (got ())")
        axis = check_axis(self.axis, spec.ndim)
        plans = []
        for number, (init, length) in enumerate(zip(self.inits, self._lengths(spec.shape, axis), strict=True)):
            try:
                plans.append(init.describe((*spec.shape[:axis], length, *spec.shape[axis + 1:]), spec.dtype))
            except FaninError as error:
                raise type(error)(f"block {number} of `inits`: {error}") from None
        return spec.blocks(axis, plans)

    def _lengths(self, shape: Dims, axis: int) -> list[int]:
        sizes, dim = self.sizes or (1,) * len(self.inits), shape[axis]
        if -1 in sizes:
            left = dim - (sum(sizes) + 1)
            if left < 0:
                raise FaninValueError(f"`sizes` must fit into axis {axis} of shape {shape} (got {list(sizes)} for "
                                      f"{dim})")
            return [left if size == -1 else size for size in sizes]
        unit, rest = divmod(dim, sum(sizes))
        if rest:
            raise FaninValueError(f"`sizes` must be shares of axis {axis}, a multiple of their sum {sum(sizes)} (got "
                                  f"{list(sizes)} for {dim} in shape {shape}): -1 for one of them takes what is left")
        return [unit * size for size in sizes]


def _schemes(inits: Any) -> tuple[Initializer, ...]:
    if isinstance(inits, (str, bytes, Mapping, Initializer)) or not hasattr(inits, "__iter__"):
        raise FaninTypeError(f"`inits` must be a list of schemes (got {shown(inits, 100)}, {a_type(inits)})")
    schemes = []
    for number, init in enumerate(inits):
        try:
            schemes.append(Registry.get(init))
        except FaninError as error:
            raise type(error)(f"block {number} of `inits`: {error}") from None
    if not schemes:
        raise FaninValueError("`inits` must hold at least one scheme (got none)")
    return tuple(schemes)


def _sizes(sizes: Any, count: int) -> tuple[int, ...]:
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
        raise FaninTypeError(f"`sizes` must be a list of ints or None (got {shown(sizes)})")
    sizes = tuple(integer("sizes", size, -1, MAX_ELEMENTS) for size in sizes)
    if len(sizes) != count:
        raise FaninValueError(f"`sizes` must have an int for each of the {count} `inits` (got {list(sizes)})")
    if sizes.count(-1) > 1:
        raise FaninValueError(f"`sizes` must have at most one -1, which takes what is left (got {list(sizes)})")
    if sum(sizes) == 0 and -1 not in sizes:
        raise FaninValueError(f"`sizes` must not all be 0 (got {list(sizes)})")
    return sizes
