"""The bias of an LSTM: a forget gate that lets memory pass, for a known time or at all."""

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


class LSTMBias(Initializer):
    """An LSTM's bias (4h,): the forget gate's all `forget_bias`, that of the other gates 0.

    Args:
        forget_bias: finite; 1 keeps 73 % of a unit's memory in each step, 0 keeps half.

    The gates lie in the order input, forget, cell, output, as in torch, Keras and MXNet. Any dtype.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: a shape that is not (4h,).

    torch's LSTM adds up two biases, `bias_ih` and `bias_hh`: give one of them zeros. Its own start is a uniform one.
    Keras' `unit_forget_bias=True` is this, and so is MXNet's LSTMBias.

    Reference: Gers, Schmidhuber, Cummins, "Learning to forget", 2000; Jozefowicz et al., "An empirical exploration of
    recurrent network architectures", ICML 2015.

    >>> LSTMBias()(8).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """

    def __init__(self, forget_bias: float = 1.0) -> None:
        self.forget_bias: float = finite("forget_bias", forget_bias)

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        gate = _gate(spec, "LSTMBias")
        zeros = gate.fill(0.0, mean=0.0)
        return spec.blocks(0, [zeros, gate.fill(self.forget_bias, mean=self.forget_bias), zeros, zeros])


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
        gate = _gate(spec, "Chrono")
        if self.t_max == 2:
            return spec.fill(0.0, mean=0.0)
        forget = LogOfUniform(1.0, self.t_max - 1).plan(gate)
        incoming = gate.draw(minus_log_of_uniform, *forget.params, mean=-(forget.mean or 0.0), std=forget.std)
        zeros = gate.fill(0.0, mean=0.0)
        return spec.twins(0, [incoming, forget, zeros, zeros], interleaved=False)


def _gate(spec: TensorSpec, scheme: str) -> TensorSpec:
    """What one of the four gates is planned for."""
    if spec.ndim != 1 or spec.size % 4:
        raise FaninValueError(f"`shape` must be (4h,), four gates of h units, for {scheme} (got {spec.shape})")
    return TensorSpec(spec.size // 4, spec.dtype)


@sampler
def minus_log_of_uniform(u: Any, low: Any, width: Any, smallest: Any, biggest: Any) -> Any:
    """The negative of what `log_of_uniform` makes of the same u."""
    return -log_of_uniform(u, low, width, smallest, biggest)
