"""Where each parameter of a model goes."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from .._errors import FaninError, FaninValueError, listed
from ..rules._slots import Slot
from ._arrays import check_sharding, on_mesh
from ._trees import dotted

_ONE = (Sharding, PartitionSpec, jax.Device)


class Shardings:
    """The argument `shardings` of `init_model`, read and checked."""

    def __init__(self, shardings: Any, names: list[str]) -> None:
        self._given: Any = lambda parameter: shardings
        if callable(shardings) and not isinstance(shardings, _ONE):
            self._given = shardings
        elif shardings is not None and not isinstance(shardings, _ONE):
            by_name = _by_name(shardings, names)
            unknown = sorted(set(by_name) - set(names))
            if unknown:
                raise FaninValueError("`shardings` must be a tree with the model's own paths (got "
                                      f"{listed(map(repr, unknown))}, which the model has not)")
            self._given = lambda parameter: by_name.get(parameter.name)

    def find(self, slot: Slot) -> Sharding | None:
        """A parameter's sharding, the one given or its own, or None for the default device."""
        try:
            given = self._given(slot.parameter)
            return check_sharding(given if given is not None else _own(slot.place), slot.parameter.shape)
        except FaninError as error:
            raise type(error)(f"{slot.parameter.name!r}: {error}") from None


def _by_name(tree: Any, names: list[str]) -> dict[str, Any]:
    """Shardings by dotted names; those in the Variables of a State of nnx have one step more."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda each: isinstance(each, _ONE))
    by_path = {dotted(tree, path): each for path, each in pairs}
    return {path if path in names else path.removesuffix(".value"): each for path, each in by_path.items()}


def _own(value: Any) -> Any:
    """Where an array is, or a ShapeDtypeStruct says it should be; None for an array that JAX may move."""
    sharding = getattr(value, "sharding", None)
    if isinstance(value, jax.Array) and not value.committed:
        return None
    if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, jax.sharding.AbstractMesh):
        return on_mesh("shardings", sharding.spec, getattr(jax.sharding, "get_mesh", None))
    return sharding
