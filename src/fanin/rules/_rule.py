"""One rule: which parameters it is for, and which scheme each of them gets."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .._checks import choice, flag, integer
from .._errors import FaninTypeError, FaninValueError, shown
from .._initializers import Blocks, Constant, Initializer
from .._initializers.parameters import signature
from ._depth import Depths
from ._expressions import substitute, used_names
from ._facts import FANS, ROLES, Facts, as_data, build
from ._meanings import start
from ._parameter import NO_LAYER, Layer, Parameter
from ._recipe import without_value
from ._roles import Roles, check_role
from ._table import label
from ._word import is_weight

KEYS = ("match", "init", "role", "experts", "layer", "weights", "rank", "rank_of", "fans_of", "fans", "padding_idx")
ARANGE, KEEP, START = "arange", "keep", "start"
_REFERENCE = re.compile(r"\\(?:([1-9])(?!\d)|g<([A-Za-z_]\w*)>)")  # to a group, in a template of re's
FROM_NAME, FROM_FANS = {"layer", "layers"}, {"fan_in", "fan_out"}


class Model(NamedTuple):
    """What a rule may look at besides the parameter itself."""

    parameters: dict[str, Parameter]
    depths: Depths
    usual: str  # the layout of parameters whose layer tells none
    variables: dict[str, float]
    roles: Roles


class Context(NamedTuple):
    """What names tell of a parameter: the layer and shape of the sibling whose fans count, and its depth."""

    layer: Layer | None = None
    shape: tuple[int, ...] | None = None
    depth: tuple[int, int] | None = None  # its layer's number, and how many there are
    start: Initializer | None = None  # what the parameter starts from by its meaning


NO_CONTEXT = Context()


class Rule:
    """One rule, checked: its keys are known, its pattern compiles and its scheme exists."""

    def __init__(self, entry: Mapping[str, Any], variables: Iterable[str] = ()) -> None:
        if "role" in entry:
            entry = {"match": "*", **entry}
        for key in ("match", "init"):
            if key not in entry:
                raise FaninValueError(f"must have `{key}` (got {shown(entry)})")
        for key in entry:
            if key not in KEYS:
                raise FaninValueError(f"may have the keys {', '.join(KEYS)} only (got {shown(key)})")
        for key in ("match", "rank_of", "fans_of"):
            if not isinstance(entry.get(key, ""), str):
                raise FaninTypeError(f"`{key}` must be a string (got {entry[key]!r})")
        if "rank_of" in entry and "rank" not in entry:
            raise FaninValueError("`rank_of` says whose axes `rank` counts: it must come with `rank`")
        self.entry = {**entry, "init": as_data(entry["init"])}
        self.match, self.init = entry["match"], self.entry["init"]
        self.layers, self.ranks = _layers(entry.get("layer")), _ranks(entry.get("rank"))
        self.roles = _role_names(entry.get("role"))
        self.experts = None if "experts" not in entry else flag("experts", entry["experts"])
        self.by_layer = choice("fans", entry.get("fans", "layer"), ("layer", "shape")) == "layer"
        self.weights = flag("weights", entry.get("weights", False))
        self.padding_idx = None if "padding_idx" not in entry else integer("padding_idx", entry["padding_idx"])
        self.regular = self.match.startswith("re:")
        try:
            self.fullmatch = re.compile(self.match[3:] if self.regular else fnmatch.translate(self.match)).fullmatch
        except re.error as error:
            raise FaninValueError(f"`match` must hold a valid regular expression ({error})") from None
        self._built: dict[Hashable, tuple[Initializer, str]] = {}
        self._axes: dict[str, Layer] = {}
        self.names = used_names(self.init)
        unknown = sorted(self.names - FROM_NAME - FROM_FANS - set(variables))
        if unknown:
            raise FaninValueError(f"an expression may use {', '.join(sorted(FROM_NAME | FROM_FANS | set(variables)))} "
                                  f"(got {unknown[0]!r}): give others in `variables`")
        # found wrong here rather than at the first parameter; with expressions, only a parameter can tell
        by_parameter = self.names or self.init in (ARANGE, KEEP, START)
        self.scheme: Any = None if by_parameter else build(substitute(self.init, {}))
        if "fans_of" in entry and not self.names and "fan_in" not in _parameters(self.scheme):
            raise FaninValueError("`fans_of` needs an `init` with fans, such as variance_scaling (got "
                                  f"{entry['init']!r})")

    @property
    def title(self) -> str:
        """The rule in short: its pattern, or the roles that it is for."""
        return self.match if self.match != "*" or self.roles is None else f"role {', '.join(self.roles)}"

    @property
    def tells_axes(self) -> bool:
        """Whether it says itself what the axes or the fans of a parameter are."""
        given = self.init if isinstance(self.init, dict) else {}
        return not self.by_layer or "fans_of" in self.entry or any(key in given for key in (*ROLES, *FANS))

    def is_for(self, types: tuple[str, ...], rank: int) -> bool:
        """Whether the rule is for parameters with so many axes of a layer of these types, whatever their names."""
        if self.layers is not None and not any(pattern.fullmatch(each) for pattern in self.layers
                                               for each in types or ("",)):
            return False
        return self.ranks is None or "rank_of" in self.entry or rank in self.ranks

    def accepts(self, parameter: Parameter, match: re.Match[str], model: Model) -> bool:
        """Whether the rule, which `is_for` the parameter's kind and matches its name, applies to it."""
        if self.weights and not is_weight(parameter):
            return False
        if self.roles is not None and model.roles.of(parameter).name not in self.roles:
            return False
        if self.experts is not None and model.roles.of(parameter).experts is not self.experts:
            return False
        if self.init == START and start(parameter, model.parameters) is None:
            return False
        if self.ranks is None or "rank_of" not in self.entry:
            return True
        counted = model.parameters.get(self._sibling("rank_of", parameter, match))
        return counted is not None and len(counted.shape) in self.ranks

    def context(self, parameter: Parameter, match: re.Match[str], model: Model) -> Context:
        """What the names tell that the choice depends on."""
        if self.init == START:
            return Context(start=start(parameter, model.parameters))
        counts_layers = bool(self.names & FROM_NAME - model.variables.keys())
        if "fans_of" not in self.entry and not counts_layers:
            return NO_CONTEXT
        sibling = depth = None
        if "fans_of" in self.entry:
            name = self._sibling("fans_of", parameter, match)
            sibling = model.parameters.get(name)
            if sibling is None and (parameter.layer or NO_LAYER).fan_in is None:
                raise FaninValueError(f"`fans_of` must name a tensor of the model (got {name!r}): give this one a rule "
                                      f"of its own first, such as {{{parameter.name!r}: 'zeros'}}")
        if counts_layers:
            depth = model.depths.find(parameter.name, match)
            if depth is None:
                raise FaninValueError("`init` counts layers by the first number in a name, such as layers.3.weight, "
                                      "which this one has not: mark it with (?P<layer>\\d+) in a `re:` pattern, or set "
                                      "`layers` in `variables`")
        return Context(sibling.layer, sibling.shape, depth) if sibling else Context(depth=depth)

    def choose(self, parameter: Parameter, context: Context, model: Model) -> tuple[Initializer | None, str]:
        """The scheme for a parameter that the rule applies to, and how it is printed; None: it stays as it is.

        It depends on no more than the parameter's layer, shape and dtype, and what `context` gives.
        """
        if self.init == KEEP:
            return None, ""
        layer = parameter.layer or NO_LAYER
        certain = context.start if layer.fixed is None else layer.fixed
        if certain is not None:
            return certain, label(certain)
        if self.init == ARANGE:
            count = _count(parameter)
            return Constant(np.arange(count, dtype=parameter.dtype)), f"arange({count})"
        facts = Facts(layer if self.by_layer else NO_LAYER, model.usual)
        if context.shape is not None:
            facts = self._fans_of(context.layer, context.shape, model)
        elif "fans_of" in self.entry:  # no such tensor, but the layer tells them
            facts = Facts(Layer(fan_in=layer.fan_in, fan_out=layer.fan_out), model.usual)
        chosen = self._build(facts, self._variables(parameter, context, model, facts) if self.names else {})
        row = layer.padding_idx if self.padding_idx is None else self.padding_idx
        return chosen if row is None else _with_zero_row(chosen[0], row, parameter, facts)

    def _build(self, facts: Facts, variables: dict[str, float]) -> tuple[Initializer, str]:
        """The scheme and its label, one for all parameters of which the same is known."""
        known = facts, tuple(variables.items())
        if known not in self._built:
            scheme = build(substitute(self.init, variables), facts)
            self._built[known] = scheme, label(scheme)
        return self._built[known]

    def _fans_of(self, layer: Layer | None, shape: tuple[int, ...], model: Model) -> Facts:
        """The fans of a sibling, which are all that is known then."""
        if not self.by_layer or layer is None:
            layer = Layer()
        if layer.layout is None and not self.names:
            layer = self._own_axes(model.usual)._replace(fan_in=layer.fan_in, fan_out=layer.fan_out)
        fans = layer.fans(shape, model.usual)
        return Facts(Layer(fan_in=fans.fan_in, fan_out=fans.fan_out), model.usual)

    def _own_axes(self, usual: str) -> Layer:
        """The roles of the axes that `init` itself says, as a layer."""
        if usual not in self._axes:
            scheme, _ = self._build(Facts(usual=usual), {})
            self._axes[usual] = Layer(**{key: getattr(scheme, key) for key in ROLES if key in _parameters(scheme)})
        return self._axes[usual]

    def _variables(self, parameter: Parameter, context: Context, model: Model, facts: Facts) -> dict[str, float]:
        """What the expressions in `init` may use: numbers of the parameter's, and those that were given."""
        variables: dict[str, float] = {}
        if self.names & FROM_FANS - set(model.variables):
            fans = facts.layer.fans(parameter.shape, model.usual)
            variables |= {"fan_in": fans.fan_in, "fan_out": fans.fan_out}
        if context.depth is not None:
            variables |= dict(zip(("layer", "layers"), context.depth, strict=True))
        variables |= model.variables
        missing = sorted(self.names - variables.keys())
        if missing:
            raise FaninValueError(without_value(missing[0]))
        return variables

    def _sibling(self, key: str, parameter: Parameter, match: re.Match[str]) -> str:
        if not self.regular:
            prefix, dot, _ = parameter.name.rpartition(".")
            return f"{prefix}{dot}{self.entry[key]}"
        try:
            return _expand(match, self.entry[key])
        except (re.error, IndexError) as error:
            raise FaninValueError(f"`{key}` must refer to groups of `match` only ({error})") from None


