"""Convolutions before a sub-pixel layer: one kernel for all pixels that a channel becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from .._checks import integer
from .._errors import FaninError, FaninValueError
from .._plans.fans import check_layout, roles
from .base import Initializer
from .registry import Registry

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec

MAX_UPSCALE = 256  # copies are drawn one by one


class ICNR(Initializer):
    """out/upscale² channels of another scheme, each upscale² times in a row: enlarges images without checkerboards.

    Args:
        upscale: int from 1 to 256; how many times as high and wide the sub-pixel layer makes an image.
        init: the scheme of the out/upscale² channels: an `Initializer`, a name, a table or a config.
        layout: the role of each axis, as in `VarianceScaling`, with one o; that of `init`, where it has one.

    w[c] = v[c // upscale²] along the output axis, v what `init` draws for the smaller shape, with the same seed and
    name; fans are those of that shape. A sub-pixel layer then starts as a convolution and a nearest-neighbour resize.

    Raises:
        FaninTypeError, FaninValueError, FaninKeyError: a parameter that is no such number, scheme or layout; when
            drawn: a number of outputs that upscale² doesn't divide, an `init` whose outputs are on another axis, or
            what `init` refuses.

    This is the order of torch's PixelShuffle, which takes upscale² neighbouring channels for each of its own.
    TensorFlow's depth_to_space takes channels that lie out/upscale² apart, and is not served.

    Reference: Aitken et al., "Checkerboard artifact free sub-pixel convolution", arXiv 1707.02937.

    >>> w = ICNR(2)((8, 3, 3, 3), seed=0, name="w")
    >>> bool((w[0] == w[3]).all()), bool((w[3] == w[4]).all())
    (True, False)
    >>> last = ICNR(2, "jax:he_normal", layout="*io")  # of JAX and flax: (*kernel, in, out)
    >>> last.describe((3, 3, 16, 8)).fan_in
    144
    """

    def __init__(self, upscale: int = 2, init: Initializer | str | Mapping[str, Any] = "kaiming_normal",
                 layout: str = "oi*") -> None:
        self.upscale: int = integer("upscale", upscale, 1, MAX_UPSCALE)
        self.init: Initializer = _scheme(init)
        self.layout: str = check_layout(layout)
        if self.layout.count("o") != 1:
            raise FaninValueError(f"`layout` must have one o for ICNR (got {layout!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        axis = roles(self.layout, spec.ndim).index("o")
        self._check_outputs_of_init(axis, spec.ndim)
        copies = self.upscale**2
        channels, rest = divmod(spec.shape[axis], copies)
        if rest:
            raise FaninValueError(f"`shape` must have a multiple of upscale² = {copies} on its output axis {axis} for "
                                  f"ICNR (got {spec.shape})")
        try:
            drawn = self.init.describe((*spec.shape[:axis], channels, *spec.shape[axis + 1:]), spec.dtype)
        except FaninError as error:
            raise type(error)(f"`init` of ICNR: {error}") from None
        return spec.twins(axis, [drawn] * copies, interleaved=True)

    def _check_outputs_of_init(self, axis: int, rank: int) -> None:
        layout = getattr(self.init, "layout", None)
        if isinstance(layout, str) and roles(layout, rank).find("o") != axis:
            raise FaninValueError(f"`layout` of ICNR and of its `init` must have the outputs on the same axis (got "
                                  f"{self.layout!r} and {layout!r}): give both the same")


def _scheme(init: Any) -> Initializer:
    try:
        return Registry.get(init)
    except FaninError as error:
        raise type(error)(f"`init` of ICNR: {error}") from None
