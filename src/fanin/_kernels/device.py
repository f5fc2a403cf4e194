"""How a scalar function becomes callable inside a compiled kernel: the only file here that knows of compilers.

Everything in `_kernels/` is plain Python on numpy scalars, so that `import fanin` needs no numba and the reference
backend can run the very same functions. The decorators here only put a function on a list. A compiled backend, when it
loads, calls `register_cpu` or `register_target`, which tell its compiler of each function on the list, and of each one
that is put there later.

Rules for a device function (_kernels/README.md has them with reasons):
every constant is a numpy scalar, every 32-bit integer result is cast back with `np.uint32(...)`, every product that
feeds an addition is an explicit `fma`, and choices are written `a if condition else b`, which compiles to a select.
"""

from __future__ import annotations

import functools
import math
import struct
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from .._errors import FaninTypeError

Function = TypeVar("Function", bound=Callable[..., Any])
Register = Callable[["Target"], object]

_entries: list[Register] = []  # in the order in which the functions were defined
_targets: list[Target] = []  # of the compiled backends that are loaded
_registering = threading.RLock()  # a function that one thread defines while another loads a backend is not missed


def _add(register: Register) -> None:
    """Put a function on the list, and tell the loaded backends of it."""
    with _registering:
        _entries.append(register)
        for target in _targets:
            register(target)


def device_function(function: Function) -> Function:
    """Mark a scalar function as part of a kernel. It stays an ordinary Python function."""
    _add(lambda target: target.compile(function))
    return function


def by_precision(single: Function, double: Function) -> Callable[[Callable[..., Any]], Function]:
    """Give a one-argument function a 4-byte and an 8-byte implementation, chosen by its argument's type.

    The decorated function's body is never run: it only carries the name and the docstring.
    """

    def decorate(signature: Callable[..., Any]) -> Function:
        @functools.wraps(signature)
        def dispatch(x: Any) -> Any:
            return single(x) if x.dtype.itemsize == 4 else double(x)

        def choose(x: Any) -> Any:
            return single if x.bitwidth == 32 else double

        choose.__annotations__ = single.__annotations__  # numba compares the two signatures
        _add(lambda target: target.replace(dispatch, choose))
        return cast(Function, dispatch)

    return decorate


def rounding_to(llvm_type: str, *features: str) -> Callable[[Function], Function]:
    """Mark a device function that rounds a float32 to a 2-byte type's bit pattern.

    Processors with one of these features have an instruction for it, which the compiled code then is. The function's
    body is for all others, and the result is the same, but that bfloat16's instruction flushes subnormal numbers.
    """

    def decorate(function: Function) -> Function:
        def register(target: Target) -> None:
            if target.processor_has(features):
                convert = _conversion(llvm_type, target.intrinsic, target.types)
                target.replace(function, lambda x: lambda x: convert(x))
            else:
                target.compile(function)

        _add(register)
        return function

    return decorate


def compiled_as(kernel: Callable[..., Any]) -> Callable[[Function], Function]:
    """Mark a function that checks its arguments in Python and is `kernel`, of one or three arguments, when compiled."""

    def decorate(function: Function) -> Function:
        choose = _three(kernel) if function.__code__.co_argcount == 3 else _one(kernel)
        _add(lambda target: target.replace(function, choose))
        return function

    return decorate


def returning(number: type[np.floating[Any]], function: Function) -> Function:
    """A user's sampler that a compiler refuses where it finds another type than `number` for what is returned.

    A value that is an int on some path, though none that was tried, makes a compiler compute in float64 on all.
    """
    wanted, name = np.dtype(number).name, function.__name__

    def checked(value: Any) -> Any:
        return value

    def choose(value: Any) -> Callable[..., Any]:
        if str(value) != wanted:
            raise FaninTypeError(f"`sampler` must return u's type, {wanted}, on every path (the compiler finds {value} "
                                 f"for {name}: a value is an int, a bool, complex or None somewhere): write constants "
                                 "as floats, 2.0 not 2, and truths as `1.0 if u < 0.5 else 0.0`")
        return lambda value: value

    choose.__annotations__ = {}  # numba compares the two signatures
    _add(lambda target: target.replace(checked, choose))

    @functools.wraps(function)
    def sampler(u: Any, *params: Any) -> Any:
        return checked(function(u, *params))

    del sampler.__wrapped__  # whose parameters numba would take
    return cast(Function, device_function(sampler))


