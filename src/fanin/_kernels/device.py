"""How a scalar function becomes callable inside a compiled kernel: the only file here that knows of compilers.

Everything in `_kernels/` is plain Python on numpy scalars, so that `import fanin` needs no numba and the reference
backend can run the very same functions. Marking a function with `device_function` only puts it on a list; a compiled
backend, when it loads, calls `register_cpu` or `register_target`, which tell its compiler how to compile each one.

Rules for a device function (_kernels/README.md has them with reasons):
every constant is a numpy scalar, every 32-bit integer result is cast back with `np.uint32(...)`, every product that
feeds an addition is an explicit `fma`, and choices are written `a if condition else b`, which compiles to a select.
"""

import functools
import math
import struct

import numpy as np

_device_functions = []
_precision_functions = []
_rounding_functions = []
_registrars = []  # of each compiled backend that is loaded: what makes a function known to its compiler


def device_function(function):
    """Mark a scalar function as part of a kernel. It stays an ordinary Python function."""
    _device_functions.append(function)
    for register in _registrars:
        register(function)  # made after that backend was loaded: a block for one sampler
    return function


def by_precision(single, double):
    """Give a one-argument function a 4-byte and an 8-byte implementation, chosen by its argument's type.

    The decorated function's body is never run: it only carries the name and the docstring.
    """

    def decorate(signature):
        def dispatch(x):
            return single(x) if x.dtype.itemsize == 4 else double(x)

        dispatch.__name__ = signature.__name__
        dispatch.__qualname__ = signature.__qualname__
        dispatch.__module__ = signature.__module__
        dispatch.__doc__ = signature.__doc__
        _precision_functions.append((dispatch, single, double))
        return dispatch

    return decorate


def rounding_to(llvm_type, *features):
    """Mark a device function that rounds a float32 to a 2-byte type's bit pattern.

    Processors with one of these features have an instruction for it, which the compiled code then is. The function's
    body is for all others, and the result is the same, but that bfloat16's instruction flushes subnormal numbers.
    """

    def decorate(function):
        _rounding_functions.append((function, llvm_type, features))
        return function

    return decorate


# -- primitives: one machine instruction each ---------------------------------------------------------------------


def _libm_fma():
    # Rounding a float32 product and sum through float64 rounds twice, so the reference needs a true fused operation:
    # libm's, which is correctly rounded on every platform that C99 Annex F covers (math.fma needs Python 3.13).
    import ctypes  # with ctypes.util 20 ms, which only the reference backend need pay
    import ctypes.util

    libm = ctypes.CDLL(ctypes.util.find_library("m") or None)
    single, double = libm.fmaf, libm.fma
    single.restype, single.argtypes = ctypes.c_float, [ctypes.c_float] * 3
    double.restype, double.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    return single, double


_fma_functions = None


def fma(a, b, c):
    """a·b + c, rounded once. All three are float32, or all three float64."""
    global _fma_functions
    if _fma_functions is None:
        _fma_functions = _libm_fma()
    if isinstance(a, np.float32):
        return np.float32(_fma_functions[0](a, b, c))
    return np.float64(_fma_functions[1](a, b, c))


def sqrt(x):
    """The correctly rounded square root of a float32 or float64 x >= 0."""
    return type(x)(math.sqrt(x))  # float64 has more than twice float32's precision: rounding twice is innocuous


def bits(x):
    """The bit pattern of a float32 as uint32, of a float64 as uint64."""
    return np.uint32(struct.unpack("<I", struct.pack("<f", x))[0]) if isinstance(x, np.float32) else \
        np.uint64(struct.unpack("<Q", struct.pack("<d", x))[0])


def from_bits(x):
    """The float32 with the bit pattern of a uint32, the float64 with that of a uint64."""
    return np.float32(struct.unpack("<f", struct.pack("<I", x))[0]) if isinstance(x, np.uint32) else \
        np.float64(struct.unpack("<d", struct.pack("<Q", x))[0])


@functools.cache
def register_cpu():
    """Teach numba's CPU target every device function."""
    from numba import extending
    from numba.core import types

    register_target(extending, types, _processor_has)


def register_target(extending, types, processor_has=lambda features: False):
    """Teach a target every device function, those made later too. Called once for each.

    Args:
        extending: numba's module of that name, or the one of another target with the same interface.
        types: the target's module of types.
        processor_has: whether the processor has one of some features (see `rounding_to`).
    """
    intrinsic, overload = extending.intrinsic, extending.overload
    same_width = {types.float32: types.uint32, types.uint32: types.float32,
                  types.float64: types.uint64, types.uint64: types.float64}

    @intrinsic
    def fma_instruction(_context, a, b, c):
        def generate(_context, builder, _signature, arguments):
            return builder.fma(*arguments)

        return a(a, a, a), generate

    @intrinsic
    def sqrt_instruction(_context, x):
        def generate(_context, builder, _signature, arguments):
            (value,) = arguments
            function = builder.module.declare_intrinsic("llvm.sqrt", [value.type])
            return builder.call(function, [value])

        return x(x), generate

    @intrinsic
    def bitcast(_context, x):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

        return same_width[x](x), generate

    # Without forceinline LLVM leaves philox a call, and the CPU's loop around it scalar: 0.25 instead of 2 G/s.
    inline = {"forceinline": True}
    overload(fma, jit_options=inline)(lambda a, b, c: lambda a, b, c: fma_instruction(a, b, c))
    overload(sqrt, jit_options=inline)(lambda x: lambda x: sqrt_instruction(x))
    overload(bits, jit_options=inline)(lambda x: lambda x: bitcast(x))
    overload(from_bits, jit_options=inline)(lambda x: lambda x: bitcast(x))
    register = extending.register_jitable(**inline)
    for function in _device_functions:
        register(function)
    for function, single, double in _precision_functions:
        overload(function, jit_options=inline)(_chooser(single, double))
    for function, llvm_type, features in _rounding_functions:
        if processor_has(features):
            overload(function, jit_options=inline)(_caller(_conversion(llvm_type, intrinsic, types)))
        else:
            register(function)
    _registrars.append(register)


def _chooser(single, double):
    def choose(x):
        return single if x.bitwidth == 32 else double

    return choose


def _processor_has(features):
    """Whether numba compiles for a processor with one of these features (NUMBA_CPU_FEATURES can take them away)."""
    import llvmlite.binding
    from numba.core.registry import cpu_target

    available = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    # LLVM before 20 makes calls to functions that are not there of some of these conversions
    return llvmlite.binding.llvm_version_info[0] >= 20 and any(f"+{feature}" in available for feature in features)


def _conversion(llvm_type, intrinsic, types):
    """An intrinsic: float32 to a 2-byte type in one instruction, and that type's bit pattern."""
    from llvmlite import ir

    class Half(ir.types.Type):  # llvmlite has no bfloat
        def _to_string(self):
            return llvm_type

    @intrinsic
    def convert(_context, x):
        def generate(_context, builder, _signature, arguments):
            return builder.bitcast(builder.fptrunc(arguments[0], Half()), ir.IntType(16))

        return types.uint16(types.float32), generate

    return convert


def _caller(convert):
    return lambda x: lambda x: convert(x)
