"""Keras' own numbers for a seed, as its JAX, torch or numpy backend draws them: `backend=` of the random classes.

A law here is Keras' call of its backend: ("uniform", minval, maxval), ("normal", mean, stddev) or
("truncated_normal", mean, stddev), cut at two stddev.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from ..._checks import choice
from ..._dtypes import FLOATING
from ..._errors import FaninValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._types import Array, Dims

Backend = Literal["jax", "torch", "numpy"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)


class Law(NamedTuple):
    """What Keras asks its backend for: U[a, b), or a normal of mean a and stddev b."""

    name: Literal["uniform", "normal", "truncated_normal"]
    a: float
    b: float


def check_backend(backend: Any) -> Backend | None:
    """None, or the name of a backend."""
    return None if backend is None else choice("backend", backend, BACKENDS)


def draw(backend: Backend, law: Law, shape: Dims, dtype: np.dtype[Any], words: tuple[int, int]) -> Array:
    """What Keras draws by `law` on a backend; `words` are the two of its seed: an int and 0, or a SeedGenerator's."""
    dtypes = ("float32",) if backend == "jax" else FLOATING
    if dtype.name not in dtypes:
        raise FaninValueError(f"`dtype` must be one that backend={backend!r} repeats: {', '.join(dtypes)} (got "
                              f"{dtype.name}): cast a float32 draw, or draw without `backend`")
    return _DRAWS[backend](law, shape, dtype, words)


def _jax(law: Law, shape: Dims, dtype: np.dtype[Any], words: tuple[int, int]) -> Array:
    from ..jax import _draws
    from ..jax._keys import as_key

    key = as_key("seed", np.array(words, np.uint32))
    if law.name == "uniform":
        return _draws.uniform_between(law.a, law.b, shape)(key)
    standard = _draws.normal(1.0, shape, dtype) if law.name == "normal" else \
        _draws.truncated_normal(1.0, -2.0, 2.0, shape, dtype)
    return _times_plus(standard(key), law.b, law.a)


def _torch(law: Law, shape: Dims, dtype: np.dtype[Any], words: tuple[int, int]) -> Array:
    from ..torch import Generator, normal_, uniform_

    generator = Generator().manual_seed(sum(words) % 2**32)
    if law.name == "uniform":
        fractions = uniform_(np.empty(shape, dtype), generator=generator)
        return _times_plus(fractions, law.b - law.a, law.a)
    if law.name == "normal":
        return normal_(np.empty(shape, dtype), law.a, law.b, generator=generator)
    four = normal_(np.empty((*shape, 4), dtype), generator=generator)  # of which the first inside counts
    first = np.argmax((four > -2) & (four < 2), axis=-1, keepdims=True)
    return _times_plus(np.take_along_axis(four, first, axis=-1)[..., 0], law.b, law.a)


def _numpy(law: Law, shape: Dims, dtype: np.dtype[Any], words: tuple[int, int]) -> Array:
    generator = np.random.default_rng(words)
    if law.name == "uniform":
        return generator.uniform(law.a, law.b, shape).astype(dtype)
    if law.name == "normal":
        return generator.normal(law.a, law.b, shape).astype(dtype)
    low, high = law.a - 2 * law.b, law.a + 2 * law.b
    count, inside = math.prod(shape), np.empty(0)
    while len(inside) < count:  # whole batches, of which those inside count
        batch = generator.normal(law.a, law.b, count)
        inside = np.append(inside, batch[(batch >= low) & (batch <= high)])
    return inside[:count].reshape(shape).astype(dtype)


def _times_plus(values: Array, factor: float, term: float) -> Array:
    """values·factor + term in two steps, each rounded to the values' type, as the backends' arrays compute it.

    torch multiplies half types by a float32 factor, but rounds the term that it adds.
    """
    wide = np.promote_types(np.float32, values.dtype).type
    product = (values * wide(factor)).astype(values.dtype)
    return product + np.asarray(wide(term)).astype(values.dtype)


_DRAWS: dict[Backend, Callable[[Law, Dims, np.dtype[Any], tuple[int, int]], Array]] = {
    "jax": _jax, "torch": _torch, "numpy": _numpy}
