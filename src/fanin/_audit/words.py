"""What a scale equals, in words: `0.0156 = √(2/8192) = he_normal`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .laws import Law, cut_variance

if TYPE_CHECKING:
    from .._plans.fans import Fans

AT_MOST = 2  # meanings that are given where several fit
ROUND = (1.0, 0.5, 0.1, 0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.01, 0.006, 0.005, 0.001)


class Meaning(NamedTuple):
    """A std, how it is written, the name that it is known by, if any, and whether it follows fan_out."""

    std: float
    text: str
    name: str = ""
    by_fan_out: bool = False

    def __str__(self) -> str:
        return f"{self.text} = {self.name}" if self.name else self.text

    def scale(self, law: Law) -> str:
        """The exact scale and what it is: "0.0884 = √(2/256) = he_normal"."""
        number = f"±{self.std * math.sqrt(3):.3g}" if law.name == "uniform" else f"{self.std:.3g}"
        return str(self) if number == self.text else f"{number} = {self}"


# The variance times the fan, as it is written, and the family's name by the law: normal, uniform, truncated.
FAMILIES: tuple[tuple[float, str, str, str, str], ...] = (
    (2.0, "2", "kaiming_normal", "he_uniform", "he_normal"),
    (1.0, "1", "lecun_normal (plain)", "lecun_uniform", "lecun_normal"),
    (1 / 3, "1/3", "", "torch_default", ""),
)
LAWS = ("normal", "uniform", "truncated")


def meanings(law: Law, count: int, fans: Fans | None, layers: int | None, epsilon: float) -> tuple[Meaning, ...]:
    """What the law's std equals, the likeliest first: fans in, both, a round number, a depth, fans out.

    Args:
        count: of the values that the std was estimated from.
        epsilon: the relative step of their type, whose rounding moves a law's ends.
    """
    std = value_std(law)
    if std is None or std <= 0 or not law.is_centred:
        return ()
    within = relative_error(law, count) + 2 * epsilon
    fitting = [each for each in _candidates(law, fans, layers) if abs(each.std / std - 1) <= within]
    return tuple(fitting[:AT_MOST])


def value_std(law: Law) -> float | None:
    """The std of a law's values, not of a truncated law's parent."""
    at = law.parameters
    if law.name == "uniform":
        return (at["high"] - at["low"]) / math.sqrt(12)
    if law.name == "truncated":
        return at["std"] * math.sqrt(cut_variance(at["cut"]))
    return at["std"] if law.name in ("normal", "sparse") else None


def relative_error(law: Law, count: int) -> float:
    """How far a std that was estimated from so many values may lie from the true one: 4 standard errors.

    A uniform law's ends are known as closely as 1 in so many.
    """
    return 1e-4 + (10 / count if law.name == "uniform" else 4 / math.sqrt(2 * count))


def _candidates(law: Law, fans: Fans | None, layers: int | None) -> Iterator[Meaning]:
    if fans is not None:
        yield from _by_fan(law, fans.fan_in, "")
        total = fans.fan_in + fans.fan_out
        name = {"normal": "xavier_normal", "uniform": "glorot_uniform", "truncated": "glorot_normal"}.get(law.name, "")
        yield _meaning(law, 2.0, "2", total, name, bound="6")
        if law.name == "normal":
            yield Meaning(math.sqrt(0.4 / fans.fan_in), f"√(2/(5·{_whole(fans.fan_in)}))", "small_init")
    yield from _plain(law, layers)
    if fans is not None and fans.fan_out != fans.fan_in:
        yield from _by_fan(law, fans.fan_out, " by fan_out")


def _by_fan(law: Law, fan: float, suffix: str) -> Iterator[Meaning]:
    for scale, text, *names in FAMILIES:
        name = dict(zip(LAWS, names)).get(law.name, "")
        bound = {2.0: "6", 1.0: "3"}.get(scale, "1")
        meaning = _meaning(law, scale, text, fan, name + suffix if name else suffix.strip(), bound)
        yield meaning._replace(by_fan_out=bool(suffix))


def _meaning(law: Law, scale: float, text: str, fan: float, name: str, bound: str) -> Meaning:
    written = f"±√({bound}/{_whole(fan)})" if law.name == "uniform" else f"√({text}/{_whole(fan)})"
    return Meaning(math.sqrt(scale / fan), written, name)


def _plain(law: Law, layers: int | None) -> Iterator[Meaning]:
    """Round numbers: of the std, of a truncated law's parent, of a uniform law's bound; and scaled by depth."""
    factor, prefix, suffix = 1.0, "", ""
    if law.name == "uniform":
        factor, prefix = 1 / math.sqrt(3), "±"
    elif law.name == "truncated":
        factor = (value_std(law) or 0.0) / law.parameters["std"]
        suffix = " before the cut"
    for value in ROUND:
        yield Meaning(factor * value, f"{prefix}{value:g}{suffix}")
        if layers and layers > 1 and law.name != "uniform":
            yield Meaning(factor * value / math.sqrt(2 * layers), f"{value:g}/√(2·{layers}){suffix}", "scaled by depth")


def _whole(fan: float) -> str:
    return f"{fan:g}" if fan == int(fan) and fan < 1e6 else f"{int(fan)}" if fan == int(fan) else f"{fan:.6g}"
