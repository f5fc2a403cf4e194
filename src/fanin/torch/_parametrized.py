"""Parametrized weights: a draw goes back through `right_inverse`, as a weight does when it is parametrized.

So it makes no difference whether a layer is initialized or parametrized first. Where the weight that comes out is not
the drawn one (weight_norm: the last bits; spectral_norm: divided by its norm) a note says so.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from .._errors import FaninError, FaninTypeError, FaninValueError
from .._seeding import Stream
from ..rules import Row
from ._places import Place, evaluate
from ._sharded import is_sharded


def originals(place: Place) -> list[torch.Tensor]:
    """The tensors that a parametrized one is computed from."""
    chain: Any = place.parametrizations
    return [chain.original] if chain.is_tensor else [getattr(chain, f"original{i}") for i in range(chain.ntensors)]


def check(place: Place) -> None:
    """Refuse what `prepare` could not draw into."""
    if any(map(is_sharded, originals(place))):
        raise FaninTypeError("a parametrized tensor must not be sharded: initialize it before it is sharded")


def prepare(place: Place, row: Row, source: int | Stream, device: torch.device | None
            ) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """(what is drawn, what its originals become), on `device` if they are on meta. Nothing of the module is written."""
    kept, spec = originals(place), place.spec()
    value = torch.empty(spec.shape, dtype=spec.dtype, device=device if kept[0].is_meta else kept[0].device)
    scheme: Any = row.scheme
    scheme(row.parameter.shape, seed=source, name=row.parameter.name, out=value)
    new: Any = value
    names = ", ".join(type(each).__name__ for each in place.parametrizations)
    try:
        with torch.no_grad():
            for each in reversed(place.parametrizations):
                if hasattr(each, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):  # then torch, too, takes it for the identity
                        new = each.right_inverse(new)
        new = [new] if isinstance(new, torch.Tensor) else list(new)
    except Exception as error:
        if isinstance(error, FaninError):
            raise
        raise FaninValueError(f"{place.name!r}: the parametrization {names} must take the values of {row.label} (got "
                              f"{type(error).__name__}: {error})") from None
    made, wanted = [[(tuple(each.shape), each.dtype) for each in tensors] for tensors in (new, kept)]
    if made != wanted or any(each.is_meta for each in new):
        raise FaninValueError(f"{place.name!r}: the parametrization {names} must take values back to {wanted} (got "
                              f"{made}): give it a `right_inverse`")
    return value, [each.clone() if each is value else each for each in new]


def write(place: Place, value: torch.Tensor, new: list[torch.Tensor]) -> str:
    """Put the originals in place; the note for the table."""
    chain = place.parametrizations
    with torch.no_grad():
        for tensor, values in zip(originals(place), new, strict=True):
            tensor.copy_(values)
    effective = evaluate(chain)
    note = f"through {', '.join(type(each).__name__.lstrip('_') for each in chain)}"
    if torch.equal(effective, value):
        return note
    return f"{note}, whose values differ from the draw by up to {float((effective - value).abs().max()):.2g}"