def _expand(match: re.Match[str], template: str) -> str:
    """`match.expand(template)`, which up to Python 3.11 parses the template each time, at five times the cost."""
    texts, groups = _parsed(template)
    if any("\\" in text for text in texts):
        return match.expand(template)  # other escapes
    return "".join(text + (match[group] or "") for text, group in zip(texts, groups)) + texts[-1]


@functools.cache
def _parsed(template: str) -> tuple[list[str], list[int | str]]:
    """The texts of a template before, between and after the groups that it refers to, and those groups."""
    texts = _REFERENCE.split(template)  # each text but the last is followed by a group's number and name
    return texts[::3], [name or int(number) for number, name in zip(texts[1::3], texts[2::3])]


def _parameters(scheme: Initializer | None) -> dict[str, Any]:
    return {} if scheme is None else signature(type(scheme))


def _layers(value: Any) -> list[re.Pattern[str]] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise FaninTypeError(f"`layer` must be a type's name or a list of such names (got {shown(value)})")
    return [re.compile(fnmatch.translate(name)) for name in names]


def _role_names(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise FaninTypeError(f"`role` must be a role's name or a list of such names (got {shown(value)})")
    return tuple(check_role(name) for name in names)


def _ranks(value: Any) -> frozenset[int] | None:
    if value is None:
        return None
    ranks = value if isinstance(value, (list, tuple)) else [value]
    if not ranks or not all(type(rank) is int and rank >= 0 for rank in ranks):
        raise FaninValueError(f"`rank` must be an int >= 0 or a list of such ints (got {shown(value)})")
    return frozenset(ranks)


def _with_zero_row(scheme: Any, row: int, parameter: Parameter, facts: Facts) -> tuple[Initializer, str]:
    """The scheme with one row along axis 0 zero: all other elements as without it."""
    if not parameter.shape:
        raise FaninValueError("`padding_idx` needs a shape with at least one axis (got ())")
    rows = parameter.shape[0]
    if not -rows <= row < rows:
        raise FaninValueError(f"`padding_idx` must be a row of the {rows} (got {row})")
    text = f"{label(scheme)}, row {row % rows} zero"
    missing = [key for key in ("fan_in", "fan_out") if key in _parameters(scheme) and getattr(scheme, key) is None]
    if missing:  # the whole's, not those of the rows above and below
        layer = facts.layer if facts.layer.layout else Layer(layout=scheme.layout, groups=scheme.groups,
                                                             transposed=scheme.transposed)
        fans = layer.fans(parameter.shape)
        scheme = scheme.replace(**{key: getattr(fans, key) for key in missing})
    return Blocks([scheme, Constant(0.0), scheme], axis=0, sizes=[row % rows, 1, -1]), text


def _count(parameter: Parameter) -> int:
    """The numbers 0, 1, … along the last axis, which the dtype must hold."""
    if not parameter.shape:
        raise FaninValueError(f"{ARANGE!r} needs a shape with at least one axis (got [])")
    count, kind = parameter.shape[-1], parameter.dtype
    largest = np.iinfo(kind).max if kind.kind in "iu" else 1 if kind.kind == "b" else _exact_integers(kind)
    if count - 1 > largest:
        raise FaninValueError(f"{ARANGE!r} must stay within the integers that {kind.name} holds, up to {largest} (got "
                              f"a last axis of {count})")
    return count


def _exact_integers(kind: np.dtype[Any]) -> int:
    """All integers up to it are numbers of a floating-point type."""
    import ml_dtypes

    return 2 ** (int(ml_dtypes.finfo(kind).nmant) + 1)
