"""Rules: which scheme initializes which tensor. They are ordered, and the first that matches wins.

    [[rule]]
    match = "*.bias"                  # a glob over the whole name; "re:..." is a regular expression over the whole name
    init = "zeros"                    # a name, "profile:name", {name = "normal", std = 0.02} (a name with parameters,
                                      # `profile` may be one of them), {scheme = "normal", std = 0.02} (a config), or
                                      # "arange": 0, 1, 2, ... along the last axis (position ids)

Three more keys serve rules that depend on more than the name:

    rank = 1                          # only tensors with that many axes; a list allows several
    rank_of = "weight"                # ... counted on a sibling instead; without that sibling the rule does not apply
    fans_of = "weight"                # fan_in and fan_out of a sibling; without that sibling it is an error

A sibling has the same name up to its last dot; in a rule with a regular expression `rank_of` and `fans_of` are whole
names, in which \\1, \\2, ... stand for the groups of the match.
"""

import fnmatch
import re
from typing import Any, NamedTuple

import numpy as np

from .._errors import FaninError, FaninTypeError, FaninValueError
from .._fans import compute_fans
from ..initializers import Constant, Initializer, Orthogonal, Registry, Sparse
from ..initializers._config import decode
from .header import TensorInfo

_KEYS = ("match", "init", "rank", "rank_of", "fans_of")
_LAYOUTS = {"torch": "oi*", "jax": "*io"}
_AT_MOST = 20  # names in one error line


class Draw(NamedTuple):
    """What one tensor gets: the rule that chose, the scheme, and the scheme's plan for this shape and dtype."""

    info: TensorInfo
    rule: str
    scheme: Initializer
    label: str  # the scheme as it is printed
    plan: Any


class Rule:
    """One rule, checked: its keys are known, its pattern compiles and its scheme exists."""

    def __init__(self, entry, layout):
        for key in ("match", "init"):
            if key not in entry:
                raise FaninValueError(f"must have `{key}` (got {entry!r})")
        for key in entry:
            if key not in _KEYS:
                raise FaninValueError(f"may have the keys {', '.join(_KEYS)} only (got {key!r})")
        for key in ("match", "rank_of", "fans_of"):
            if not isinstance(entry.get(key, ""), str):
                raise FaninTypeError(f"`{key}` must be a string (got {entry[key]!r})")
        if "rank_of" in entry and "rank" not in entry:
            raise FaninValueError("`rank_of` says whose axes `rank` counts: it must come with `rank`")
        self.entry = entry
        self.match = entry["match"]
        self.ranks = _ranks(entry.get("rank"))
        self.regular = self.match.startswith("re:")
        try:
            self.pattern = re.compile(self.match[3:] if self.regular else fnmatch.translate(self.match))
        except re.error as error:
            raise FaninValueError(f"`match` must hold a valid regular expression ({error})") from None
        self.arange = entry["init"] == "arange"
        self.scheme: Any = None if self.arange else _scheme(entry["init"], layout)
        if "fans_of" in entry and "fan_in" not in _config(self.scheme):
            raise FaninValueError("`fans_of` needs an `init` with fans, such as variance_scaling (got "
                                  f"{entry['init']!r})")

    def matches(self, info, shapes):
        """The match object when the rule applies to a tensor, else None. `shapes` holds every tensor's, by name."""
        found = self.pattern.fullmatch(info.name)
        if found and self.ranks is not None:
            shape = info.shape
            if "rank_of" in self.entry:
                shape = shapes.get(self._sibling("rank_of", info, found))
            if shape is None or len(shape) not in self.ranks:
                return None
        return found

    def choose(self, info, found, shapes):
        """The scheme for a tensor that the rule applies to, and how it is printed."""
        if self.arange:
            if not info.shape:
                raise FaninValueError("'arange' needs a shape with at least one axis (got [])")
            count = info.shape[-1]
            _check_arange(count, info)
            return Constant(np.arange(count, dtype=info.numpy_dtype)), f"arange({count})"
        if "fans_of" not in self.entry:
            return self.scheme, repr(self.scheme)
        sibling = self._sibling("fans_of", info, found)
        if sibling not in shapes:
            raise FaninValueError(f"`fans_of` must name a tensor of the model (got {sibling!r})")
        config = _config(self.scheme)
        fans = compute_fans(shapes[sibling], config["layout"], config["groups"], config["transposed"])
        scheme = self.scheme.replace(fan_in=fans.fan_in, fan_out=fans.fan_out)
        return scheme, repr(scheme)

    def _sibling(self, key, info, found):
        if not self.regular:
            prefix, dot, _ = info.name.rpartition(".")
            return prefix + dot + self.entry[key]
        try:
            return found.expand(self.entry[key])
        except (re.error, IndexError) as error:
            raise FaninValueError(f"`{key}` must refer to groups of `match` only ({error})") from None


