"""The factories of jax.nn.initializers without fans: constants, plain distributions, orthogonal matrices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..._checks import integer, real
from ..._errors import FaninTypeError, FaninValueError
from . import _call, _draws, _keys
from . import _types as core
from ._init import Init
from ._types import Array, ArrayLike, DTypeLikeInexact, Initializer, OutShardingType, RealNumeric


def zeros(key: Array,
          shape: core.Shape,
          dtype: DTypeLikeInexact | None = None,
          out_sharding: OutShardingType = None) -> Array:
    """An array of zeros: an initializer itself, not a factory of one. The key is ignored, and may be None.

    >>> zeros(None, (2, 3)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return _full(0, key, shape, dtype, out_sharding)


def ones(key: Array,
         shape: core.Shape,
         dtype: DTypeLikeInexact | None = None,
         out_sharding: OutShardingType = None) -> Array:
    """An array of ones: an initializer itself, not a factory of one. The key is ignored, and may be None.

    >>> ones(None, 3, "bfloat16").tolist()
    [1.0, 1.0, 1.0]
    """
    return _full(1, key, shape, dtype, out_sharding)


def constant(value: ArrayLike,
             dtype: DTypeLikeInexact | None = None) -> Initializer:
    """Every element is `value`, a number or an array that broadcasts to the shape. The key is ignored.

    >>> constant(-7)(None, (2, 3)).tolist()
    [[-7.0, -7.0, -7.0], [-7.0, -7.0, -7.0]]
    """
    return _Constant(value, dtype)


def uniform(scale: RealNumeric = 1e-2,
            dtype: DTypeLikeInexact | None = None) -> Initializer:
    """scale·U[0, 1), one-sided: the words' upper 23 bits, times `scale` in float32.

    Args:
        scale: finite; the end of the interval, also below zero.
        dtype: a real floating-point type; None is float32.

    Raises:
        FaninTypeError, FaninValueError: `scale` is not a finite number; when called: a key, shape or dtype that it
            can't take.

    >>> from fanin.compat.jax import key
    >>> uniform(10.0)(key(42, partitionable=False), (2, 3))
    array([[7.298188 , 8.691938 , 8.7230015],
           [2.0818567, 1.8662417, 5.5022564]], dtype=float32)
    """
    scale = _call.number("scale", scale)
    return Init(uniform, (scale, dtype), dtype, functools.partial(_draws.uniform, scale))


def normal(stddev: RealNumeric = 1e-2,
           dtype: DTypeLikeInexact | None = None) -> Initializer:
    """N(0, stddev²): stddev·√2·erf⁻¹(u), u uniform on (-1, 1). Complex: E|z|² = stddev².

    Args:
        stddev: finite; a negative one turns the signs.
        dtype: a floating-point or complex type; None is float32.

    Raises:
        FaninTypeError, FaninValueError: as `uniform`.

    JAX draws half types from as few random bits as they have (128 values in bfloat16); here they are rounded once.

    >>> from fanin.compat.jax import key
    >>> [round(float(value), 4) for value in normal(5.0)(key(42, partitionable=False), 6)[:3]]
    [3.0613, 5.6129, 5.6867]
    """
    stddev = _call.number("stddev", stddev)
    return Init(normal, (stddev, dtype), dtype, functools.partial(_draws.normal, stddev))


def truncated_normal(stddev: RealNumeric = 1e-2,
                     dtype: DTypeLikeInexact | None = None,
                     lower: RealNumeric = -2.0,
                     upper: RealNumeric = 2.0) -> Initializer:
    """N(0, 1) on (lower, upper), times stddev. The std of the values is below stddev: 0.8796 of it for ±2.

    Args:
        stddev: finite; that of the normal distribution before its truncation.
        dtype: a real floating-point type; None is float32.
        lower, upper: the bounds in units of stddev, lower < upper; they may be infinite.

    Raises:
        FaninTypeError, FaninValueError: as `uniform`; bounds that are not in order.

    In float32 the bounds' erf⁻¹ is JAX's too: beyond 4 std it has few values, and beyond 5.4 std one. There
    `fanin.TruncatedNormal` is right, and so are the half types here. Behind an infinite bound about one word in
    2**23 draws ±3.4e38·stddev, as in JAX.

    >>> from fanin.compat.jax import key
    >>> w = truncated_normal(5.0)(key(0), (512, 256))
    >>> bool(abs(w).max() < 10), round(float(w.std()), 1)
    (True, 4.4)
    """
    stddev, lower, upper = _call.number("stddev", stddev), real("lower", lower), real("upper", upper)
    if not lower < upper:
        raise FaninValueError(f"`lower` must be < `upper` (got lower={lower!r}, upper={upper!r})")
    return Init(truncated_normal, (stddev, dtype, lower, upper), dtype,
                functools.partial(_draws.truncated_normal, stddev, lower, upper))


def orthogonal(scale: RealNumeric = 1.0,
               column_axis: int = -1,
               dtype: DTypeLikeInexact | None = None) -> Initializer:
    """`scale` times a Haar-distributed matrix with orthonormal rows or columns, unitary when complex.

    Args:
        scale: finite; a factor of the whole matrix.
        column_axis: the axis of the columns; the others, in order, are the rows.
        dtype: float32 or complex64; None is float32.

    It is the factor Q of a matrix of `normal` draws, with the diagonal of R positive.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when called: fewer than two dimensions.
        NotImplementedError (a FaninTypeError too): a half dtype, or an `out_sharding`, as in JAX.

    >>> import numpy as np
    >>> from fanin.compat.jax import key
    >>> q = orthogonal()(key(0), (3, 4))
    >>> bool(abs(q @ q.T - np.eye(3)).max() < 1e-6)
    True
    """
    scale, column_axis = _call.number("scale", scale), integer("column_axis", column_axis)

    return Init(orthogonal, (scale, column_axis, dtype), dtype,
                functools.partial(_plan_orthogonal, scale, column_axis), shards=False)


class _Constant(Init):
    def __init__(self, value: Any, dtype: Any) -> None:
        super().__init__(constant, (value, dtype), dtype, plan=None)

    def _make(self, key: Any, shape: Any, dtype: Any, out_sharding: Any) -> Any:
        return _full(self._arguments[0], key, shape, dtype, out_sharding)


def _full(value: Any, key: Any, shape: Any, dtype: Any, out_sharding: Any) -> Any:
    shape = _call.check_shape(shape)
    with_jax = out_sharding is not None or _keys.is_jax(key) or _keys.is_jax(value)
    dtype = _call.check_dtype(dtype, with_jax and _call.wide_types())
    value = value if _keys.is_jax(value) else np.asarray(value)
    if value.dtype.kind == "c" and dtype.kind != "c":
        raise FaninTypeError(f"`dtype` must be complex for a complex value (got {dtype.name})")
    if value.ndim > len(shape) or any(n not in (1, dim) for n, dim in zip(value.shape[::-1], shape[::-1])):
        raise FaninValueError(f"`value` must broadcast to the shape {shape} (got an array of shape {value.shape})")
    if not with_jax:
        return np.full(shape, value, dtype)
    from . import _with_jax

    return _with_jax.full(shape, value, dtype, out_sharding)


def _plan_orthogonal(scale: float, column_axis: int, shape: Any, dtype: Any) -> _draws.Draw:
    if len(shape) < 2:
        raise FaninValueError(f"`shape` must have at least 2 dimensions for orthogonal (got {shape})")
    return _draws.orthogonal(scale, column_axis, shape, dtype)


def delta_orthogonal(scale: RealNumeric = 1.0,
                     column_axis: int = -1,
                     dtype: DTypeLikeInexact | None = None) -> Initializer:
    """`orthogonal` (in, out) at the centre (k - 1)//2 of a kernel `(*k, in, out)`, zero elsewhere.

    Args:
        scale: finite; a factor of the matrix. (JAX's documentation calls it a bound of a uniform distribution.)
        column_axis: of the matrix's two axes.
        dtype: float32 or complex64; None is float32.

    Raises:
        FaninTypeError, FaninValueError: a parameter out of its range; when called: a rank other than 3, 4 or 5, or
            in > out.
        NotImplementedError (a FaninTypeError too): a half dtype, or an `out_sharding`, as in JAX.

    Reference: Xiao et al., "Dynamical isometry and a mean field theory of CNNs", ICML 2018.

    >>> import numpy as np
    >>> from fanin.compat.jax import key
    >>> w = delta_orthogonal()(key(0), (3, 3, 4, 8))
    >>> bool(abs(w[1, 1] @ w[1, 1].T - np.eye(4)).max() < 1e-6), float(abs(w[0]).max())
    (True, 0.0)
    """
    scale, column_axis = _call.number("scale", scale), integer("column_axis", column_axis)

    return Init(delta_orthogonal, (scale, column_axis, dtype), dtype,
                functools.partial(_plan_delta, scale, column_axis), shards=False)


def _plan_delta(scale: float, column_axis: int, shape: Any, dtype: Any) -> _draws.Draw:
    if len(shape) not in (3, 4, 5):
        raise FaninValueError(f"`shape` must have 3, 4 or 5 dimensions for delta_orthogonal (got {shape})")
    if shape[-1] < shape[-2]:
        raise FaninValueError(f"`shape` must have in <= out, its last two dimensions, for delta_orthogonal (got "
                              f"{shape}): use orthogonal")
    return _draws.delta_orthogonal(scale, column_axis, shape, dtype)