def _one(kernel: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: lambda x: kernel(x)


def _three(kernel: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b, c: lambda a, b, c: kernel(a, b, c)


# -- primitives: one machine instruction each ---------------------------------------------------------------------


@functools.cache
def _libm_fma() -> tuple[Callable[..., float], Callable[..., float]]:
    # Rounding a float32 product and sum through float64 rounds twice, so the reference needs a true fused operation:
    # libm's, which is correctly rounded on every platform that C99 Annex F covers (math.fma needs Python 3.13).
    import ctypes  # with ctypes.util 20 ms, which only the reference backend need pay
    import ctypes.util

    libm = ctypes.CDLL(ctypes.util.find_library("m") or None)
    single, double = libm.fmaf, libm.fma
    single.restype, single.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    double.restype, double.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    return single, double


def fma(a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once. All three are float32, or all three float64."""
    single, double = _libm_fma()
    if isinstance(a, np.float32):
        return np.float32(single(a, b, c))
    return np.float64(double(a, b, c))


def sqrt(x: Any) -> Any:
    """The correctly rounded square root of a float32 or float64; nan below 0."""
    # float64 has more than twice float32's precision: rounding twice is innocuous
    return type(x)(math.sqrt(x) if x >= 0 else math.nan)


def bits(x: Any) -> Any:
    """The bit pattern of a float32 as uint32, of a float64 as uint64."""
    if isinstance(x, np.float32):
        return np.uint32(struct.unpack("<I", struct.pack("<f", x))[0])
    return np.uint64(struct.unpack("<Q", struct.pack("<d", x))[0])


def from_bits(x: Any) -> Any:
    """The float32 with the bit pattern of a uint32, the float64 with that of a uint64."""
    if isinstance(x, np.uint32):
        return np.float32(struct.unpack("<f", struct.pack("<I", x))[0])
    return np.float64(struct.unpack("<d", struct.pack("<Q", x))[0])


# -- compilers ----------------------------------------------------------------------------------------------------


class Target:
    """A compiler that knows the functions on the list: numba's for CPUs, or another with the same interface."""

    def __init__(self, extending: Any, types: Any, processor_has: Callable[[tuple[str, ...]], bool]) -> None:
        self.intrinsic, self.types, self.processor_has = extending.intrinsic, types, processor_has
        self._extending = extending

    def compile(self, function: Callable[..., Any]) -> None:
        """Compile a function from its own text."""
        # Without forceinline LLVM leaves philox a call, and the CPU's loop around it scalar: 0.25 instead of 2 G/s.
        self._extending.register_jitable(forceinline=True, no_cfunc_wrapper=True)(function)

    def replace(self, function: Callable[..., Any], choose: Callable[..., Any]) -> None:
        """Compile another function in its place, which `choose` picks by the types of the arguments."""
        self._extending.overload(function, jit_options={"forceinline": True, "no_cfunc_wrapper": True})(choose)


@functools.cache
def register_cpu() -> None:
    """Teach numba's CPU target every device function."""
    from numba import extending
    from numba.core import types

    register_target(extending, types, _processor_has)


def register_target(extending: Any, types: Any,
                    processor_has: Callable[[tuple[str, ...]], bool] = lambda features: False) -> None:
    """Teach a target every device function, those made later too. Called once for each.

    Args:
        extending: numba's module of that name, or the one of another target with the same interface.
        types: the target's module of types.
        processor_has: whether the processor has one of some features (see `rounding_to`).
    """
    target = Target(extending, types, processor_has)
    _register_primitives(target)
    with _registering:
        for register in _entries:
            register(target)
        _targets.append(target)


def _register_primitives(target: Target) -> None:
    intrinsic, types = target.intrinsic, target.types
    same_width = {types.float32: types.uint32, types.uint32: types.float32,
                  types.float64: types.uint64, types.uint64: types.float64}

    @intrinsic
    def fma_instruction(_context: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.fma(*arguments)

        return a(a, a, a), generate

    @intrinsic
    def sqrt_instruction(_context: Any, x: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            (value,) = arguments
            function = builder.module.declare_intrinsic("llvm.sqrt", [value.type])
            return builder.call(function, [value])

        return x(x), generate

    @intrinsic
    def bitcast(_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

        return same_width[x](x), generate

    def choose_fma(a: Any, b: Any, c: Any) -> Callable[..., Any]:
        if not a == b == c:
            raise FaninTypeError(f"`fma` takes numbers of one type (the compiler finds {a}, {b} and {c}): write 2.0, "
                                 "not 2")
        return lambda a, b, c: fma_instruction(a, b, c)

    choose_fma.__annotations__ = {}  # numba compares the two signatures
    target.replace(fma, choose_fma)
    target.replace(sqrt, lambda x: lambda x: sqrt_instruction(x))
    target.replace(bits, lambda x: lambda x: bitcast(x))
    target.replace(from_bits, lambda x: lambda x: bitcast(x))


def _processor_has(features: tuple[str, ...]) -> bool:
    """Whether numba compiles for a processor with one of these features (NUMBA_CPU_FEATURES can take them away)."""
    import llvmlite.binding
    from numba.core.registry import cpu_target

    available = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    # LLVM before 20 makes calls to functions that are not there of some of these conversions
    return llvmlite.binding.llvm_version_info[0] >= 20 and any(f"+{feature}" in available for feature in features)


def _conversion(llvm_type: str, intrinsic: Any, types: Any) -> Callable[..., Any]:
    """An intrinsic: float32 to a 2-byte type in one instruction, and that type's bit pattern."""
    from llvmlite import ir

    class Half(ir.types.Type):  # llvmlite has no bfloat
        def _to_string(self) -> str:
            return llvm_type

    @intrinsic
    def convert(_context: Any, x: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.bitcast(builder.fptrunc(arguments[0], Half()), ir.IntType(16))

        return types.uint16(types.float32), generate

    return convert
