"""What an initializer draws, once its shape and dtype are known: a function from a key to an array.

float32 is replayed: JAX's own words and operations. Half and complex types, and float64 where JAX's 64-bit types are
on, have JAX's law but fanin's numbers: the scheme's draw with the seed that the key's two words make.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..._backends import get_backend
from ..._dtypes import check_range, is_complex, is_floating
from ..._errors import FaninIndexError, FaninValueError
from ..._initializers import Normal, Orthogonal, TruncatedNormal, Uniform, VarianceScaling
from . import _samplers
from ._erf import SQRT2, F, erf
from ._errors import UnsupportedError
from ._qr import orthogonal_factor

if TYPE_CHECKING:
    from ..._initializers import Initializer
    from ..._initializers.variance_scaling import Distribution, Mode
    from ..._types import Array, Dims, Sampler
    from ._keys import Key

Draw: TypeAlias = Callable[[Any], Any]  # from a key to an array

FARTHEST = 5.5  # std: beyond the largest of JAX's float32 normal draws
CUT_AT_TWO_STD = F(0.87962566103423978)  # std of a normal cut at +-2, as JAX spells it


def bits(shape: Dims) -> Draw:
    """The words themselves."""
    return functools.partial(_replay, shape, np.uint32, _samplers.word, ())


def uniform(scale: float, shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """scale·U[0, 1)."""
    require_floating("uniform", dtype)
    if dtype == np.float32:
        check_range("`scale`", scale, scale, dtype)
        return _float32(shape, _samplers.uniform, 0, 1, scale)
    return _signed(scale, Uniform(0.0, abs(scale)), shape, dtype)


def uniform_between(low: float, high: float, shape: Dims) -> Draw:
    """float32 U[low, high), as jax.random.uniform draws it with minval and maxval."""
    check_range("`minval`, `maxval`", low, high, np.dtype(np.float32))
    return _float32(shape, _samplers.uniform, low, F(high) - F(low), 1)


def normal(stddev: float, shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """N(0, stddev²)."""
    require_floating("normal", dtype, complex_too=True)
    if dtype == np.float32:
        check_range("`stddev`: values", -FARTHEST * stddev, FARTHEST * stddev, dtype)
        return _float32(shape, _samplers.normal, stddev)
    return _signed(stddev, Normal(0.0, abs(stddev)), shape, dtype)


def truncated_normal(stddev: float, lower: float, upper: float, shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """N(0, 1) on (lower, upper), times stddev."""
    require_floating("truncated_normal", dtype)
    if dtype == np.float32:
        check_range("`stddev`: values", -FARTHEST * stddev, FARTHEST * stddev, dtype)
        return _float32(shape, _samplers.truncated, *_truncation(lower, upper), stddev)
    return _signed(stddev, TruncatedNormal(0.0, abs(stddev), lower, upper), shape, dtype)


def variance_scaling(scale: float, mode: Mode, distribution: Distribution, fans: tuple[float, float] | None,
                     shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """Variance scale/n; `fans` are None for a shape without elements."""
    require_floating("variance_scaling", dtype, complex_too=True)
    if fans is None:
        return functools.partial(_empty, shape, dtype)
    if dtype != np.float32:
        scheme = VarianceScaling(scale, mode, distribution, fan_in=fans[0], fan_out=fans[1])
        return functools.partial(_law, scheme, 1, shape, dtype)
    fan_in, fan_out = fans
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2,
         "fan_geo_avg": (fan_in * fan_out) ** 0.5}[mode]
    check_range("`scale`/n", 0, 3 * scale / n, dtype)
    variance = F(scale / n)
    if distribution == "uniform":
        return _float32(shape, _samplers.uniform, -1, 2, np.sqrt(F(3) * variance))
    if distribution == "normal":
        return _float32(shape, _samplers.normal, np.sqrt(variance))
    return _float32(shape, _samplers.truncated, *_truncation(-2, 2), np.sqrt(variance) / CUT_AT_TWO_STD)


def orthogonal(scale: float, column_axis: int, shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """`scale` times a matrix with orthonormal rows or columns; shape[column_axis] columns, the other axes rows."""
    require_floating("normal", dtype, complex_too=True)
    if not -len(shape) <= column_axis < len(shape):
        raise FaninIndexError(f"`column_axis` must be between {-len(shape)} and {len(shape) - 1} for the shape {shape} "
                              f"(got {column_axis})")
    if 0 in shape:
        return functools.partial(_empty, shape, dtype)
    if dtype.itemsize == 2:
        raise UnsupportedError(f"`dtype` must be float32 or complex64 for orthogonal, as in JAX (got {dtype.name}): "
                               "draw float32 and cast it, or use fanin.Orthogonal")
    check_range("`scale`", scale, scale, dtype)
    if dtype != np.float32:
        return functools.partial(_law, Orthogonal(scale, column_axis), 1, shape, dtype)
    columns = shape[column_axis]
    rows = math.prod(shape) // columns
    matrix = _float32((max(rows, columns), min(rows, columns)), _samplers.normal, 1)
    return functools.partial(_orthogonal, matrix, F(scale), column_axis, rows, columns, shape)


def delta_orthogonal(scale: float, column_axis: int, shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """`orthogonal` in the last two axes at the kernel's centre (k - 1)//2, zero elsewhere."""
    return functools.partial(_at_centre, orthogonal(scale, column_axis, shape[-2:], dtype), shape, dtype)


