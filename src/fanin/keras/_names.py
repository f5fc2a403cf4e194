"""Names for a Keras model's variables that depend on the model alone, and not on what else the process has built.

Keras numbers its automatic names through the whole process ("dense_3"), and `variable.path` is made of them; saving
numbers anew in each container for that reason. The same is done here, in the words of `variable.path`.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import keras

from .._errors import FaninTypeError, FaninValueError, a_type

BOOKKEEPING = {"_layers", "_modules", "_trainable_variables", "_non_trainable_variables"}  # of every layer


class Place(NamedTuple):
    """A variable, where it is in the model, and the layer that holds it."""

    name: str
    variable: Any
    owner: Any
    buffer: bool  # made with trainable=False: running statistics, scales; a layer that is frozen later has parameters
    tied: str  # the name of an earlier place that holds the same variable, or ""


def places(model: Any) -> list[Place]:
    """Each layer's own variables, then those of the layers in it, in the order of `model.weights`; layers shared once.

    Random generators' states, metrics and optimizers are no layers' own variables.
    """
    variables: dict[int, str] = {}
    located = []
    for layer, path in walk(model):
        _check_built(layer, path)
        _check_plain(layer, path)
        for name, variable, buffer in _own(layer):
            place = Place(path + name, variable, layer, buffer, variables.get(id(variable), ""))
            variables.setdefault(id(variable), place.name)
            located.append(place)
    names = collections.Counter(place.name for place in located)
    if twice := [name for name, count in names.items() if count > 1]:
        raise FaninValueError(f"`model` must not give two variables one name (got {twice[0]!r}): rename a layer with a "
                              "dot in its name")
    return located


def walk(model: Any) -> Iterator[tuple[Any, str]]:
    """(layer, the path of its variables: "encoder.0.") for each layer of a model, itself first; shared ones once."""
    return _walk(model, "", set())


def _walk(layer: Any, path: str, seen: set[int]) -> Iterator[tuple[Any, str]]:
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield layer, path
    for name, child in _children(layer):
        yield from _walk(child, f"{path}{name}.", seen)


def _children(layer: Any) -> list[tuple[str, Any]]:
    """The layers directly in a layer, each with the name that the user gave, the attribute's, or its class's."""
    held = layer._flatten_layers(include_self=False, recursive=False)
    if isinstance(layer, (keras.Sequential, keras.Function)):
        held = layer.layers + held  # in the model's order, and before what it keeps for itself
    children = list({id(child): child for child in held}.values())
    attributes = _attributes(layer, children)
    derived = isinstance(layer, keras.layers.Bidirectional)  # "forward_lstm_3", from an automatic name
    given = {id(child): child.name for child in children if not derived and not _is_automatic(child)}
    used: set[str] = set()
    names = {key: _unique(name, used) for key, name in given.items()}  # these first: they are kept
    for child in children:
        if id(child) not in names:
            names[id(child)] = _unique(attributes.get(id(child)) or snake_case(type(child).__name__), used)
    return [(names[id(child)], child) for child in children]


def _own(layer: Any) -> Iterator[tuple[str, Any, bool]]:
    """(name, variable, whether it is a buffer) of a layer's own variables, as they were made."""
    used: set[str] = set()
    attributes = None
    for variables, buffer in ((layer._trainable_variables, False), (layer._non_trainable_variables, True)):
        for variable in variables:
            name = variable.name
            if re.fullmatch(r"(nnx_)?variable(_\d+)?", name):  # automatic, too
                if attributes is None:
                    attributes = _attributes(layer, layer._trainable_variables + layer._non_trainable_variables)
                name = attributes.get(id(variable), "variable")
            yield _unique(name, used), variable, buffer


def _attributes(layer: Any, held: Iterable[Any]) -> dict[int, str]:
    """{id: the attribute that holds it, with a list's index or a dict's key} for the layers or variables in `held`.

    Direct attributes before lists, public ones before private, and by name: backends keep them in different orders.
    """
    values = {**vars(layer), **vars(layer).get("_modules", {})}  # torch modules keep modules there
    public_only = isinstance(layer, (keras.Sequential, keras.Function))  # which have layers in lists of their own
    names = sorted((name.startswith("_"), name) for name in values if name not in BOOKKEEPING
                   and not (public_only and name.startswith("_")))
    wanted = {id(each) for each in held}
    paths: dict[int, str] = {}
    for containers in (False, True):
        for _, name in names:
            if isinstance(values[name], (list, tuple, dict)) == containers:
                for path, item in _items(name, values[name]):
                    if id(item) in wanted:
                        paths.setdefault(id(item), path)
    return paths


def _items(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _items(f"{path}.{key}", item)
    else:
        yield path, value


def _is_automatic(layer: Any) -> bool:
    return re.fullmatch(rf"{re.escape(snake_case(type(layer).__name__))}(_\d+)?", layer.name) is not None


def snake_case(name: str) -> str:
    """A class's name as Keras makes automatic names of it.

    >>> snake_case("MultiHeadAttention"), snake_case("Conv2D"), snake_case("LSTM")
    ('multi_head_attention', 'conv2d', 'lstm')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _unique(name: str, used: set[str]) -> str:
    unique, number = name, 0
    while unique in used:
        number += 1
        unique = f"{name}_{number}"
    used.add(unique)
    return unique


def _check_built(layer: Any, path: str) -> None:
    """Refuse a layer whose variables don't exist yet. Those without `build` of their own have none to make."""
    if not layer.built and (not path or type(layer).build is not keras.layers.Layer.build):
        which = f"its layer {path[:-1]!r}, {a_type(layer)}," if path else a_type(layer)
        raise FaninValueError(f"`model` must be built: {which} has no variables yet; call model.build(input_shape), or "
                              "the model on an input, first")


def _check_plain(layer: Any, path: str) -> None:
    """Refuse a wrapper whose vector follows from the kernel of its layer, and whose names are not the plain model's."""
    if isinstance(layer, keras.layers.SpectralNormalization):
        where = f" at {path[:-1]!r}" if path else ""
        raise FaninTypeError(f"`model` must hold plain layers (got a SpectralNormalization{where}): initialize a model "
                             "of the layers in it, and wrap them then")
