"""What each opcode computes: arrays in, one array out. The names are PTX's; what isn't in the tables raises PtxError.

Integers are numpy's, which wrap as the hardware's do. Floating-point operations are numpy's too, which IEEE 754 rounds
alike: only opcodes that say `.rn`, or leave it out for + - ×, are known, so `.approx`, `.ftz` and `.full` raise.
"""

from typing import Any, NamedTuple

import numpy as np

from .errors import PtxError
from .exact import fma

TYPES: dict[str, Any] = {
    "b8": np.uint8, "u8": np.uint8, "s8": np.int8, "b16": np.uint16, "u16": np.uint16, "s16": np.int16,
    "b32": np.uint32, "u32": np.uint32, "s32": np.int32, "f32": np.float32,
    "b64": np.uint64, "u64": np.uint64, "s64": np.int64, "f64": np.float64, "pred": np.bool_,
}
WIDER = {np.uint16: np.uint32, np.int16: np.int32, np.uint32: np.uint64, np.int32: np.int64}
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


class Operation(NamedTuple):
    result: Any  # types of the result and of the operands
    operands: tuple
    compute: Any


def operation(opcode):
    """The meaning of an opcode such as `mul.wide.u32`."""
    parts = opcode.split(".")
    stem = ".".join(part for part in parts if part not in TYPES)
    types = [TYPES[part] for part in parts if part in TYPES]
    if len(types) == 1 and stem == "min" and np.dtype(types[0]).kind == "f":
        return Operation(types[0], (types[0],) * 2, _least)
    if len(types) == 1 and stem in ARITHMETIC:
        kinds, count, compute = ARITHMETIC[stem]
        if np.dtype(types[0]).kind in kinds:
            return Operation(types[0], (types[0],) * count, compute)
    elif len(types) == 1 and stem in MIXED:
        return Operation(*MIXED[stem](types[0]))
    elif len(types) == 2 and (stem, *(np.dtype(t).kind for t in types)) in CONVERSIONS:
        wide, narrow = types
        # rounding is named where it can happen, and only there
        exact = np.dtype(wide).kind != "f" or np.dtype(narrow).kind == "f" and wide is np.float64
        if exact == (stem == "cvt") and (wide is not narrow or stem == "cvt"):
            return Operation(wide, (narrow,), lambda x: x.astype(wide))
    raise PtxError(f"unknown opcode: {opcode}")


# -- helpers ----------------------------------------------------------------------------------------------------------


def _shift_left(x, amount):
    return np.where(amount < x.itemsize * 8, x << amount.astype(x.dtype), x.dtype.type(0))


def _shift_right(x, amount):
    last = x.itemsize * 8 - 1
    if x.dtype.kind == "i":
        return x >> np.minimum(amount, last).astype(x.dtype)
    return np.where(amount <= last, x >> amount.astype(x.dtype), x.dtype.type(0))


def _high(a, b):
    """The upper half of the product."""
    if a.itemsize < 8:
        return (_wide(a, b) >> type(a.dtype.type(0))(a.itemsize * 8)).astype(a.dtype)
    if a.dtype.kind == "i":
        raise PtxError("unknown opcode: mul.hi.s64")
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    middle = a1 * b0 + (a0 * b0 >> half)
    return a1 * b1 + (middle >> half) + (a0 * b1 + (middle & low) >> half)


def _wide(a, b):
    wide = WIDER[a.dtype.type]
    return a.astype(wide) * b.astype(wide)


def _quotient(a, b):
    """Rounded towards zero."""
    if (b == 0).any():
        raise PtxError("an integer division by zero")
    quotient = a // b
    return quotient + ((quotient < 0) & (quotient * b != a)) if a.dtype.kind == "i" else quotient


def _remainder(a, b):
    return a - _quotient(a, b) * b


def _least(a, b):
    """Of a number and a NaN the number, of two zeros the negative one."""
    return np.where((a < b) | (b != b) | (a == b) & np.signbit(a), a, b)


def _picked_bytes(a, b, choice):
    """Four bytes out of the eight of a (the low ones) and b: each four bits of `choice` name one."""
    if (choice & np.uint32(0xFFFF8888)).any():
        raise PtxError("prmt with a sign or a mode")
    result = np.zeros(np.broadcast_shapes(a.shape, b.shape, choice.shape), np.uint32)
    both = a.astype(np.uint64) | b.astype(np.uint64) << np.uint64(32)
    for i in map(np.uint32, range(4)):
        number = (choice >> np.uint32(4) * i & np.uint32(7)).astype(np.uint64)
        result |= (both >> number * np.uint64(8) & np.uint64(0xFF)).astype(np.uint32) << np.uint32(8) * i
    return result


