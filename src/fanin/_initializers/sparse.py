"""Matrices with a fixed number of zeros in each column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from .._checks import MAX_RANK, fraction, integer, nonnegative
from .._checks import axis as check_axis
from .._errors import FaninValueError
from .._kernels.masks import kept, kept_params
from .base import Initializer
from .normal import draw_normal

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Sparse(Initializer):
    """N(0, std²), with exactly ceil(sparsity·rows) zeros in each column, at random rows.

    Args:
        sparsity: the fraction of zeros, between 0 and 1.
        std: finite, >= 0; of the elements that are not zero.
        axis: the axis that indexes the rows; every position on the other axes is a column. 0 is torch's choice.

    A random permutation of its rows says which elements of a column are zero. Its key is the words of block
    2**63 + column of the draw's seed and stream. So each subset of rows is equally likely, and any element can be drawn
    alone.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: rank 0, or an axis that doesn't
        exist.

    torch allows matrices only and, like Lux, counts zeros per column; MLX counts per row, Lasagne the elements that are
    not zero. torch draws the positions without regard to `generator`.

    Reference: Martens, "Deep learning via Hessian-free optimization", ICML 2010.

    >>> w = Sparse(0.9, std=0.01)((10, 4), seed=0, name="w")
    >>> (w == 0).sum(axis=0).tolist()
    [9, 9, 9, 9]
    """

    def __init__(self, sparsity: float, std: float = 0.01, axis: int = 0) -> None:
        self.sparsity: float = fraction("sparsity", sparsity)
        self.std: float = nonnegative("std", std)
        self.axis: int = integer("axis", axis, -MAX_RANK, MAX_RANK - 1)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_floating("Sparse")
        if spec.ndim == 0:
            raise FaninValueError("`shape` must have at least 1 dimension for Sparse (got ())")
        axis = check_axis(self.axis, spec.ndim)
        rows = spec.shape[axis]
        if rows >= 2**32:
            raise FaninValueError(f"`shape` must have fewer than 2**32 rows for Sparse (got {rows} along axis {axis})")
        zeros = math.ceil(self.sparsity * rows)
        whole = draw_normal(spec, 0.0, self.std)
        if zeros == 0 or spec.size == 0 or self.std == 0:
            return whole
        return whole._replace(mask=kept, mask_params=tuple(kept_params(spec.shape, axis, zeros)),
                              std=self.std * math.sqrt(1 - zeros / rows))
