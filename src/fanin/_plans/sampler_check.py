"""A user's sampler, tried before anything is planned with it."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from .._errors import FaninError, FaninTypeError, FaninValueError, a_type, shown
from .._kernels.compiled_types import with_compiled_types
from .._kernels.literals import Number, freeze

# Where a user's sampler is tried: near both ends, and between them a point for each piece that it may be made of.
TRIED = (2.0**-33, 1e-6, 1e-3, 0.999, 1 - 2.0**-24, *((i + 0.5) / 64 for i in range(64)))


def check_sampler(sampler: Callable[..., Any], number: Number, params: tuple[Any, ...]) -> types.FunctionType:
    """The sampler as it is now, after it was tried.

    Raises:
        FaninTypeError: it doesn't take `params`; it leaves u's type, and so would differ between backends; or it reads
            what can't be compared by value.
        FaninValueError: it makes infinities or NaN, or reads a number that its type doesn't hold.
    """
    if type(sampler) is not types.FunctionType:
        raise FaninTypeError(f"`sampler` must be a plain Python function (got {shown(sampler)}): fanin compiles it "
                             "itself, so leave @njit out")
    code, defaults = sampler.__code__, len(sampler.__defaults__ or ())
    least, most = code.co_argcount - defaults - 1, code.co_argcount - 1
    if code.co_flags & 0x0C or code.co_kwonlyargcount or most < 0:
        raise FaninTypeError(f"`sampler` must take u and its parameters, one by one and by position (got {sampler!r})")
    if not least <= len(params) <= most:
        wanted = most if least == most else f"{least} to {most}"
        raise FaninTypeError(f"`params` of {sampler.__name__} must be {wanted} numbers (got {len(params)})")
    frozen = freeze(sampler)
    _try(frozen, np.dtype(number), params)
    return frozen


@functools.lru_cache(maxsize=1024)
def _try(sampler: types.FunctionType, dtype: np.dtype[Any], params: tuple[Any, ...]) -> None:
    number = dtype.type
    tried = with_compiled_types(sampler, number)
    for u in TRIED:
        try:
            with np.errstate(all="ignore"):
                value = tried(number(u), *params)
        except Exception as error:  # whatever a user's function raises
            said = error if isinstance(error, FaninError) else f"{type(error).__name__}: {error}"
            raise FaninTypeError(f"`sampler` {sampler.__name__} must make a number of each u in (0, 1) (at {u:.6g}: "
                                 f"{said})") from error
        if type(value) is not number:
            raise FaninTypeError(f"`sampler` must return u's type, {dtype.name} (got "
                                 f"{a_type(value)} from {sampler.__name__}): write constants as floats, 2.0 "
                                 "not 2 and PI = math.pi in the module, and use fanin.math")
        if not np.isfinite(value):
            raise FaninValueError(f"`sampler` {sampler.__name__} must make a finite number of each u in (0, 1) (got "
                                  f"{value} at {u:.6g})")
