"""What is known of a parameter's axes, and schemes that are told it: the one place where layers' facts meet schemes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .._errors import FaninTypeError, shown
from .._initializers import Initializer, Orthogonal, Registry, Sparse, parameters
from .._initializers.codec import as_json
from ._parameter import Layer

LAYOUTS = {"torch": "oi*", "jax": "*io"}  # of parameters whose layer tells none
ROLES = ("layout", "groups", "transposed")  # they say together which axes are in and out
FANS = ("fan_in", "fan_out")


class Facts(NamedTuple):
    """What is known of a parameter's axes: by its layer, else by the framework's usual layout."""

    layer: Layer = Layer()
    usual: str = "oi*"

    def parameters(self, profiled: bool) -> dict[str, Any]:
        """What schemes are told; a profile's layout gives way to the layer's, but not to a framework's usual one."""
        known: dict[str, Any] = {}
        if self.layer.layout is not None:
            known = {key: getattr(self.layer, key) for key in ROLES} | {"axis": _rows(self.layer.layout)}
        elif self.usual != "oi*" and not profiled:  # which is every scheme's own
            known = {"layout": self.usual, "axis": _rows(self.usual)}
        return known | {key: getattr(self.layer, key) for key in FANS if getattr(self.layer, key) is not None}

    def of_a_block(self) -> Facts:
        """The same for a part along one axis, whose fans are its own shape's."""
        return self._replace(layer=self.layer._replace(fan_in=None, fan_out=None))


def _rows(layout: str) -> int:
    """The axis of the outputs, which orthogonal and sparse matrices have as their rows, where it is at an end."""
    return -1 if layout.endswith("o") and not layout.startswith("o") else 0


NOTHING_KNOWN = Facts()


def as_data(init: Any) -> Any:
    """`init` as JSON values: a name, a table with `name` and parameters, or a config with `scheme`.

    Of a scheme's config what a layer knows better is left out where it stands at its default. A scheme whose class is
    not registered has no such config, and stays what it is.
    """
    if isinstance(init, Initializer):
        config = init.get_config()
        if ":" in config["scheme"]:
            return init
        nested = {key: value for key, value in _given(init).items() if isinstance(value, (Initializer, tuple))}
        init = {"scheme": config["scheme"], "version": config["version"],
                **{key: nested.get(key, config[key]) for key in _given(init)}}
    if isinstance(init, Mapping):
        return {key: as_data(value) for key, value in init.items()}
    if isinstance(init, Sequence) and not isinstance(init, str):
        return [as_data(value) for value in init]
    return as_json("init", init)


def _given(scheme: Initializer) -> dict[str, Any]:
    """A scheme's parameters, but for those that a layer knows better and that stand at their default."""
    defaults = parameters.defaults(type(scheme))
    return {key: value for key, value in parameters.values(scheme).items()
            if key not in (*ROLES, *FANS, "axis") or value != defaults[key]}


def build(init: Any, facts: Facts = NOTHING_KNOWN) -> Initializer:
    """The scheme that `init`, as from `as_data`, stands for, with the facts wherever `init` does not say otherwise."""
    given: Any
    if isinstance(init, str):
        scheme, given, profiled = Registry.get(init), (), ":" in init
    elif isinstance(init, Initializer):
        scheme, given, profiled = init, _given(init), False
    elif isinstance(init, dict) and ("scheme" in init or isinstance(init.get("name"), str)):
        given, profiled = init, "profile" in init or ":" in init.get("name", "")
        if isinstance(init.get("inits"), list):
            init = {**init, "inits": [build(each, facts.of_a_block()) for each in init["inits"]]}
        scheme = Registry.get(init)
    else:
        raise FaninTypeError("`init` must be a name, a table with `name` and parameters, or a config with `scheme` "
                             f"(got {shown(init)})")
    known = facts.parameters(profiled)
    if any(key in given for key in ROLES):
        known = {key: value for key, value in known.items() if key not in ROLES}
    if not isinstance(scheme, (Orthogonal, Sparse)):  # another scheme's axis is something else
        known.pop("axis", None)
    taken = parameters.signature(type(scheme))
    changes = {key: value for key, value in known.items() if key not in given and key in taken}
    return scheme.replace(**changes) if changes else scheme


def scheme_in_layout(init: Any, layout: str) -> Initializer:
    """The scheme of a name, table, config or scheme, in a framework's usual layout where `init` gives none.

    A scheme's layout that stands at its default gives none. One whose class is not registered stays what it is.
    """
    data = as_data(init)
    return data if isinstance(data, Initializer) else build(data, Facts(usual=layout))