def require_floating(name: str, dtype: np.dtype[Any], complex_too: bool = False) -> None:
    """Refuse a dtype that JAX has no such draws of."""
    if not is_floating(dtype) or is_complex(dtype) and not complex_too:
        kind = "a floating-point or complex" if complex_too else "a real floating-point"
        raise FaninValueError(f"`dtype` must be {kind} type for {name} (got {dtype.name})")


# -- float32 ----------------------------------------------------------------------------------------------------------


def _float32(shape: Dims, which: Sampler, *params: Any) -> Draw:
    return functools.partial(_replay, shape, np.float32, which, tuple(F(param) for param in params))


def _replay(shape: Dims, dtype: Any, which: Sampler, params: tuple[Any, ...], key: Key) -> Array:
    get_backend("cpu")  # which loads numba: half a second, and not to be interrupted
    from ._fill import fill

    out = np.empty(shape, dtype)
    fill(out, key, which, params)
    return out


@functools.lru_cache(64)
def _truncation(lower: float, upper: float) -> tuple[Any, ...]:
    """The sampler's parameters for a truncation to (lower, upper), computed as XLA computes them."""
    bounds = F(lower), F(upper)
    low, high = (erf(bound * (F(1) / SQRT2)) for bound in bounds)
    return low, high - low, np.nextafter(bounds[0], F(np.inf)), np.nextafter(bounds[1], F(-np.inf))


def _orthogonal(matrix: Draw, scale: Any, column_axis: int, rows: int, columns: int, shape: Dims, key: Key) -> Array:
    q = orthogonal_factor(matrix(key))
    q *= scale
    q = q if rows >= columns else q.T
    rest = tuple(np.delete(shape, column_axis))
    return np.ascontiguousarray(np.moveaxis(q.reshape(*rest, columns), -1, column_axis))


def _at_centre(matrix: Draw, shape: Dims, dtype: np.dtype[Any], key: Key) -> Array:
    out = np.zeros(shape, dtype)
    if out.size:
        out[tuple((k - 1) // 2 for k in shape[:-2])] = matrix(key)
    return out


# -- other types ------------------------------------------------------------------------------------------------------


def _signed(factor: float, scheme: Initializer, shape: Dims, dtype: np.dtype[Any]) -> Draw:
    """A draw of a scheme made for |factor|, times its sign."""
    return functools.partial(_law, scheme, math.copysign(1, factor), shape, dtype)


def _law(scheme: Initializer, sign: float, shape: Dims, dtype: np.dtype[Any], key: Key) -> Array:
    out = scheme(shape, dtype, seed=key.seed)
    return out if sign > 0 else np.negative(out, out=out)


def _empty(shape: Dims, dtype: np.dtype[Any], key: Key) -> Array:
    return np.zeros(shape, dtype)
