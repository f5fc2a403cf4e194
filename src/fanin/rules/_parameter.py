"""What rules are asked about: a parameter, and what the layer that holds it says of its axes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .._checks import finite, flag, integer
from .._checks import shape as check_shape
from .._dtypes import as_dtype
from .._errors import FaninError, FaninTypeError, FaninValueError, a_type, shown
from .._initializers import Initializer
from .._plans.fans import Fans, check_groups, check_layout, compute_fans


class Layer(NamedTuple):
    """What is known about a parameter from its layer; every field may be missing.

    Attributes:
        types: type names, the most derived first: ("Conv2d", "_ConvNd").
        layout: the role of each of the parameter's axes, as in `VarianceScaling`: "oi*", "io*", "*io"; None: not known.
        groups: of a grouped convolution.
        transposed: whether it is a transposed convolution.
        fan_in, fan_out: where no layout tells them, as of an attention's stacked projections.
        padding_idx: the row (along axis 0) that stays zero, as of an embedding.
        start: the scheme of a parameter whose initial value follows from its layer: ones
            for a norm's weight, zeros for one that is applied as 1 + weight.
        fixed: the scheme of a table that is never trained, which no rule changes: sinusoidal positions.
    """

    types: tuple[str, ...] = ()
    layout: str | None = None
    groups: int = 1
    transposed: bool = False
    fan_in: float | None = None
    fan_out: float | None = None
    padding_idx: int | None = None
    start: Initializer | None = None
    fixed: Initializer | None = None

    def fans(self, shape: tuple[int, ...], layout: str = "oi*") -> Fans:
        """The parameter's fans; `layout` where the layer tells none.

        >>> Layer(("ConvTranspose2d",), "io*", transposed=True).fans((64, 32, 4, 4))
        Fans(fan_in=1024, fan_out=512)
        """
        if self.fan_in is not None and self.fan_out is not None:
            return Fans(self.fan_in, self.fan_out)
        fans = compute_fans(shape, self.layout or layout, self.groups, self.transposed)
        return Fans(self.fan_in or fans.fan_in, self.fan_out or fans.fan_out)

    def completed(self, other: Layer) -> Layer:
        """What this layer and another one say of a parameter that both hold; this one's word where both say something.

        >>> Layer(("Linear",), "oi*").completed(Layer(("Embedding",), "oi*", padding_idx=0))
        Layer(types=('Linear', 'Embedding'), layout='oi*', ..., padding_idx=0, start=None, fixed=None)
        """
        if self == other:
            return self
        axes = other if self.layout is None else self
        return axes._replace(types=tuple(dict.fromkeys(self.types + other.types)),
                             padding_idx=other.padding_idx if self.padding_idx is None else self.padding_idx,
                             start=other.start if self.start is None else self.start,
                             fixed=other.fixed if self.fixed is None else self.fixed)

    def to_json(self) -> dict[str, Any]:
        """The fields that say something, for a JSON table.

        >>> Layer(("Linear",), "oi*").to_json()
        {'types': ['Linear'], 'layout': 'oi*'}
        """
        changed = {key: value for key, value in self._asdict().items() if value != self._field_defaults[key]}
        schemes = {key: value.get_config() for key, value in changed.items() if isinstance(value, Initializer)}
        return changed | ({"types": list(self.types)} if self.types else {}) | schemes

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Layer:
        """The inverse of `to_json`; FaninTypeError, FaninValueError for a table that is not one."""
        if not isinstance(table, dict):
            raise FaninTypeError(f"`layer` must be a table (got {shown(table)})")
        for key in table:
            if key not in cls._fields:
                raise FaninValueError(f"`layer` may have {', '.join(cls._fields)} only (got {shown(key)})")
        types = table.get("types", [])
        if not isinstance(types, (list, tuple)) or not all(isinstance(each, str) for each in types):
            raise FaninTypeError(f"`types` of a layer must be a list of names (got {shown(types)})")
        checks: dict[str, Any] = {
            "layout": check_layout, "groups": check_groups, "transposed": lambda value: flag("transposed", value),
            "fan_in": lambda value: _positive("fan_in", value),
            "fan_out": lambda value: _positive("fan_out", value),
            "padding_idx": lambda value: integer("padding_idx", value), "start": Initializer.from_config,
            "fixed": Initializer.from_config,
        }
        try:
            return cls(tuple(types), **{key: check(table[key]) for key, check in checks.items()
                                        if table.get(key) is not None})
        except FaninError as error:
            raise type(error)(f"`layer`: {error}") from None


NO_LAYER = Layer()  # of a parameter of which no layer is known


def _positive(name: str, value: Any) -> Any:
    if finite(name, value) <= 0:
        raise FaninValueError(f"`{name}` must be > 0 (got {value!r})")
    return value


class Parameter(NamedTuple):
    """One parameter of a model, as rules see it.

    Attributes:
        name: with the seed it determines the values, so it must be the same wherever the model is.
        shape: of the whole tensor.
        dtype: a numpy dtype; those who take parameters read a name, or another library's dtype, as well.
        layer: what is known of the layer that holds it, or None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    layer: Layer | None = None

    def fans(self, layout: str = "oi*") -> Fans:
        """fan_in and fan_out, by the layer if it tells them."""
        return (self.layer or NO_LAYER).fans(self.shape, layout)


def read_parameters(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Parameters as users write them, each with a tuple for its shape and a numpy dtype.

    >>> read_parameters([Parameter("w", [8, 8], "bf16")])
    [Parameter(name='w', shape=(8, 8), dtype=dtype(bfloat16), layer=None)]
    """
    read = []
    for each in parameters:
        if not isinstance(each, Parameter):
            raise FaninTypeError(f"`parameters` must hold a fanin.rules.Parameter each (got {shown(each, 100)}, "
                                 f"{a_type(each)})")
        if not isinstance(each.name, str):
            raise FaninTypeError(f"`name` of a parameter must be a string (got {shown(each.name, 100)}, "
                                 f"{a_type(each.name)})")
        try:
            dtype = each.dtype if isinstance(each.dtype, np.dtype) else as_dtype(each.dtype)  # float8 stays what it is
            read.append(each._replace(shape=check_shape(each.shape), dtype=dtype))
        except FaninError as error:
            raise type(error)(f"{each.name!r}: {error}") from None
    return read
