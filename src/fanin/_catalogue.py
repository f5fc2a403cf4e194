"""What a name means, for people: its formula, the paper it is from, its other names, and a picture of what it draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import FaninError, FaninTypeError
from ._initializers import Initializer, Registry
from ._initializers import parameters as _parameters
from ._plans.plan import is_elementwise
from ._report import Column, Content, Grid
from ._report.content import significant

if TYPE_CHECKING:
    from ._types import Array

_LARGEST = 2**18  # elements that are drawn for a picture
_ROWS, _BARS = 11, 40  # of a picture: lines, and the longest bar

# The beginning of a name, in its usual spelling -> where it is from.
PAPERS = {
    "he_": "He et al. 2015, arXiv 1502.01852", "kaiming": "He et al. 2015, arXiv 1502.01852",
    "glorot": "Glorot, Bengio, AISTATS 2010", "xavier": "Glorot, Bengio, AISTATS 2010",
    "lecun": "LeCun et al. 1998, Efficient backprop", "orthogonal": "Saxe et al. 2013, arXiv 1312.6120",
    "delta_orthogonal": "Xiao et al. 2018, arXiv 1806.05393",
    "convolution_orthogonal": "Xiao et al. 2018, arXiv 1806.05393",
    "dirac": "Zagoruyko, Komodakis 2017, arXiv 1706.00388",
    "scaled_orthogonal": "Yang et al. 2023, arXiv 2310.17813",
    "lstm_bias": "Jozefowicz et al., ICML 2015",
    "bilinear": "Long et al. 2015, arXiv 1411.4038",
    "icnr": "Aitken et al. 2017, arXiv 1707.02937", "chrono": "Tallec, Ollivier 2018, arXiv 1804.11188",
    "siren": "Sitzmann et al. 2020, arXiv 2006.09661",
    "sparse": "Martens, ICML 2010", "uniform_unit_scaling": "Sussillo, Abbott 2014, arXiv 1412.6558",
    "mamba2": "Dao, Gu 2024, arXiv 2405.21060", "mamba": "Gu, Dao 2023, arXiv 2312.00752",
    "log_uniform": "Gu et al. 2021, arXiv 2111.00396", "hippo": "Gu et al. 2020, arXiv 2008.07669",
    "s4d": "Gu et al. 2022, arXiv 2206.11893", "sinusoidal": "Vaswani et al. 2017, arXiv 1706.03762",
    "whisper_sinusoids": "Radford et al. 2022, arXiv 2212.04356",
}
# what the variance is divided by, and the factor that is left of it
_FANS = {"fan_in": ("fan_in", 1), "fan_out": ("fan_out", 1), "fan_avg": ("(fan_in + fan_out)", 2),
         "fan_geo_avg": ("√(fan_in·fan_out)", 1)}
# Names that need a parameter before they are a scheme.
_NEED = {"sparse": "in each column a share `sparsity` of the rows 0, the others N(0, 0.01²)",
         "constant": "all `value`", "array": "the given array, `value`",
         "variance_scaling": "variance `scale` by a fan, as `mode` and `distribution` say",
         "chrono": "an LSTM's bias: forget gate log U(1, `t_max` - 1), input gate minus that, others 0",
         "blocks": "each block of an axis by a scheme of its own, `inits`"}


def catalogue(profile: str | None) -> Content:
    """All names, with what they mean: in general, or in one framework."""
    rows = []
    for name in Registry.names(profile):
        try:
            meaning = formula(Registry.get(name, profile=profile))
        except FaninTypeError as error:  # it needs a parameter: the message says which
            meaning = _NEED.get(name, str(error))
        aliases = "" if profile else ", ".join(Registry.aliases(name))
        rows.append((name, meaning, aliases, paper(name)))
    columns = (Column("name", path=True), Column("meaning"), Column("aliases", spare=2), Column("paper", spare=1))
    used = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return Content("Names", grids=(Grid(tuple(columns[place] for place in used),
                                        tuple(tuple(row[place] for place in used) for row in rows)),), compact=True)


def entry(name: str, profile: str | None, scheme: Initializer, shape: tuple[int, ...] | None) -> Content:
    """One name: formula, paper, aliases, parameters, and for a shape what is drawn."""
    bare = name.rpartition(":")[2]
    aliases = Registry.aliases(name) if profile is None and bare == name else []
    facts = [("meaning", formula(scheme)), ("paper", paper(bare)), ("aliases", ", ".join(aliases)),
             *((key, str(value)) for key, value in list(scheme.get_config().items())[2:])]
    grids = [Grid((Column(type(scheme).__name__), Column("")), tuple(fact for fact in facts if fact[1]))]
    if shape is not None:
        plan = scheme.describe(shape)
        drawn = [(key, getattr(plan, key)) for key in ("distribution", "mean", "std", "fan_in", "fan_out")]
        grids.append(Grid((Column("shape"), Column(str(list(plan.shape)))),
                          tuple((key, _exact(value)) for key, value in drawn if value is not None)))
    return Content(name, grids=tuple(grids), notes=tuple(histogram(_sample(scheme, shape))), compact=True)


def formula(scheme: Initializer) -> str:
    """What a scheme draws, as one writes it.

    >>> formula(Registry.get("he_uniform")), formula(Registry.get("normal", std=0.02))
    ('U(±√(6/fan_in))', 'N(0, 0.02²)')
    """
    write = _FORMULAS.get(type(scheme).__name__)
    if write is not None:
        return write(_parameters.values(scheme))
    return (type(scheme).__doc__ or "").strip().partition("\n")[0]


def paper(name: str) -> str:
    """Where a name is from; the longest beginning that is known counts."""
    known = [start for start in PAPERS if name.startswith(start)]
    return PAPERS[max(known, key=len)] if known else ""


def histogram(values: Array | None) -> list[str]:
    """Lines of text: how many of the values lie where; none for a few values that occur again and again.

    >>> [line.rstrip("█") for line in histogram(np.linspace(0.0, 11.0, 12))][:3]
    [' 0.5 ', ' 1.5 ', ' 2.5 ']
    """
    if values is None or len(np.unique(values)) < _ROWS:
        return []
    low, high = np.quantile(values, [0.0005, 0.9995]) if values.size > 2000 else (values.min(), values.max())
    counts, edges = np.histogram(values, bins=_ROWS, range=(float(low), float(high)))
    centres = (edges[:-1] + edges[1:]) / 2
    middles = [significant(float(value) if abs(value) > 1e-3 * abs(edges[-1] - edges[0]) else 0.0) for value in centres]
    width = max(map(len, middles))
    return [f"{middle:>{width}} {'█' * math.ceil(count * _BARS / counts.max())}".rstrip()
            for middle, count in zip(middles, counts)]


def _sample(scheme: Initializer, shape: tuple[int, ...] | None) -> Array | None:
    """Some of what is drawn: for the shape, or for one that the scheme takes."""
    for each in [shape] if shape is not None else [(256, 256), (64, 64, 3, 3), (256,)]:
        try:
            plan: Any = scheme.describe(each)
            if math.prod(each) <= _LARGEST:
                return np.asarray(scheme(each, seed=0)).real.ravel()
            if is_elementwise(plan):
                rows = max(1, _LARGEST * each[0] // math.prod(each))
                return np.asarray(scheme.shard(each, slice(0, rows), seed=0)).real.ravel()
        except FaninError:  # another shape may do
            continue
    return None


def _exact(value: object) -> str:
    return f"{value:.8g}" if isinstance(value, float) else str(value)


# -- formulas: each takes the parameters ------------------------------------------------------------------------------


def _square(value: Any) -> str:
    return f"{value:g}²"


def _truncated(own: Mapping[str, Any]) -> str:
    unit = "σ" if own["bounds"] == "std" else ""
    return f"N({own['mean']:g}, {_square(own['std'])}) cut at {own['lower']:g}{unit} and {own['upper']:g}{unit}"


def _scaled(own: Mapping[str, Any]) -> str:
    fan, factor = _FANS[own["mode"]]
    if own["distribution"] == "uniform":
        return f"U(±√({3 * factor * own['scale']:.3g}/{fan}))"
    cut = " cut at 2σ, std made exact" if own["distribution"] == "truncated_normal" else ""
    return f"N(0, {factor * own['scale']:.3g}/{fan}){cut}"


def _constant(own: Mapping[str, Any]) -> str:
    return f"all {own['value']:g}" if np.ndim(own["value"]) == 0 else "the given array"


_PARTS = {"imag": "imaginary parts", "real": "real parts", "log": "logarithms of minus the real parts"}
_FORMULAS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "Constant": _constant,
    "Uniform": lambda own: f"U[{own['low']:g}, {own['high']:g})",
    "Normal": lambda own: f"N({own['mean']:g}, {_square(own['std'])})",
    "TruncatedNormal": _truncated,
    "VarianceScaling": _scaled,
    "Orthogonal": lambda own: f"{own['gain']:g}·Q, Q uniform among matrices with orthonormal rows or columns",
    "DeltaOrthogonal": lambda own: f"{own['gain']:g}·Q at the kernel's centre, 0 elsewhere, Q orthonormal",
    "ConvolutionOrthogonal": lambda own: f"a kernel that multiplies the norm of every signal by {own['gain']:g}",
    "Dirac": lambda own: "the identity at the kernel's centre, 0 elsewhere",
    "Sparse": lambda own: f"in each column {own['sparsity']:g} of the rows 0, the others N(0, {_square(own['std'])})",
    "Siren": lambda own: f"U(±√(6/fan_in)/{own['omega']:g})",
    "ICNR": lambda own: f"{formula(own['init'])}, each channel {own['upscale'] ** 2} times in a row",
    "Chrono": lambda own: f"forget gate log U(1, {own['t_max'] - 1:g}), input gate minus that, others 0",
    "LSTMBias": lambda own: f"forget gate {own['forget_bias']:g}, the other gates 0",
    "Bilinear": lambda own: "weights of linear interpolation between a channel and itself, 0 elsewhere",
    "SirenFirst": lambda own: "U(±1/fan_in)",
    "S4D": lambda own: f"the {_PARTS[own['part']]} of S4D-{own['variant'].capitalize()}'s diagonal A, along one axis",
    "Sinusoidal": lambda own: f"sines and cosines of position/t, t from 1 to {own['max_timescale']:g}"
                              f"{', in two halves' if own['halves'] else ', in turn'}",
    "Eye": lambda own: f"{own['gain']:g} on the diagonal, 0 elsewhere",
}