def _ranks(value):
    if value is None:
        return None
    ranks = value if isinstance(value, list) else [value]
    if not ranks or not all(type(rank) is int and rank >= 0 for rank in ranks):
        raise FaninValueError(f"`rank` must be an int >= 0 or a list of such ints (got {value!r})")
    return frozenset(ranks)


def _check_arange(count, info):
    kind = info.numpy_dtype
    exact = np.iinfo(kind).max if kind.kind in "iu" else 1 if kind.kind == "b" else _exact_integers(kind)
    if count - 1 > exact:
        raise FaninValueError(f"'arange' must stay within the integers that {info.dtype} holds, up to {exact} (got a "
                              f"last axis of {count})")


def _exact_integers(kind):
    import ml_dtypes

    return 2 ** (ml_dtypes.finfo(kind).nmant + 1)


def _config(scheme):
    return scheme.get_config() if scheme is not None else {}


def _scheme(init, layout):
    """The scheme behind `init`, in the layout that the command line asked for unless it has its own."""
    given, own_layout = {}, False
    if isinstance(init, str):
        scheme, own_layout = Registry.get(init), ":" in init
    elif isinstance(init, dict) and "scheme" in init:
        scheme, given = Registry.get(init), init
    elif isinstance(init, dict) and isinstance(init.get("name"), str):
        given = {key: decode(key, value, Initializer.from_config) for key, value in init.items() if key != "name"}
        scheme, own_layout = Registry.get(init["name"], **given), ":" in init["name"] or "profile" in init
    else:
        raise FaninTypeError("`init` must be a name, a table with `name` and parameters, or a config with `scheme` "
                             f"(got {init!r})")
    if layout == "torch" or own_layout:
        return scheme
    key, value = ("axis", -1) if isinstance(scheme, (Orthogonal, Sparse)) else ("layout", _LAYOUTS[layout])
    return scheme.replace(**{key: value}) if key in _config(scheme) and key not in given else scheme


def assign(tensors, rules):
    """A `Draw` for each tensor, with everything that can be wrong checked: rules, schemes, shapes, dtypes, ranges."""
    shapes = {info.name: info.shape for info in tensors}
    draws, unmatched = [], []
    for info in tensors:
        try:
            found, rule = next(((found, rule) for rule in rules if (found := rule.matches(info, shapes))), (None, None))
            if rule is None:
                unmatched.append(info.name)
                continue
            scheme, label = rule.choose(info, found, shapes)
            plan = scheme.describe(info.shape, info.numpy_dtype)
        except FaninError as error:
            raise type(error)(f"{info.name!r}: {error}") from None
        draws.append(Draw(info, rule.match, scheme, label, plan))
    if unmatched:
        more = f" and {len(unmatched) - _AT_MOST} more" if len(unmatched) > _AT_MOST else ""
        names = ", ".join(unmatched[:_AT_MOST]) + more
        raise FaninValueError(f"every parameter must match a rule: add one for {names}")
    return draws
