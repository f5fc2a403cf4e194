"""The arrays of any pytree by their paths: equinox modules, linen's variables, dicts and lists of arrays."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from ..rules import Layer
from ..rules._slots import Slot
from ._layers import check_layer, layer_of
from ._slots import Arrays, is_array, slot_of


def is_equinox(node: Any) -> bool:
    """Whether it is an equinox module."""
    equinox = sys.modules.get("equinox")
    return equinox is not None and isinstance(node, equinox.Module)


def has_equinox(model: Any) -> bool:
    """Whether there are equinox modules in it."""
    return any(map(is_equinox, jax.tree.leaves(model, is_leaf=is_equinox)))


def find_slots(model: Any) -> tuple[list[Slot], Callable[[Arrays], Any]]:
    """All arrays, and a function that gives a copy of the tree with new ones by name."""
    pairs, structure = jax.tree_util.tree_flatten_with_path(model, is_leaf=_is_box)
    values = [value.unbox() if _is_box(value) else value for _, value in pairs]
    names = [dotted(model, path) for path, _ in pairs]
    shapes = {name: tuple(value.shape) for name, value in zip(names, values, strict=True) if is_array(value)}
    slots = []
    for (path, _), name, value in zip(pairs, names, values, strict=True):
        if is_array(value):
            owner, kind = _owner(model, path)
            if is_equinox(owner):
                layer: Layer | None = layer_of(owner, _key(path[-1]), tuple(value.shape))
                if not kind and isinstance(value, np.ndarray):
                    kind = "a numpy array, which equinox doesn't train"
            else:
                layer = _linen_layer(name, shapes)
            if is_collection(model, path):
                kind = f"of the collection {_key(path[0])}"
            slots.append(slot_of(name, value, layer, kind))

    def put(arrays: Arrays) -> Any:
        new = dict(arrays)
        return jax.tree_util.tree_unflatten(structure, [
            old if (array := new.get(name)) is None else old.replace_boxed(array) if _is_box(old) else array
            for name, (_, old) in zip(names, pairs, strict=True)])

    return slots, put


def dotted(model: Any, path: Any) -> str:
    """The name of the leaf at a path: "layers.0.kernel". linen's {"params": ...} does not count."""
    keys = [_key(key) for key in path]
    return ".".join(keys[1:] if _is_linen(model) and keys[0] == "params" else keys)


def is_collection(model: Any, path: Any) -> bool:
    """Whether a path leads into one of linen's collections other than the parameters."""
    return _is_linen(model) and _key(path[0]) != "params"


def _is_linen(model: Any) -> bool:
    return isinstance(model, Mapping) and isinstance(model.get("params"), Mapping)


def _key(key: Any) -> str:
    """A step of a path as text."""
    for attribute in ("name", "key", "idx"):  # GetAttrKey, DictKey, SequenceKey; FlattenedIndexKey has a key too
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _owner(model: Any, path: Any) -> tuple[Any, str]:
    """The innermost equinox module on a path to an array, and what the array is if it is no parameter."""
    owner, kind, node = None, "", model
    for key in path[:-1]:
        if is_equinox(node):
            check_layer(node)
            owner = node
        try:
            node = _step(node, key)
        except (AttributeError, KeyError, IndexError, TypeError):  # a node of the user's own, flattened otherwise
            return None, kind
        if type(node).__name__ == "StateIndex":
            kind = "state"
    if is_equinox(node):
        check_layer(node)
        owner = node
    return owner, kind


def _step(node: Any, key: Any) -> Any:
    """What a node holds at one step of a path: GetAttrKey, DictKey, SequenceKey."""
    if hasattr(key, "name"):
        return getattr(node, key.name)
    return node[key.key if hasattr(key, "key") else key.idx]


def _is_box(value: Any) -> bool:
    """Whether it is one of linen's boxes for metadata, as `nn.with_partitioning` makes them."""
    meta = sys.modules.get("flax.core.meta")
    return meta is not None and isinstance(value, meta.AxisMetadata)


def _linen_layer(name: str, shapes: dict[str, tuple[int, ...]]) -> Layer | None:
    """What names tell: linen calls a layer without a name Dense_0, and an attention's parts query, key, value, out."""
    own, field = ["", *name.split(".")][-2:]
    automatic = re.fullmatch(r"([A-Z]\w*)_\d+", own)
    layer = Layer((automatic[1],)) if automatic else Layer()
    if field == "embedding" and len(shapes[name]) == 2:
        return layer._replace(layout="oi")
    if field == "kernel" and own in ("query", "key", "value", "out") and len(shapes[name]) == 3:
        prefix = name.removesuffix(f"{own}.kernel")
        query, out = (shapes.get(f"{prefix}{part}.kernel", ()) for part in ("query", "out"))
        if len(query) == len(out) == 3 and query[1:] == out[:2]:
            return Layer(("DenseGeneral",), "iio" if own == "out" else "ioo")
    return layer if layer.types else None
