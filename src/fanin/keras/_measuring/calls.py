"""The calls of a model's layers, seen as they happen, on any backend."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

from .._names import walk

# (a layer's name, the layer, its arguments, its output) -> the output to go on with.
See = Callable[[str, Any, Any, Any], Any]

_patching = threading.RLock()


@contextlib.contextmanager
def intercepted(model: keras.layers.Layer, see: See) -> Iterator[None]:
    """Within it each call of one of the model's layers is shown; other models' are not.

    An output that was shown before is not shown again: a container's is often its last layer's.
    """
    names = {id(layer): path.removesuffix(".") for layer, path in walk(model)}
    last: Any = None

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal last
        output = original(self, *args, **kwargs)
        if id(self) in names and _first(output) is not last:
            output = see(names[id(self)], self, (args, kwargs), output)
            last = _first(output)
        return output

    with _patching:
        original = keras.Operation.__call__  # which all layers' calls come to, with inputs in the layer's own dtype
        keras.Operation.__call__ = __call__
        try:
            yield
        finally:
            keras.Operation.__call__ = original


def kind_of(layer: Any) -> str:
    """A layer's type, with the activation that is a part of it: "Dense relu"."""
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    kind = type(layer).__name__
    return kind if activation == "linear" else f"{kind} {activation}"


def _first(output: Any) -> Any:
    return next(iter(keras.tree.flatten(output)), output)


@contextlib.contextmanager
def attributes_kept(model: keras.layers.Layer) -> Iterator[None]:
    """Puts back what layers' calls set on their layers: under JAX that would be a traced value."""
    saved = [(layer, dict(vars(layer))) for layer, _ in walk(model)]
    try:
        yield
    finally:
        for layer, attributes in saved:
            vars(layer).clear()
            vars(layer).update(attributes)
