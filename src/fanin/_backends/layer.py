"""numba's threading layer: the pieces of a fill shared by one `@njit(parallel=True)` loop, where that is safe.

A driver is a plain function `driver(loop, threads, begin, end, *arguments)` with a `prange` over pieces. It is compiled
once for each type of array and of parameters, and serves all loops with these: it calls the loop by its address. (A
`prange` in each loop would take half a second more to compile for each. And numba names the body of a `prange` by an
address: two loops from the disk cache whose bodies have one name draw each other's values.)
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import inspect
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from .compile import compile_by, compile_loop, sources
from .interrupts import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 4  # pieces for each thread between two chances for Ctrl-C

_busy = threading.Lock()  # held by the draw that uses the layer


def share(driver: Callable[..., None], piece: Callable[..., None], loop: Any, count: int, threads: int,
          arguments: tuple[Any, ...]) -> bool:
    """piece(loop, i, *arguments) for each i below `count`; False, with nothing done, where the layer can't be used."""
    # another draw may be quicker between the question and the lock: then this one waits for it, a few milliseconds
    if _busy.locked() or not _usable():
        return False
    with _busy:
        compiled, address = _compiled(driver), _address(loop, piece, arguments)
        _ready(compiled, address, arguments)
        for begin in range(0, count, STEP * threads):
            compiled(address, threads, begin, min(count, begin + STEP * threads), *arguments)
    return True


def thread_limit() -> int:
    """As many threads as numba would use in this one."""
    # asking numba starts its layer; before that there is nothing to ask
    return numba.get_num_threads() if _name() else numba.config.NUMBA_NUM_THREADS


# -- is it safe? --------------------------------------------------------------------------------------------------


def _usable() -> bool:
    """Whether a draw may use the layer here and now; starts it."""
    if _name() is None and _is_next():
        _start()
    # The workqueue ends a process in which two threads run parallel loops at once, and a loop of the user's may start
    # at any time. On TBB a fork beside a draw hung in one of three runs.
    return _name() == "omp" and not _in_parallel()


def _name() -> str | None:
    """The layer's name, once it is started."""
    try:
        return numba.threading_layer()
    except ValueError:
        return None


def _is_next() -> bool:
    """Whether numba would start OpenMP now. Another layer would be of no use here: it stays the user's to choose."""
    orders = {"omp": ["omp"], "threadsafe": ["tbb", "omp"], "default": numba.config.THREADING_LAYER_PRIORITY}
    for name in orders.get(str(numba.config.THREADING_LAYER).lower(), []):
        if name == "omp":
            return True
        if name == "workqueue" or _has_tbb():
            return False
    return False


@functools.cache
def _has_tbb() -> bool:
    try:
        importlib.import_module("numba.np.ufunc.tbbpool")
    except ImportError:
        return False
    return True


@functools.cache
def _start() -> None:
    with uninterrupted():
        try:
            numba.get_num_threads()
        except ValueError:  # what the user asked for isn't installed: numba says so when a parallel loop needs it
            return


def _in_parallel() -> bool:
    """Whether this thread is at work for a parallel loop, which then came here through `numba.objmode`."""
    ask = _question()
    return ask is not None and bool(ask())


@functools.cache
def _question() -> Any:
    """OpenMP's own function; None where it can't be found."""
    pool = importlib.import_module("numba.np.ufunc.omppool")
    return getattr(ctypes.CDLL(pool.__file__), "omp_in_parallel", None)


# -- compiled drivers ---------------------------------------------------------------------------------------------


@functools.cache
def _compiled(driver: Callable[..., None]) -> Any:
    folder = Path(inspect.getfile(driver)).parent
    driver.__qualname__ = f"{driver.__name__}-{sources(folder)}"  # names the file of compiled code
    return compile_loop(driver, parallel=True)


_seen: set[Any] = set()  # drivers with types that are compiled


def _ready(compiled: Any, address: int, arguments: tuple[Any, ...]) -> None:
    label = compiled, _kinds(arguments)
    if label not in _seen:
        compile_by(compiled, address, 1, 0, 0, *arguments)
        _seen.add(label)


_addresses: dict[Any, int] = {}  # of loops with types


def _address(loop: Any, piece: Callable[..., None], arguments: tuple[Any, ...]) -> int:
    """Where the loop's code for these types is."""
    label = loop, _kinds(arguments)
    if label not in _addresses:
        calls: list[tuple[Any, ...]] = []
        piece(lambda *given: calls.append(given), 0, *arguments)
        signature = tuple(map(numba.typeof, calls[0]))
        loop.compile(signature)
        made = loop.overloads[signature]
        _addresses[label] = made.library.get_pointer_to_function(made.fndesc.llvm_cfunc_wrapper_name)
    return _addresses[label]


def _kinds(value: Any) -> Any:
    """What numba's types depend on, in a thirtieth of the time that numba takes to find them."""
    if isinstance(value, tuple):
        return tuple(map(_kinds, value))
    return value.dtype if isinstance(value, np.ndarray) else type(value)


def call(loop: Any, *arguments: Any) -> None:
    """Call a loop: in a compiled piece by its address."""
    loop(*arguments)


@overload(call)
def _call(loop: Any, *arguments: Any) -> Any:
    def call_by_address(loop: Any, *arguments: Any) -> None:
        _call_at(loop, arguments)

    return call_by_address


# An address, not numba's first-class functions: to unpack one numba runs Python code, where a signal's handler may
# raise, and makes a TypeError of it.
@intrinsic
def _call_at(_context: Any, address: Any, arguments: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        where, packed = values
        kinds = [context.get_value_type(kind) for kind in arguments]
        function = ir.FunctionType(context.get_value_type(types.none), kinds).as_pointer()
        builder.call(builder.inttoptr(where, function), cgutils.unpack_tuple(builder, packed))
        return context.get_dummy_value()

    return types.none(address, arguments), generate


@intrinsic
def use_threads(_context: Any, count: Any) -> Any:
    """Set how many threads of the layer take part; returns how many did. numba's own function can't be cached."""
    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        # by the types that numba itself declares them with
        get = cgutils.get_or_insert_function(builder.module, ir.FunctionType(cgutils.intp_t, []), "get_num_threads")
        put = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [cgutils.intp_t]),
                                             "set_num_threads")
        before = builder.call(get, [])
        builder.call(put, values)
        return before

    return types.intp(count), generate
