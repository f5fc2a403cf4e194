"""`verify_module`: what a module holds, compared with what would be drawn into it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .._drawing.arrays import is_empty
from .._errors import FaninError, FaninValueError, listed
from .._seeding import check_source
from ..rules import Parameter, Row, Rules
from ..rules._comparison import Comparison, Index, Tally, index_in, whole_block
from ..rules._slots import assign_slots
from . import _offloaded, _parametrized, _sharded
from ._places import Place, check_module, config_of
from ._slots import find_slots

if TYPE_CHECKING:
    from .._seeding import Stream
    from .._types import Array, Seed
    from ..rules._names import RulesLike

_ROUNDING = 4  # units in the last place of the largest element


def verify_module(module: nn.Module, rules: RulesLike, *, seed: Seed | None = None,
                  buffers: bool | str | Sequence[str] = False, prefix: str = "") -> Comparison:
    """Draw a module's parameters again and compare them with its own, bit by bit; nothing is written.

    In a sharded module each rank compares its own parts, without communication. It draws, and copies from a GPU, a
    piece of 8 MiB at a time (an orthogonal or parametrized tensor at once).

    Args:
        module, rules, seed, buffers, prefix: as they were given to `init_module`.

    Returns:
        A `Comparison`, which prints as a summary: `ok`, and the `differences`, a `Difference` for each tensor with the
        first element that differs. Orthogonal tensors are compared within their bound, 1e-5 times the gain; weights
        that are computed (weight_norm, spectral_norm) by what they are computed from, within rounding.

    Raises:
        FaninValueError, FaninTypeError: as `init_module`; or a tensor on the meta device.

    >>> import torch
    >>> from fanin.torch import init_module, verify_module
    >>> model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.Linear(512, 10))
    >>> _ = init_module(model, "he_normal", seed=7)
    >>> print(verify_module(model, "he_normal", seed=7))
    OK, 4 tensors, 136,714 elements
    >>> with torch.no_grad():
    ...     model[1].bias[3] = 0.5
    >>> print(verify_module(model, "he_normal", seed=7))
    1 of 4 tensors differs
      1.bias: 1 of 10 elements differs, the first at [3]: found 0.5, expected 0.0
    """
    rules, source = Rules.of(rules), check_source(seed)
    check_module(module)
    _offloaded.check_here(module)
    _sharded.prepare(module, seed)
    slots = find_slots(module, buffers, prefix)
    table = assign_slots(rules, slots, partial=True, source=source,  # `init_module` has told of idle rules
                         config=functools.partial(config_of, module))
    drawn = [(slot.place, row) for slot, row in zip(slots, table, strict=True) if row.scheme is not None]
    empty = [place.name for place, _ in drawn if is_empty(place.tensor)]
    if empty:
        raise FaninValueError(f"`module` must have values to compare (got {listed(empty)} on the meta device or as "
                              "FakeTensors)")
    tally = Tally()
    for place, row in drawn:
        try:
            _compare(tally, place, row, source)
        except FaninError as error:
            raise type(error)(f"{place.name!r}: {error}") from None
    return tally.result(table)


def _compare(tally: Tally, place: Place, row: Row, source: int | Stream) -> None:
    if place.computed:
        _compare_computed(tally, place, row, source)
        return
    parts = _sharded.parts(place.tensor) if _sharded.is_sharded(place.tensor) else \
        [(whole_block(row.parameter.shape), place.tensor)]
    for block, part in parts:
        def read(cut: Index, part: torch.Tensor = part) -> Array:
            return _elements(part[cut], row.parameter.dtype)

        tally.compare_block(row, source, block, read)


def _compare_computed(tally: Tally, place: Place, row: Row, source: int | Stream) -> None:
    """By the tensors that it is computed from: of what they would become, norms are sums, which depend on threads."""
    how: Any = place.computed
    _parametrized.check(how)
    expected, registered = _parametrized.prepare(place, row, source, None)[0], how.registered()
    for key in how.originals:
        shape, dtype = tuple(expected[key].shape), row.parameter.dtype
        drawn, found = _elements(expected[key], dtype), _elements(registered[key], dtype)
        bound = _ROUNDING * torch.finfo(expected[key].dtype).eps * float(expected[key].abs().max()) if len(drawn) else 0
        parameter = Parameter(f"{row.parameter.name} ({key})", shape, dtype)
        if not tally.compare(parameter, drawn, found, bound, index_in(shape)):
            return


def _elements(tensor: torch.Tensor, dtype: np.dtype[Any]) -> Array:
    """A tensor's elements on the CPU, as numpy has them."""
    flat = tensor.detach().reshape(-1).cpu().contiguous()
    return flat.view(torch.uint8).numpy().view(dtype)
