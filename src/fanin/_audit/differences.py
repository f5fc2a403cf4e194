"""What rules ask of each tensor, and where what was found differs: in law and scale, not in bits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .._initializers import (
    Blocks,
    Constant,
    DeltaOrthogonal,
    Dirac,
    Eye,
    Initializer,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)
from .._plans.plan import BlocksPlan
from ..rules import Row
from .entries import Entry
from .findings import Finding, merged
from .laws import CUSTOMARY, Law, visible_cut
from .moments import Moments

ERRORS = 5.0  # standard errors from what is asked that are still chance: one in 2,000,000

# The law that a scheme draws by; variance scaling names its own, a truncated one shows its cut or is called normal.
LAWS: dict[type[Initializer], str] = {
    Constant: "constant", Uniform: "uniform", Normal: "normal", TruncatedNormal: "truncated", Orthogonal: "orthogonal",
    DeltaOrthogonal: "delta_orthogonal", Dirac: "dirac", Sparse: "sparse", Eye: "identity",
}
KURTOSIS = {"uniform": -1.2, "truncated": -0.63, "normal": 0.0}


class Asked(NamedTuple):
    """The law that a rule asks for, by its name, or None where it can't be compared; and its mean and std."""

    law: str | None
    cut: float | None
    mean: float | None
    std: float | None

    def __bool__(self) -> bool:
        return self.law is not None

    def __str__(self) -> str:
        name = self.law or "none"
        if name == "constant":
            return str(Law(name, {"value": self.mean or 0.0}))
        if name == "uniform":
            half = math.sqrt(3) * (self.std or 0.0)
            return str(Law(name, {"low": (self.mean or 0.0) - half, "high": (self.mean or 0.0) + half}))
        title = Law(name, {"cut": self.cut or math.inf, "sparsity": 0.0}).title if name != "sparse" else name
        return f"{title}, std {self.std:.3g}" if self.std and name in KURTOSIS else title


def differences(entries: Iterable[Entry], rows: Mapping[str, Row]) -> list[Finding]:
    """Where tensors are not what their rules ask."""
    return merged(_differences(entries, rows))


def _differences(entries: Iterable[Entry], rows: Mapping[str, Row]) -> Iterator[Finding]:
    for entry in entries:
        row, moments = rows[entry.name], entry.seen.moments
        if row.scheme is not None and moments is not None and moments.finite:
            wanted = asked(row.scheme, row.plan)
            text = _difference(entry, moments, wanted)
            if text:
                yield Finding("rules", (entry.name,), text, str(wanted) if wanted else row.label)


def asked(scheme: Initializer, plan: Any) -> Asked:
    """What a scheme draws, for the shape of a plan."""
    if isinstance(scheme, Blocks) and isinstance(plan, BlocksPlan):
        drawn = [(init, each) for init, each in zip(scheme.inits, plan.plans)
                 if 0 not in each.shape and not isinstance(init, Constant)]
        if drawn and all(init == drawn[0][0] for init, _ in drawn):  # but for rows that are zero
            return asked(*drawn[0])
        return Asked(None, None, _real(plan.mean), plan.std)
    law, cut = LAWS.get(type(scheme)), None
    if isinstance(scheme, VarianceScaling):
        law = {"truncated_normal": "truncated"}.get(scheme.distribution, scheme.distribution)
        cut = 2.0
    elif isinstance(scheme, TruncatedNormal):
        cut = _cut(scheme)
        law = law if cut else None
    elif isinstance(scheme, Constant) and not isinstance(scheme.value, (bool, int, float)):
        law = None
    return Asked(law, cut, _real(plan.mean), plan.std)


def _real(mean: complex | None) -> float | None:
    return None if mean is None or isinstance(mean, complex) else float(mean)


def _cut(scheme: TruncatedNormal) -> float | None:
    """The cut in std of the parent, where both ends are equally far."""
    lower, upper = scheme.lower, scheme.upper
    if scheme.bounds == "absolute" and scheme.std:
        lower, upper = (lower - scheme.mean) / scheme.std, (upper - scheme.mean) / scheme.std
    return upper if math.isclose(-lower, upper, rel_tol=1e-6) and scheme.std else None


def _difference(entry: Entry, moments: Moments, wanted: Asked) -> str | None:
    """What differs, in words, or None."""
    law, name = entry.law, wanted.law
    if name == "constant":
        same = moments.is_constant and math.isclose(moments.low, wanted.mean or 0.0, rel_tol=1e-2, abs_tol=1e-30)
        return None if same else "not constant" if law.name in ("none", "few") else _found(entry)
    if moments.size == 1 and name in KURTOSIS:  # one number has no law
        return None if abs(moments.low - (wanted.mean or 0.0)) <= 8 * (wanted.std or 0.0) else _found(entry)
    if name == "truncated" and (wanted.cut or 0) > min(visible_cut(moments.finite), CUSTOMARY) and law.name == "normal":
        name = "normal"  # so few values don't show the cut
    if name is not None and law.name not in (name, "few"):
        return _found(entry)
    if law.name == "truncated" and wanted.cut and abs(law.parameters["cut"] / wanted.cut - 1) > 0.1:
        return f"cut at ±{law.parameters['cut']:.3g} σ"
    return _other_scale(entry, moments, wanted) if name in KURTOSIS or name is None else None


def _found(entry: Entry) -> str:
    """A law, without a scale that differs from layer to layer."""
    return str(entry.law) if entry.law.name == "constant" else entry.law.title


def _other_scale(entry: Entry, moments: Moments, wanted: Asked) -> str | None:
    """Whether mean and std are those that are asked for, up to chance."""
    if not wanted.std:
        return None
    count = moments.finite
    spread = 2 + (moments.kurtosis if wanted.law is None else KURTOSIS[wanted.law])
    std = entry.std if entry.seen.zero_rows and entry.std else moments.std  # a padding row is not drawn
    if abs(std / wanted.std - 1) > 1e-4 + ERRORS * math.sqrt(max(spread, 0.0) / (4 * count)):
        return f"std {entry.meanings[0]}" if entry.meanings else f"std {std:.3g}"
    if wanted.mean is not None and abs(moments.mean - wanted.mean) > ERRORS * moments.std / math.sqrt(count) + 1e-30:
        return f"mean {moments.mean:.3g}"
    return None
