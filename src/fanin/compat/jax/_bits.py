"""The raw words of a key."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _draws
from ._call import call


def bits(key: Any, shape: Any = ()) -> Any:
    """Random uint32 words, as `jax.random.bits` makes them.

    Args:
        key: a `Key`, a raw pair of uint32, or a `jax.random` key.
        shape: an int or a sequence of ints.

    >>> from fanin.compat.jax import key
    >>> bits(key(0), 3)
    array([4070199207, 4202968722, 1427181096], dtype=uint32)
    """
    return call("bits", _plan, key, shape, np.uint32, None)


def _plan(shape: Any, dtype: Any) -> _draws.Draw:
    return _draws.bits(shape)
