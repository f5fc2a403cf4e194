"""A user's sampler as Python runs it with the types that a compiler infers.

numpy lets a Python number take the other operand's type, and a compiler doesn't: to it an int is int64 and a float
float64. So a sampler that looks right in Python may compute in float64 when it is compiled. Here every number that
Python would make is one of numpy's, with the compiler's type, so that a float64 that leaks in can be seen.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .fingerprint import is_named_tuple, is_ours
from .literals import Number, as_number, rewrite


def with_compiled_types(function: types.FunctionType, number: Number) -> types.FunctionType:
    """A copy of `function` that Python runs with the types that a compiler would infer."""

    def typed(value: Any) -> Any:
        if isinstance(value, types.ModuleType):
            return value if is_ours(value) else _Attributes(value)
        if _makes_numbers(value):
            return _REPLACED.get(value) or _wrapped(value)
        return compiled(as_number(value, number))

    return rewrite(function, typed)


def compiled(value: Any) -> Any:
    """A Python number as numpy's of the compiler's type; an array whose shape is such numbers; else as it is."""
    kind = type(value)
    if kind is int and -(2**63) <= value < 2**63:
        return np.int64(value)
    if kind is float:
        return np.float64(value)
    if kind is tuple or kind is list:
        return kind(map(compiled, value))
    if is_named_tuple(kind):
        return kind._make(map(compiled, value))
    if kind is np.ndarray:
        return value.view(_Array)
    return value


class _Array(np.ndarray[Any, Any]):
    shape = property(lambda self: compiled(np.ndarray.shape.__get__(self)))
    size = property(lambda self: np.int64(np.ndarray.size.__get__(self)))
    ndim = property(lambda self: np.int64(np.ndarray.ndim.__get__(self)))


class _Attributes:
    """A module whose numbers, and those that its functions return, have the compiler's types."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, types.ModuleType):
            return value if is_ours(value) else _Attributes(value)
        return _wrapped(value) if _makes_numbers(value) else compiled(value)  # of a module, floats stay float64


def _makes_numbers(value: Any) -> bool:
    """Whether this is a function that is not Python text, or a type of numbers: it may return Python's own."""
    if isinstance(value, type):
        return value in _TYPES
    return callable(value) and type(value) is not types.FunctionType


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function, updated=())
    def call(*arguments: Any, **options: Any) -> Any:
        return compiled(function(*arguments, **options))

    return call


# -- builtins, as a compiler has them -----------------------------------------------------------------------------


def _range(*bounds: int) -> Iterator[np.int64]:
    return map(np.int64, range(*bounds))


def _enumerate(items: Iterable[Any], start: int = 0) -> Iterator[tuple[np.int64, Any]]:
    return ((np.int64(number), item) for number, item in enumerate(items, start))


def _sum(items: Iterable[Any], start: Any = np.int64(0)) -> Any:  # noqa: B008
    for item in items:
        start = start + item
    return start


def _one_type(choose: Callable[..., Any]) -> Callable[..., Any]:
    """min or max: the result has the type that holds each argument's values."""

    def call(*arguments: Any) -> Any:
        values = arguments if len(arguments) > 1 else tuple(arguments[0])
        return np.result_type(*values).type(choose(values))

    return call


_TYPES = (int, float, range, enumerate)
_REPLACED: dict[Any, Any] = {range: _range, enumerate: _enumerate, sum: _sum, min: _one_type(min), max: _one_type(max)}
