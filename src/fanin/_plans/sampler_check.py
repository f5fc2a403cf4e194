"""A sampler of a user's, tried before anything is planned with it."""

import numpy as np

from .._errors import FaninTypeError
from .._kernels.literals import with_compiled_types

# Where a user's sampler is tried: both ends, and between them a point for each piece that it may be made of.
TRIED = (2.0**-33, 1e-6, 1e-3, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.999, 1 - 2.0**-24)


def check_sampler(sampler, number, params):
    """Refuse a user's sampler that doesn't take `params`, or leaves u's type and so would differ between backends."""
    code, defaults = sampler.__code__, len(sampler.__defaults__ or ())
    least, most = code.co_argcount - defaults - 1, code.co_argcount - 1
    if code.co_flags & 0x0C or code.co_kwonlyargcount or most < 0:
        raise FaninTypeError(f"`sampler` must take u and its parameters, one by one and by position (got {sampler!r})")
    if not least <= len(params) <= most:
        wanted = most if least == most else f"{least} to {most}"
        raise FaninTypeError(f"`params` of {sampler.__name__} must be {wanted} numbers (got {len(params)})")
    with np.errstate(all="ignore"):
        tried = with_compiled_types(sampler, number)
        for u in TRIED:
            value = tried(number(u), *params)
            if type(value) is not number:
                raise FaninTypeError(f"`sampler` must return u's type, {np.dtype(number).name} (got a "
                                     f"{type(value).__name__} from {sampler.__name__}): write constants as floats, 2.0 "
                                     "not 2 and PI = math.pi in the module, and use fanin.math")
