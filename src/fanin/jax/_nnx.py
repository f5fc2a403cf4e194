"""The arrays of a flax nnx model: its Variables by their paths. Imported where flax.nnx is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from flax import nnx

from .._errors import FaninTypeError, a_type
from ..rules._slots import Slot, with_ties
from ._layers import check_layer, layer_of
from ._slots import Arrays, is_array, slot_of

_OBJECT: Any = getattr(nnx, "Pytree", None) or nnx.Object  # what modules are, and lists and random streams
_OWN = ("_pytree__", "_object__", "_length")  # nnx' own entries


def is_model(model: Any) -> bool:
    """Whether there are nnx modules or variables in it."""
    known = (_OBJECT, nnx.Variable)
    return any(isinstance(each, known) for each in jax.tree.leaves(model, is_leaf=lambda each: isinstance(each, known)))


def find_slots(model: Any) -> tuple[list[Slot], Callable[[Arrays], Any]]:
    """All arrays, and a function that puts new ones by name into the model's own Variables and returns the model."""
    slots: list[Slot] = []
    variables: dict[str, Any] = {}
    first: dict[int, str] = {}  # id of a Variable -> its name
    for path, owner, value in _walk(model, (), None, []):
        name = ".".join(map(str, path))
        if not isinstance(value, nnx.Variable):
            slots.append(slot_of(name, value, None, "an array outside of a Variable")._replace(buffer=False))
            continue
        array, kind = _get(value), "" if isinstance(value, nnx.Param) else type(value).__name__
        if not is_array(array):  # a Variable may hold anything
            if not kind and any(map(is_array, jax.tree.leaves(array))):
                raise FaninTypeError(f"`model` must hold one array in each nnx.Param (got {a_type(array)} of "
                                     f"arrays in {name!r}): make a Param of each")
            continue
        layer = layer_of(owner, str(path[-1]), tuple(array.shape)) if owner is not None else None
        tied = first.setdefault(id(value), name)
        slots.append(slot_of(name, array, layer, kind, tied if tied != name else ""))
        variables[tied] = value

    def put(arrays: Arrays) -> Any:
        for name, array in arrays:
            _set(variables[name], array)
        return model

    return with_ties(slots), put


def _walk(node: Any, path: tuple[Any, ...], owner: Any, above: list[Any]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """(path, the module that holds it, Variable or array) for each, in nnx' own order, by name.

    The order in which attributes were set is lost in nnx.eval_shape, and it must not say which name of a tied parameter
    keys its draw.
    """
    if isinstance(node, nnx.Variable):
        yield path, owner, node
        return
    if isinstance(node, _OBJECT):
        check_layer(node)
        children: Any = sorted(vars(node).items(), key=_order)
        if isinstance(node, nnx.Module) and not isinstance(node, (Mapping, Sequence)):  # nnx.List is no layer
            owner = node
    elif isinstance(node, Mapping):
        children = sorted(node.items(), key=_order)
    elif isinstance(node, (list, tuple)):
        children = enumerate(node)
    else:
        if is_array(node):
            yield path, owner, node
        return
    if any(node is each for each in above):
        return  # a module may hold the one that holds it
    for key, child in children:
        if not str(key).startswith(_OWN):
            yield from _walk(child, (*path, key), owner, [*above, node])


def _order(item: tuple[Any, Any]) -> tuple[int, int, str]:
    """Numbers before names, each in their own order."""
    key = str(item[0])
    return (0, int(key), "") if key.isdecimal() else (1, 0, key)


def _get(variable: Any) -> Any:
    return variable.get_value() if hasattr(nnx.Variable, "get_value") else variable.value


def _set(variable: Any, array: jax.Array) -> None:
    if hasattr(nnx.Variable, "set_value"):
        variable.set_value(array)
    else:
        variable.value = array
