"""What to do about a parameter that rules can't draw: the end of an error's message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .._errors import listed
from .._initializers import Constant, Initializer
from ._parameter import NO_LAYER, Parameter

_NORM_TYPE = re.compile(r"\w*Norm(?:alization|(?!al))\w*")  # a type's name; NormalNoise is none
_NORM_NAME = re.compile(r"(?i)(?:.*[._])?(?:\w*norm\w*|ln_?\w?|bn\d*)\.(?:weight|scale|gamma)")
_SCALES = ("weight", "scale", "gamma")


def is_norm_weight(parameter: Parameter) -> bool:
    """Whether it is what a norm multiplies by: told by its layer's type, or where there is none by the name."""
    layer, key = parameter.layer or NO_LAYER, parameter.name.rpartition(".")[2]
    if len(parameter.shape) != 1 or key not in _SCALES:
        return False
    if layer.types:
        return layer.layout is None and any(_NORM_TYPE.fullmatch(each) for each in layer.types)
    return _NORM_NAME.fullmatch(parameter.name) is not None


def start_of_norm(parameter: Parameter) -> str:
    """What a norm's weight starts from, as one would write it."""
    start = (parameter.layer or NO_LAYER).start
    return "ones" if start is None or start == Constant(1.0) else "zeros" if start == Constant(0.0) else repr(start)


def failed(problem: str, parameter: Parameter, init: Any, word: str) -> str:
    """The message for a scheme that can't draw a parameter; `word` is what the rules are if they are one word."""
    name, shape, _, layer = parameter
    kind = layer.types[0] if layer and layer.types else ""
    if is_norm_weight(parameter):
        given = repr(init) if isinstance(init, (str, Initializer)) else "the scheme"
        start = start_of_norm(parameter)
        norm = kind or "norm"
        return (f"{name!r}: a norm's weight starts from {start} (got {given}, which can't draw the {norm}'s of shape "
                f"{shape}): put the rule {name!r}: {start!r} first, or give {given} alone as `rules`, which does so "
                "for all norms and biases")
    if word:
        return f"{name!r}{f', of a {kind}' if kind else ''}: {problem}; {_exception(word, name)}"
    return f"{name!r}: {problem}"


def unmatched(names: Iterable[str], hint: str, word: str) -> str:
    """The message for parameters that no rule matches."""
    names = list(names)
    if word:
        return f"{word} alone does not tell what {listed(names)} start from{hint}: {_exception(word, names[0])}"
    return f"every parameter must match a rule: add one for {listed(names)}{hint}"


def _exception(word: str, name: str) -> str:
    return f"give it a rule of its own, fanin.Rules.of({word}).override({{{name!r}: ...}})"
