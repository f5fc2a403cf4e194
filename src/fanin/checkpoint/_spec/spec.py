"""`Spec`: what every kind of model description is read into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._errors import FaninError, FaninValueError
from ...rules import Parameter
from ...rules._parameter import read_parameters
from .._format import code_of, dtype_of


@dataclass(frozen=True)
class Spec:
    """A model's tensors, in its own order, and its metadata; two are equal if these are.

    Attributes:
        tensors: name, shape, dtype of each, and its layer where that is known.
        metadata: strings for a safetensors file's metadata.
        notes: one line each on what a reader decided and its user should know, such as what was left out.
        sources: the paths of the files that it was read from, which must not be written over.
        config: the model's own, where one is known, which tells the variables of recipes.
        companions: (name, text) of the files that loaders want beside the weights, such as `config.json`.
    """

    tensors: list[Parameter]
    metadata: dict[str, str]
    notes: tuple[str, ...] = field(default=(), compare=False)
    sources: tuple[str, ...] = field(default=(), compare=False)
    companions: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    config: Mapping[str, Any] = field(default_factory=dict, compare=False)


def of_parameters(parameters: Iterable[Parameter], notes: Iterable[str] = ()) -> Spec:
    """The `Spec` of a list of parameters, whose dtypes may be given by name."""
    tensors = []
    for parameter in read_parameters(parameters):
        try:
            tensors.append(parameter._replace(dtype=dtype_of(code_of(parameter.dtype))))
        except FaninError as error:
            raise type(error)(f"{parameter.name!r}: {error}") from None
    return checked(tensors, {}, notes)


def checked(tensors: list[Parameter], metadata: dict[str, str], notes: Iterable[str] = ()) -> Spec:
    """A `Spec` whose names a safetensors file can hold, each once; FaninValueError otherwise."""
    seen: set[str] = set()
    for text in [*metadata, *metadata.values(), *(each.name for each in tensors)]:
        _check_text(text)
    for each in tensors:
        if each.name in seen:
            raise FaninValueError(f"names must be unique (got {each.name!r} twice)")
        seen.add(each.name)
    if "__metadata__" in seen:
        raise FaninValueError("no tensor may be named '__metadata__', which safetensors keeps for itself: rename it")
    if not tensors:
        raise FaninValueError("must name at least one tensor (it names none)")
    return Spec(tensors, metadata, tuple(notes))


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can escape half a surrogate pair, UTF-8 cannot hold it
        raise FaninValueError(f"names and metadata must be valid Unicode (got {text!r})") from None
