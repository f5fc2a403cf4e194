"""The bias of an LSTM that is to remember for a known time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from .._checks import finite
from .._errors import FaninValueError
from .._kernels.samplers import sampler
from .._plans.spec import TensorSpec
from .base import Initializer
from .logarithmic import LogOfUniform, log_of_uniform

if TYPE_CHECKING:
    from .._plans.plan import Plan


class Chrono(Initializer):
    """An LSTM's bias (4h,): forget gate log U(1, t_max - 1), input gate minus that, cell and output gate 0.

    Args:
        t_max: finite, >= 2; the longest time, in steps, over which the network is to remember. 2 gives zeros.

    The gates lie in the order input, forget, cell, output, as in torch and Keras. With b the forget gate's bias, which
    is `LogOfUniform(1, t_max - 1)` of shape h with the same seed and name, a unit forgets within about 1 + exp(b)
    steps: between 2 and t_max ones.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: an integer or complex dtype, or a
            shape that is not (4h,).

    torch's LSTM adds up two biases, `bias_ih` and `bias_hh`: give one of them zeros. Keras' has one. flax has a bias
    for each gate: `LogOfUniform` is the forget gate's.

    Reference: Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, arXiv 1804.11188.

    >>> import numpy as np
    >>> b = Chrono(100)(4 * 64, seed=0, name="lstm.bias_ih_l0")
    >>> incoming, forget = b[:64], b[64:128]
    >>> bool((incoming == -forget).all()), bool((forget <= np.log(np.float32(99))).all()), bool(b[128:].any())
    (True, True, False)
    """

    def __init__(self, t_max: float) -> None:
        self.t_max: float = finite("t_max", t_max)
        if self.t_max < 2:
            raise FaninValueError(f"`t_max` must be >= 2 (got {t_max!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_real("Chrono")
        if spec.ndim != 1 or spec.size % 4:
            raise FaninValueError(f"`shape` must be (4h,), four gates of h units, for Chrono (got {spec.shape})")
        if self.t_max == 2:
            return spec.fill(0.0, mean=0.0)
        gate = TensorSpec(spec.size // 4, spec.dtype)
        forget = LogOfUniform(1.0, self.t_max - 1).plan(gate)
        incoming = gate.draw(minus_log_of_uniform, *forget.params, mean=-(forget.mean or 0.0), std=forget.std)
        zeros = gate.fill(0.0, mean=0.0)
        return spec.twins(0, [incoming, forget, zeros, zeros], interleaved=False)


@sampler
def minus_log_of_uniform(u: Any, low: Any, width: Any, smallest: Any, biggest: Any) -> Any:
    """The negative of what `log_of_uniform` makes of the same u."""
    return -log_of_uniform(u, low, width, smallest, biggest)
