"""What a user's sampler is made of, by value: the text under which its compiled code is found again."""

from __future__ import annotations

import builtins
import dis
import functools
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._errors import FaninTypeError

MISSING: Any = object()
_LASTING = ("builtins", "math", "cmath", "operator", "_operator", "functools", "_functools", "numpy", "numba")
_NO_OBJECT = (types.ModuleType, types.NoneType)  # what a function is bound to that is no object's method


def is_ours(value: Any) -> bool:
    """Whether this is one of fanin's own functions or modules for samplers, which compilers know by themselves."""
    # by where a function was written: its `__module__` functools.wraps takes from the function that it wraps
    name = value.__name__ if isinstance(value, types.ModuleType) else value.__globals__.get("__name__")
    return name == "fanin.math" or str(name).split(".")[:2] == ["fanin", "_kernels"]


def plain(value: Any) -> Any:
    """The Python function behind one that was marked with `@njit`; anything else as it is."""
    behind = getattr(value, "py_func", None) if type(value).__module__.split(".")[0] == "numba" else None
    return value if behind is None else behind


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code, and that of the functions, lambdas and comprehensions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def outer_names(function: types.FunctionType) -> dict[tuple[str, ...], Any]:
    """What a function reads from outside: {("TABLE",): its value, ("math", "pi"): its value, …}.

    Closures and globals, also those that only an inner function names. Of a module only the attributes that are read.
    """
    closure = {name: _content(function, name, cell) for name, cell in
               zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)}
    found = {}
    for code in codes(function.__code__):
        for is_global, name, attributes in _reads(code):
            if is_global:
                value = function.__globals__.get(name, getattr(builtins, name, MISSING))
            else:
                value = closure.get(name, MISSING)
            if value is not MISSING:
                path, value = _follow((name,), value, attributes)
                found[path] = value
    for name, value in closure.items():  # read by name alone where only an inner function does
        if not isinstance(value, types.ModuleType):
            found[name,] = value
    return found


def _content(function: types.FunctionType, name: str, cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        raise FaninTypeError(f"`sampler` {function.__name__} must not be drawn with before its variable {name} is "
                             "set") from None


@functools.lru_cache(maxsize=1024)
def _reads(code: types.CodeType) -> tuple[tuple[bool, str, tuple[str, ...]], ...]:
    """The names that a code reads from outside: whether globals, the name, and the attributes read of it in turn."""
    instructions = list(dis.get_instructions(code))
    found = []
    for at, instruction in enumerate(instructions):
        is_global = instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        if is_global or instruction.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF"):
            attributes = itertools.takewhile(lambda each: each.opname in ("LOAD_ATTR", "LOAD_METHOD"),
                                             instructions[at + 1:])
            found.append((is_global, instruction.argval, tuple(each.argval for each in attributes)))
    return tuple(found)


def _follow(path: tuple[str, ...], value: Any, attributes: tuple[str, ...]) -> tuple[tuple[str, ...], Any]:
    """`math` and the attributes read from it, down to what is no module: (("math", "pi"), 3.14…)."""
    for attribute in attributes:
        if not isinstance(value, types.ModuleType):
            break
        value, path = getattr(value, attribute, MISSING), (*path, attribute)
    return path, value


def fingerprint(function: Callable[..., Any], seen: dict[Any, int] | None = None) -> str:
    """Text that changes whenever what `function` computes may: its code and constants, and by value what it reads.

    The same in every process, so that compiled code is found again on disk.

    Raises:
        FaninTypeError: it reads an object that has no such text.
    """
    if is_ours(function):
        return f"{function.__module__}.{function.__qualname__}"
    seen = {} if seen is None else seen
    if function in seen:  # it calls itself, or has two names
        return f"function {seen[function]}"
    seen[function] = len(seen)
    assert isinstance(function, types.FunctionType)

    def text(name: str, value: Any) -> Any:
        return _text(f"{name} of {function.__name__}", value, seen)

    names = outer_names(function)
    for path, value in names.items():
        if len(path) > 1 and type(value) is types.FunctionType and not is_ours(value) and not _lasts(value):
            raise FaninTypeError(f"`sampler` must call functions by names of its own module ({'.'.join(path)} is read "
                                 f"by {function.__name__}): from {'.'.join(path[:-1])} import {path[-1]}")
    reads = [(path, text(".".join(path), value)) for path, value in sorted(names.items())]
    defaults = (function.__defaults__, function.__kwdefaults__)
    return repr((function.__module__, function.__qualname__, text("a constant", function.__code__), reads,
                 text("a default", defaults)))


def _text(name: str, value: Any, seen: dict[Any, int]) -> Any:
    """What stands for a value: equal for equal values only, and the same in every process."""
    value = plain(value)
    kind = type(value)
    if value is MISSING or value is None or value is ... or kind in (bool, int, float, complex, str, bytes):
        return "missing" if value is MISSING else (kind.__name__, repr(value))
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return value.dtype.str, value.tobytes()
    if kind is np.ndarray and not value.dtype.hasobject:
        import hashlib  # OpenSSL behind it is slow to load

        digest = hashlib.blake2b(value.tobytes(), digest_size=16).hexdigest()
        return "array", repr(value.dtype.descr), value.shape, digest
    if kind in (tuple, list) or is_named_tuple(kind):
        return kind.__qualname__, getattr(kind, "_fields", ()), [_text(name, item, seen) for item in value]
    if kind is slice:  # from Python 3.14 on a constant
        return "slice", [_text(name, item, seen) for item in (value.start, value.stop, value.step)]
    if kind in (set, frozenset):
        return kind.__name__, sorted(repr(_text(name, item, seen)) for item in value)
    if kind is dict:
        return "dict", [(_text(name, key, seen), _text(name, item, seen)) for key, item in value.items()]
    if kind is types.CodeType:
        parameters = value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags
        return (value.co_name, value.co_code, value.co_names, value.co_exceptiontable, value.co_freevars,
                parameters, value.co_varnames, [_text(name, constant, seen) for constant in value.co_consts])
    if kind is types.FunctionType:
        return fingerprint(value, seen)
    if is_named_tuple(value):
        return value.__qualname__, value._fields
    if _has_a_name_for_ever(value):
        return kind.__name__, str(getattr(value, "__module__", "")), getattr(value, "__qualname__", str(value))
    raise FaninTypeError(
        f"`sampler` must read numbers, strings, numpy arrays, tuples of them and plain functions only ({name} is a "
        f"{kind.__name__}, which fanin can't tell from another): give its numbers names of their own in the module")


def _lasts(function: Any) -> bool:
    """Whether a function such as abs, math.floor or np.where says that it comes with Python or numpy."""
    return str(getattr(function, "__module__", None)).split(".")[0] in _LASTING


def is_named_tuple(kind: Any) -> bool:
    """Whether this is the class of a named tuple."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _has_a_name_for_ever(value: Any) -> bool:
    """Whether this is a function or type of Python's, numpy's or numba's, which only another version could change."""
    if isinstance(value, type):
        return value.__module__ in ("builtins", "numpy")
    if isinstance(value, np.ufunc):
        return getattr(np, value.__name__, None) is value
    if type(value).__module__.startswith("numba.core.types"):  # such as numba.float32
        return True
    home = str(getattr(value, "__module__", None))
    if not _lasts(value) or not isinstance(getattr(value, "__self__", None), _NO_OBJECT):
        return False
    return callable(value) and getattr(sys.modules.get(home), getattr(value, "__name__", ""), None) is value
