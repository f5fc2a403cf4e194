"""Copies of a plain function over other globals: one text of a loop serves every block function and every sampler.

A loop takes the functions that it calls from its globals, not from a closure: a compiled function in a closure becomes
part of the key of numba's disk cache, where it differs in each process, and the code would never be found again.
"""

from __future__ import annotations

import types
from typing import Any


def with_globals(function: Any, name: str, /, **names: Any) -> types.FunctionType:
    """A copy of `function` that finds `names` among its globals, before its module's own.

    `name` tells it apart from other copies: numba names the file of compiled code by it.
    """
    copy = types.FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__,
                              function.__defaults__, function.__closure__)
    copy.__qualname__ = name
    return copy
