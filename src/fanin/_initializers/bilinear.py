"""Transposed convolutions that enlarge by linear interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from .._errors import FaninValueError
from .._kernels.tables import interpolation, interpolation_params
from .._plans.fans import check_layout, roles
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Bilinear(Initializer):
    """The transposed convolution that enlarges each channel by linear interpolation: (in, out, *kernel) in torch.

    Args:
        layout: the role of each axis, as in `VarianceScaling`, with one o and one i: "io*" in torch, "*oi" in Keras.

    w[c, c, x, y] = t(x)·t(y), zero between other channels, with t(x) = 1 - |x - (k - 1)/2|/f and f = ⌈k/2⌉ for a
    kernel axis of length k, of which there are one to three. A stride of f then enlarges f times, and the weights that
    reach a pixel sum to 1; at the edges of an image, zeros from outside are mixed in. With k = 2f - f mod 2 and padding
    f//2 it is the usual resize away from the edges: torch's `interpolate(scale_factor=f, mode="bilinear")`.

    The out axis has as many channels as the in axis, or a divisor of it for a grouped convolution, whose weight is
    (in, out/groups, *kernel): (channels, 1, *kernel) enlarges each channel by itself. No randomness.

    Raises:
        FaninTypeError, FaninValueError: a layout without one o and one i; when drawn: a shape with none or over three
            kernel axes, or whose out axis doesn't divide its in axis; a dtype that is not real.

    Chainer's UpsamplingDeconvFilter is the same. Caffe, MXNet and Paddle fill all pairs of channels: each output is
    then the sum of all inputs, unless each channel has a group of its own. MXNet's and Paddle's kernel is not symmetric
    where k mod 4 is 2 or 3.

    Reference: Long, Shelhamer, Darrell, "Fully convolutional networks", CVPR 2015, arXiv 1411.4038, section 3.3.

    >>> Bilinear()((1, 1, 4)).tolist()
    [[[0.25, 0.75, 0.75, 0.25]]]
    >>> Bilinear()((2, 2, 3))[:, 1].tolist()
    [[0.0, 0.0, 0.0], [0.5, 1.0, 0.5]]
    """

    def __init__(self, layout: str = "io*") -> None:
        self.layout: str = check_layout(layout)
        if sorted(self.layout.replace("*", "")) != ["i", "o"] or "*" not in self.layout:
            raise FaninValueError(f"`layout` must have one o, one i and a * for Bilinear (got {layout!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_real("Bilinear")
        axes = roles(self.layout, spec.ndim)
        if not 1 <= axes.count("*") <= 3:
            raise FaninValueError(f"`shape` must have one to three kernel axes for Bilinear (got {spec.shape} for "
                                  f"layout {self.layout!r})")
        if spec.size == 0:
            return spec.fill(0.0)
        out, channels = spec.shape[axes.index("o")], spec.shape[axes.index("i")]
        if channels % out:
            raise FaninValueError(f"`shape` must have an out axis that divides its in axis for Bilinear, which keeps "
                                  f"channels apart (got {out} and {channels} in {spec.shape} for layout "
                                  f"{self.layout!r})")
        return spec.tabulate(interpolation, *interpolation_params(spec.shape, axes))
