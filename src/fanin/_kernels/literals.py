"""A user's sampler with its float constants in the computing type.

Python's floats are float64 to numba, so `0.5 * u` would turn a float32 draw into float64 arithmetic, where numpy's
scalars stay float32: two backends, two answers. A sampler is therefore compiled from a copy whose float constants,
those of its code, its closure and its module, are numpy scalars of u's type; so are those of the plain functions that
it calls.
"""

from __future__ import annotations

import builtins
import collections
import dis
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from .._errors import FaninValueError
from .device import device_function, returning
from .fingerprint import fingerprint, is_named_tuple, is_ours, outer_names, plain

Number = type[np.floating[Any]]
Change = Callable[[Any], Any]

_frozen: dict[str, types.FunctionType] = {}


def freeze(function: types.FunctionType) -> types.FunctionType:
    """The sampler as it is now: one function for all that do the same, which no later change of a constant reaches.

    Raises:
        FaninTypeError: it reads an object that fanin can't follow.
    """
    key = fingerprint(function)
    if key not in _frozen:
        _frozen[key] = rewrite(function, lambda value: value.copy() if isinstance(value, np.ndarray) else value)
    return _frozen[key]


def with_literals(function: types.FunctionType, number: Number) -> types.FunctionType:
    """A copy of `function`, ready to compile, whose float constants are `number` (float32 or float64) scalars."""
    return returning(number, rewrite(function, lambda value: as_number(value, number), device_function))


def as_number(value: Any, number: Number) -> Any:
    """A float, or an array of float64, as float32 or float64; anything else as it is.

    Raises:
        FaninValueError: a number that would be infinite.
    """
    if not isinstance(value, float) and not (type(value) is np.ndarray and value.dtype == np.float64):
        return value
    with np.errstate(over="ignore"):
        rounded = number(value) if isinstance(value, float) else value.astype(number)
    overflows = np.isinf(rounded) & np.isfinite(value)
    if overflows.any():
        raise FaninValueError(f"`sampler` must read numbers that {np.dtype(number).name} holds (got "
                              f"{float(np.extract(overflows, value)[0])})")
    return rounded


def rewrite(function: types.FunctionType, change: Change, finish: Change = lambda copy: copy) -> types.FunctionType:
    """A copy of `function` with all that it reads from outside and all constants passed through `change`.

    So are those of the plain functions that it calls, and `finish` is called with each copy.
    """
    return _Rewriter(change, finish).function(function)


class _Rewriter:
    def __init__(self, change: Change, finish: Change) -> None:
        self.change, self.finish = change, finish
        self.done: dict[types.FunctionType, types.FunctionType] = {}

    def function(self, function: types.FunctionType) -> types.FunctionType:
        if function not in self.done:
            # a recursive function finds itself; numba then says that it cannot compile it
            self.done[function] = function
            cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
            closure = tuple(types.CellType(self.value(cell.cell_contents)) for cell in cells.values())
            scope = {**vars(builtins), **function.__globals__}
            read = {path[0] for path in outer_names(function)} & scope.keys() - cells.keys()
            copy = types.FunctionType(self.value(function.__code__),
                                      {**function.__globals__, **{name: self.value(scope[name]) for name in read}},
                                      function.__name__, self.value(function.__defaults__), closure or None)
            copy.__kwdefaults__ = self.value(function.__kwdefaults__)
            # neither `__wrapped__`, whose parameters numba would take, nor attributes, which nothing compares
            copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
            copy.__dict__.update({"takes": function.__dict__["takes"]} if "takes" in function.__dict__ else {})
            self.done[function] = self.finish(copy)
        return self.done[function]

    def value(self, value: Any) -> Any:
        value = plain(value)
        kind: Any = type(value)
        if kind is types.FunctionType and not is_ours(value):
            return self.function(value)
        if kind is types.CodeType:
            code = _with_all_constants(value)
            return code.replace(co_consts=tuple(map(self.value, code.co_consts)))
        if kind in (tuple, list):
            return kind(map(self.value, value))
        if is_named_tuple(kind):
            return bare(kind)._make(map(self.value, value))
        if is_named_tuple(value):
            return bare(value)
        if kind is dict:
            return {key: self.value(item) for key, item in value.items()}
        return self.change(value)


@functools.cache
def bare(kind: Any) -> Any:
    """A named tuple's class with its fields alone: neither the defaults nor the methods, which nothing compares."""
    return collections.namedtuple(kind.__name__, kind._fields, rename=True)


def _with_all_constants(code: types.CodeType) -> types.CodeType:
    """The code with its small ints among its constants: from Python 3.14 on they are parts of instructions."""
    load_int, load = dis.opmap.get("LOAD_SMALL_INT"), dis.opmap["LOAD_CONST"]
    if load_int is None:
        return code
    instructions, constants = bytearray(code.co_code), list(code.co_consts)
    for at in range(0, len(instructions), 2):
        if instructions[at] == load_int and len(constants) < 256:  # an instruction names one of so many
            instructions[at:at + 2] = load, len(constants)
            constants.append(code.co_code[at + 1])
    return code.replace(co_code=bytes(instructions), co_consts=tuple(constants))