# -- tables -----------------------------------------------------------------------------------------------------------

INTEGERS, FLOATS, BITS = "iu", "f", "ub"

# stem: (kinds of types, operands, function), all of one type
ARITHMETIC = {
    "add": (INTEGERS + FLOATS, 2, np.add),
    "add.rn": (FLOATS, 2, np.add),
    "sub": (INTEGERS + FLOATS, 2, np.subtract),
    "sub.rn": (FLOATS, 2, np.subtract),
    "mul": (FLOATS, 2, np.multiply),
    "mul.rn": (FLOATS, 2, np.multiply),
    "mul.lo": (INTEGERS, 2, np.multiply),
    "mul.hi": (INTEGERS, 2, _high),
    "mad.lo": (INTEGERS, 3, lambda a, b, c: a * b + c),
    "fma.rn": (FLOATS, 3, fma),
    "div": (INTEGERS, 2, _quotient),
    "div.rn": (FLOATS, 2, np.divide),
    "rem": (INTEGERS, 2, _remainder),
    "rcp.rn": (FLOATS, 1, lambda x: x.dtype.type(1) / x),
    "sqrt.rn": (FLOATS, 1, np.sqrt),
    "neg": (INTEGERS + FLOATS, 1, np.negative),
    "abs": (FLOATS, 1, np.abs),
    "min": (INTEGERS, 2, np.minimum),
    "max": (INTEGERS, 2, np.maximum),
    "and": (BITS, 2, np.bitwise_and),
    "or": (BITS, 2, np.bitwise_or),
    "xor": (BITS, 2, np.bitwise_xor),
    "not": (BITS, 1, np.invert),
    "mov": (INTEGERS + FLOATS + BITS, 1, lambda x: x),
    "cvta.to.global": ("u", 1, lambda x: x),  # global addresses are generic ones
}


def _comparison(compare, of):
    def typed(t):
        if np.dtype(t).kind not in of:
            raise PtxError(f"unknown comparison of {np.dtype(t)}")
        return np.bool_, (t, t), compare

    return typed


# stem: function of the type -> (result type, operand types, function)
MIXED = {
    "selp": lambda t: (t, (t, t, np.bool_), lambda a, b, chosen: np.where(chosen, a, b)),
    "shl": lambda t: (t, (t, np.uint32), _shift_left),
    "shr": lambda t: (t, (t, np.uint32), _shift_right),
    "mul.wide": lambda t: (WIDER[t], (t, t), _wide),
    "mad.wide": lambda t: (WIDER[t], (t, t, WIDER[t]), lambda a, b, c: _wide(a, b) + c),
    "prmt": lambda t: (t, (t, t, t), _picked_bytes),
    "setp.eq": _comparison(np.equal, INTEGERS + FLOATS),
    "setp.ne": _comparison(lambda a, b: (a < b) | (a > b), INTEGERS + FLOATS),  # false for a NaN
    "setp.lt": _comparison(np.less, INTEGERS + FLOATS),
    "setp.le": _comparison(np.less_equal, INTEGERS + FLOATS),
    "setp.gt": _comparison(np.greater, INTEGERS + FLOATS),
    "setp.ge": _comparison(np.greater_equal, INTEGERS + FLOATS),
    "setp.equ": _comparison(lambda a, b: ~((a < b) | (a > b)), FLOATS),  # these five are true for a NaN
    "setp.neu": _comparison(np.not_equal, FLOATS),
    "setp.ltu": _comparison(lambda a, b: ~(a >= b), FLOATS),
    "setp.leu": _comparison(lambda a, b: ~(a > b), FLOATS),
    "setp.gtu": _comparison(lambda a, b: ~(a <= b), FLOATS),
    "setp.geu": _comparison(lambda a, b: ~(a < b), FLOATS),
}

# (stem, kind of the result, kind of the operand)
CONVERSIONS = {("cvt", r, o) for r in "iu" for o in "iu"} | {("cvt", "f", "f")} | {
    ("cvt.rn", "f", "i"), ("cvt.rn", "f", "u"), ("cvt.rn", "f", "f")}
