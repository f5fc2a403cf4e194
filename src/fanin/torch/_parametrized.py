"""Drawing into computed weights: a draw goes back to what they are computed from, as a weight does when it gets there.

So it makes no difference whether a layer is initialized first, or first parametrized, normalized or pruned. Where the
weight that comes out is not the drawn one (weight_norm: the last bits; spectral_norm: divided by its norm) a note says
so; where it isn't finite, nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from .._errors import FaninError, FaninTypeError, FaninValueError
from .._initializers import Normal
from .._seeding import Stream
from ..rules import Row
from ._computed import Computed, Tensors
from ._places import Place
from ._sharded import is_sharded


def check(how: Computed) -> None:
    """Refuse what `prepare` could not draw into."""
    if any(map(is_sharded, how.registered().values())):
        raise FaninTypeError("a parametrized tensor must not be sharded: initialize it before it is sharded")


def prepare(place: Place, row: Row, source: int | Stream, device: torch.device | None) -> tuple[Tensors, str]:
    """What the tensors become that it is computed from, and the note for the table. Nothing of the module is written.

    They are on `device` if the module's are on meta.
    """
    how: Any = place.computed
    registered, spec, name = how.registered(), place.spec(), row.parameter.name
    kept = {key: registered[key] for key in (*how.originals, *how.state)}
    target = device if place.tensor.is_meta else place.tensor.device

    def normal(use: str, shape: tuple[int, ...]) -> torch.Tensor:
        out = torch.empty(shape, dtype=spec.dtype, device=target)
        Normal()(shape, seed=source, name=name + use, out=out)
        return out

    value = torch.empty(spec.shape, dtype=spec.dtype, device=target)
    scheme: Any = row.scheme
    scheme(row.parameter.shape, seed=source, name=name, out=value)
    try:
        with torch.no_grad():
            new = how.invert(value, normal)
    except Exception as error:
        if isinstance(error, FaninError):
            raise
        raise FaninValueError(f"{name!r}: the parametrization {how.kinds} must take the values of {row.label} (got "
                              f"{type(error).__name__}: {error})") from None
    made, wanted = [[(tuple(each.shape), each.dtype) for each in tensors] for tensors in (new, kept.values())]
    if made != wanted or any(each.is_meta for each in new):
        raise FaninValueError(f"{name!r}: the parametrization {how.kinds} must take values back to {wanted} (got "
                              f"{made}): give it a `right_inverse`")
    tensors = dict(zip(kept, new, strict=True))
    return tensors, f"through {how.kinds}{_difference(how, registered | tensors, value, row)}"


def _difference(how: Computed, tensors: Tensors, value: torch.Tensor, row: Row) -> str:
    """How far the weight that is made of these is from the draw. FaninValueError: it isn't finite."""
    if any(each.is_meta for each in tensors.values()):
        return ""  # some tensor of the parametrization's own gets its values later
    with torch.no_grad():
        effective = how.compute(tensors)
    if not bool(torch.isfinite(effective).all()):
        raise FaninValueError(f"{row.parameter.name!r}: {how.kinds} must make finite weights of the values of "
                              f"{row.label} (it makes NaN or infinity): give it a rule with values that it can take, "
                              "such as normal")
    if torch.equal(effective, value):
        return ""
    return f", whose values differ from the draw by up to {float((effective - value).abs().max()):.2g}"


def states(places: Iterable[Place]) -> dict[int, str]:
    """{id of a registered tensor: the name of the computed one that it follows from}, as a spectral norm's vectors."""
    found = {}
    for place in places:
        if place.computed and place.computed.state:
            registered = place.computed.registered()
            found |= {id(registered[key]): place.name for key in place.computed.state}
    return found


def write(how: Computed, new: Tensors) -> None:
    """Put the tensors in place."""
    registered = how.registered()
    with torch.no_grad():
        for key, values in new.items():
            registered[key].copy_(values)
    how.settle()
