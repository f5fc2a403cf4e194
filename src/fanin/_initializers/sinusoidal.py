"""Positions as sines and cosines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from .._checks import finite, flag
from .._errors import FaninValueError
from .._kernels.permutation import as_divisor
from .._kernels.tables import sinusoid_halves, sinusoid_interleaved
from ..math import log
from .base import Initializer

if TYPE_CHECKING:
    from .._plans.plan import Plan
    from .._plans.spec import TensorSpec


class Sinusoidal(Initializer):
    """The Transformer's table of positions: sin(p/t_j) and cos(p/t_j) in row p, for timescales t_j from 1 upwards.

    Args:
        max_timescale: finite, > 0; what the timescales grow towards.
        halves: False: pair j lies in channels 2j and 2j + 1; True: all sines come first, then all cosines.
        endpoint: whether the last timescale is max_timescale itself, as of numpy.geomspace.

    The last axis is the d channels, the one before it the positions 0, 1, …; any axes before these repeat the table.
    t_j = max_timescale**(2j/d); with `endpoint` max_timescale**(j/(m - 1)) for m timescales, 1 if m = 1. An odd number
    of channels ends with a sine, or with `halves` in a channel of zeros. Computed in float64 and rounded once: within
    p·4e-15 + 1e-15 of the formula, beside the rounding. No randomness.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when drawn: rank below 2, or a dtype that is not
            real.

    The paper's table is the default; XLM and DistilBERT have it. tensor2tensor, fairseq and Whisper have halves and an
    endpoint (the preset `whisper_sinusoids`), Pegasus and Marian halves alone. They compute in float32: Whisper's table
    in torch is off by 1e-4 at position 1500. fairseq's row of padding is zero; Blocks make such a row.

    Reference: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.

    >>> import fanin
    >>> fanin.Sinusoidal()((3, 4)).round(2).tolist()[2]
    [0.9100000262260437, -0.41999998688697815, 0.019999999552965164, 1.0]
    >>> bool((fanin.Sinusoidal(halves=True)((3, 4))[:, ::2] == fanin.Sinusoidal()((3, 4))[:, :2]).all())
    True
    """

    def __init__(self, max_timescale: float = 10000.0, halves: bool = False, endpoint: bool = False) -> None:
        self.max_timescale: float = finite("max_timescale", max_timescale)
        self.halves: bool = flag("halves", halves)
        self.endpoint: bool = flag("endpoint", endpoint)
        if self.max_timescale <= 0:
            raise FaninValueError(f"`max_timescale` must be > 0 (got {max_timescale!r})")

    @override
    def plan(self, spec: TensorSpec) -> Plan:
        spec.require_real("Sinusoidal")
        if spec.ndim < 2:
            raise FaninValueError("`shape` must have at least 2 dimensions for Sinusoidal, positions and channels (got "
                                  f"{spec.shape})")
        positions, channels = spec.shape[-2:]
        waves = channels // 2 if self.halves else (channels + 1) // 2
        steps = max(waves - 1, 1) if self.endpoint else max(channels, 1) / 2  # down to 1/max_timescale
        return spec.tabulate(sinusoid_halves if self.halves else sinusoid_interleaved,
                             *as_divisor(positions), *as_divisor(channels),
                             np.float64(log(self.max_timescale) / steps))
