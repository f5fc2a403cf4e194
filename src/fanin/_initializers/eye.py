"""Rectangular identities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from .._checks import finite_number
from .._errors import FaninValueError
from .._kernels.masks import diagonal, diagonal_params
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Eye(Initializer):
    """gain where row equals column, zero elsewhere.

    Args:
        gain: a finite real or complex number.

    The matrix may be rectangular, and of any dtype, also integers and bool.

    Raises:
        FaninTypeError, FaninValueError: gain is not such a number; when drawn: the shape is not a matrix's, or the
            dtype cannot hold gain.

    Keras' `Identity` is the same, and loses its gain when it is saved; Chainer and MLX take square shapes only.

    >>> Eye(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float | complex = 1.0) -> None:
        self.gain: float | complex = finite_number("gain", gain)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        if spec.ndim != 2:
            raise FaninValueError(f"`shape` must have 2 dimensions for Eye (got {spec.shape}): use Dirac for a "
                                  "convolution")
        if spec.size == 0:
            return spec.fill(0)
        return spec.fill(self.gain, mask=diagonal, mask_params=diagonal_params(spec.shape), std=None, name="gain")
