"""What to do about a parameter that rules can't draw: the end of an error's message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._errors import agreeing, listed, with_article
from .._initializers import Constant, Initializer
from ._parameter import NO_LAYER, Parameter
from ._roles import Roles, is_norm_weight, role_names


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
        return f"{name!r}{f', of {with_article(kind)}' if kind else ''}: {problem}; {_exception(word, name)}"
    return f"{name!r}: {problem}"


def unmatched(names: Iterable[str], hint: str, word: str) -> str:
    """The message for parameters that no rule matches."""
    names = list(names)
    if word:
        start = agreeing(len(names), "starts", "start")
        return f"{word} alone does not tell what {listed(names)} {start} from{hint}: {_exception(word, names[0])}"
    return f"every parameter must match a rule: add one for {listed(names)}{hint}"


def unknown_roles(recipe: str, left: Iterable[Parameter], roles: Roles) -> str:
    """The message for parameters that a recipe gives nothing to: nobody knows what they are, or it has no such role."""
    unknown = [parameter.name for parameter in left if not roles.of(parameter).name]
    if not unknown:
        first = next(iter(left))
        role = roles.of(first).name
        return (f"the recipe {recipe} gives nothing to {role}, which {first.name!r} is: add a rule for it, "
                f"fanin.Rules.read({recipe!r}).override([{{'role': {role!r}, 'init': ...}}])")
    return (f"the recipe {recipe} goes by roles, and nobody knows that of {listed(unknown)}: tell it, "
            f"fanin.Rules.read({recipe!r}, roles={{{_pattern(unknown[0])!r}: ...}}), one of {', '.join(role_names())}")


def _pattern(name: str) -> str:
    """What a user may write for a parameter and those like it in other blocks: *.lora_A.default, *.0."""
    *path, key = name.split(".")
    if not path or key not in ("weight", "kernel"):
        return name
    last = path[-2:] if path[-1] == "default" else path[-1:]  # peft's name for an adapter, of any layer
    return ".".join(["*", *last])


def _exception(word: str, name: str) -> str:
    return f"give it a rule of its own, fanin.Rules.of({word}).override({{{name!r}: ...}})"
