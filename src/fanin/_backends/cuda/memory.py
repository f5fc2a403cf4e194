"""How a kernel reaches memory. Its `out` is an address; in the simulator it is an array."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cuda
from numba.cuda import extending, types
from numba.cuda.core import config
from numba.cuda.np.numpy_support import from_dtype

from .. import grid

SIMULATED = bool(config.ENABLE_CUDASIM)  # NUMBA_ENABLE_CUDASIM=1: kernels run in Python, on arrays in the CPU's memory
GLOBAL = 1  # the address space of a GPU's main memory, which spares the hardware the question


def _pointer(context: Any, builder: Any, address: Any, at: Any, element: Any, kind: Any) -> Any:
    offset = builder.mul(at, at.type(context.get_abi_sizeof(element)))
    return builder.inttoptr(builder.add(address, offset), ir.PointerType(kind, GLOBAL))


@extending.intrinsic
def write(_context: Any, out: Any, at: Any, value: Any) -> Any:
    """Store a number at position `at` after the address `out`."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address, position, number = arguments
        pointer = _pointer(context, builder, address, position, number.type, number.type)
        builder.store(number, pointer, align=context.get_abi_sizeof(number.type))
        return context.get_dummy_value()

    return types.none(types.uint64, types.int64, value), generate


@extending.intrinsic
def write_block(_context: Any, out: Any, at: Any, values: Any) -> Any:
    """Store a tuple of numbers from position `at` on with one instruction; the address is a multiple of their size."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address, position, numbers = arguments
        element, count = numbers.type.element, numbers.type.count
        kind = ir.VectorType(element, count)
        vector = ir.Constant(kind, ir.Undefined)
        for lane in range(count):
            number = builder.extract_value(numbers, lane)
            vector = builder.insert_element(vector, number, ir.IntType(32)(lane))
        pointer = _pointer(context, builder, address, position, element, kind)
        builder.store(vector, pointer, align=count * context.get_abi_sizeof(element))
        return context.get_dummy_value()

    return types.none(types.uint64, types.int64, values), generate


@functools.cache
def _reader(storage: np.dtype[Any]) -> Any:
    """read(values, at): the number of this dtype at position `at` after an address."""
    number = from_dtype(storage)

    @extending.intrinsic
    def read(_context: Any, values: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            address, position = arguments
            element = context.get_value_type(signature.return_type)
            pointer = _pointer(context, builder, address, position, element, element)
            return builder.load(pointer, align=context.get_abi_sizeof(element))

        return number(types.uint64, types.int64), generate

    return read


def ways(storage: np.dtype[Any]) -> dict[str, Any]:
    """The names by which grid.py's kernels reach memory and their thread's number."""
    if SIMULATED:
        return {"cuda": cuda, **grid.ARRAYS}
    return {"cuda": cuda, "write": write, "write_block": write_block, "read": _reader(storage)}
