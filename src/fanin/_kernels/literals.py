"""A user's sampler with its float constants in the computing type.

Python's floats are float64 to numba, so `0.5 * u` would turn a float32 draw into float64 arithmetic, where numpy's
scalars stay float32: two backends, two answers. A sampler is therefore compiled from a copy whose float constants,
those of its code, its closure and its module, are numpy scalars of u's type; so are those of the plain functions that
it calls.
"""

import types

import numpy as np

from .device import device_function


def with_literals(function, number):
    """A copy of `function`, ready to compile, whose float constants are `number` (float32 or float64) scalars."""

    def typed(value):
        return number(value) if isinstance(value, float) else value

    return _rewrite(function, typed, device_function, {})


def with_compiled_types(function, number):
    """A copy of `function` that Python runs with the types that a compiler would infer.

    Ints are int64, and float attributes of modules (`math.pi`) float64, so that what they do to a float32 draw shows:
    numpy's rules, unlike a compiler's, let a Python number take the other operand's type.
    """

    def typed(value):
        if isinstance(value, float):
            return number(value)
        if type(value) is int and -(2**63) <= value < 2**63:
            return np.int64(value)
        return _Attributes(value) if isinstance(value, types.ModuleType) and not _is_ours(value) else value

    return _rewrite(function, typed, lambda copy: copy, {})


class _Attributes:
    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        value = getattr(self._module, name)
        return np.float64(value) if isinstance(value, float) else value


def _rewrite(function, typed, finish, done):
    """A copy of `function` with its constants, globals, closure and defaults passed through `typed`, callees alike."""
    if function not in done:
        done[function] = function  # a recursive function finds itself; numba then says that it cannot compile it

        def deep(value):
            if isinstance(value, types.FunctionType) and not _is_ours(value):
                return _rewrite(value, typed, finish, done)
            if isinstance(value, types.CodeType):
                return value.replace(co_consts=tuple(map(deep, value.co_consts)))
            return tuple(map(deep, value)) if type(value) is tuple else typed(value)

        scope, code = function.__globals__, deep(function.__code__)
        names = {name: deep(scope[name]) for name in code.co_names if name in scope}
        closure = tuple(types.CellType(deep(cell.cell_contents)) for cell in function.__closure__ or ())
        copy = types.FunctionType(code, {**scope, **names}, function.__name__, deep(function.__defaults__),
                                  closure or None)
        copy.__qualname__ = function.__qualname__
        copy.__module__ = function.__module__
        copy.__dict__.update(function.__dict__)
        done[function] = finish(copy)
    return done[function]


def _is_ours(value):
    name = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
    return name == "fanin.math" or name.split(".")[:2] == ["fanin", "_kernels"]


def fingerprint(function, _seen=None):
    """Text that changes whenever what `function` computes may: its code, constants, globals, closure and callees.

    The same in every process, so that compiled code is found again on disk.
    """
    if _is_ours(function):
        return f"{function.__module__}.{function.__qualname__}"
    seen = set() if _seen is None else _seen
    if function in seen:
        return function.__qualname__
    seen.add(function)

    def text(value):
        if isinstance(value, types.CodeType):
            return code_text(value)
        if isinstance(value, types.FunctionType):
            return fingerprint(value, seen)
        if isinstance(value, types.ModuleType):  # its numbers are compiled in, too
            return repr([(name, item) for name, item in vars(value).items()
                         if name in function.__code__.co_names and isinstance(item, (int, float))])
        return repr(value)

    def code_text(code):
        return repr((code.co_name, code.co_code, code.co_names, [text(constant) for constant in code.co_consts]))

    scope = function.__globals__
    used = [text(scope[name]) for name in function.__code__.co_names if name in scope]
    cells = [text(cell.cell_contents) for cell in function.__closure__ or ()]
    return repr((function.__module__, function.__qualname__, code_text(function.__code__), used, cells,
                 function.__defaults__))
