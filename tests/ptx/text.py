"""PTX text to a list of instructions, with the registers, parameters and labels that they name.

What isn't understood raises PtxError: an interpreter that skips a line proves nothing. The syntax is that of NVIDIA's
"PTX ISA", of which kernels made by NVVM use little: one entry, declarations of registers, labels and instructions.
"""

import re
from typing import NamedTuple

from .errors import PtxError

WIDTHS = {"b8": 1, "u8": 1, "s8": 1, "b16": 2, "u16": 2, "s16": 2, "f16": 2, "b32": 4, "u32": 4, "s32": 4, "f32": 4,
          "b64": 8, "u64": 8, "s64": 8, "f64": 8}  # bytes of each type


class Register(NamedTuple):
    name: str


class Special(NamedTuple):
    """A register that the hardware writes: %tid.x."""

    name: str


class Immediate(NamedTuple):
    """A constant: `value` is an int, or for a float its bit pattern; `kind` says which."""

    value: int
    kind: str


class Address(NamedTuple):
    base: str
    offset: int


class Label(NamedTuple):
    name: str


class Instruction(NamedTuple):
    opcode: str
    operands: tuple
    guard: tuple | None  # (predicate register, the value for which the instruction runs)
    text: str


class Kernel(NamedTuple):
    name: str
    params: dict  # name -> type, in order
    registers: dict  # name -> bytes, 0 for a predicate
    instructions: list
    labels: dict  # name -> number of the instruction that follows
    executed: set  # numbers of the instructions that some thread has executed


ENTRY = re.compile(r"\.visible\s+\.entry\s+(?P<name>[\w$]+)\s*\((?P<params>.*?)\)(?P<tuning>[^{]*)\{(?P<body>.*)\}",
                   re.DOTALL)
PARAM = re.compile(r"\.param\s+\.(?P<type>\w+)(\s+\.ptr(\s+\.global)?\s+\.align\s+\d+)?\s+(?P<name>[\w$]+)")
REGISTERS = re.compile(r"\.reg\s+\.(?P<type>\w+)\s+%(?P<stem>\w+)<(?P<count>\d+)>;")
LABEL = re.compile(r"(?P<name>[\w$]+):")
INSTRUCTION = re.compile(r"(@(?P<negated>!?)%(?P<guard>\w+)\s+)?(?P<opcode>[a-z][\w.:]*)\s*(?P<operands>[^;]*);")
INTEGER = re.compile(r"-?(0x[0-9A-Fa-f]+|\d+)U?")
SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid)\.[xyz]")


def parse(ptx):
    """The one kernel of a PTX module."""
    ptx = re.sub(r"//[^\n]*", "", ptx)
    entries = list(ENTRY.finditer(ptx))
    if len(entries) != 1 or ptx.count(".entry") != 1:
        raise PtxError(f"one entry wanted, {ptx.count('.entry')} found")
    entry = entries[0]
    if re.search(r"\.func\b|\.shared|\.local|\.const\b", ptx):
        raise PtxError("functions, shared, local and constant memory are not known here")
    registers, instructions, labels = {}, [], {}
    for line in map(str.strip, entry["body"].splitlines()):
        if not line or re.fullmatch(r'\.pragma "\w+";', line):
            continue
        if found := REGISTERS.fullmatch(line):
            width = 0 if found["type"] == "pred" else WIDTHS[found["type"]]
            registers |= {f"{found['stem']}{i}": width for i in range(int(found["count"]))}
        elif found := LABEL.fullmatch(line):
            labels[found["name"]] = len(instructions)
        elif found := INSTRUCTION.fullmatch(line):
            guard = (found["guard"], not found["negated"]) if found["guard"] else None
            operands = tuple(map(_operand, _split(found["operands"])))
            instructions.append(Instruction(found["opcode"], operands, guard, line))
        else:
            raise PtxError(f"unknown line: {line}")
    return Kernel(entry["name"], _params(entry["params"]), registers, instructions, labels, set())


def _params(text):
    params = {}
    for piece in filter(None, map(str.strip, text.split(","))):
        found = PARAM.fullmatch(piece)
        if not found:
            raise PtxError(f"unknown parameter: {piece}")
        params[found["name"]] = found["type"]
    return params


def _split(text):
    """Operands at the commas outside of braces."""
    return [part.strip() for part in re.split(r",(?![^{]*\})", text) if part.strip()]


def _operand(text):
    if text.startswith("{"):
        return tuple(map(_operand, _split(text[1:-1])))
    if text.startswith("["):
        found = re.fullmatch(r"\[%?([\w$]+)(?:\+(-?\d+))?\]", text)
        if not found:
            raise PtxError(f"unknown address: {text}")
        return Address(found[1], int(found[2] or 0))
    if SPECIAL.fullmatch(text):
        return Special(text[1:])
    if text.startswith("%"):
        return Register(text[1:])
    if re.fullmatch(r"0f[0-9A-Fa-f]{8}", text):
        return Immediate(int(text[2:], 16), "f32")
    if re.fullmatch(r"0d[0-9A-Fa-f]{16}", text):
        return Immediate(int(text[2:], 16), "f64")
    if INTEGER.fullmatch(text):
        return Immediate(int(text.rstrip("U"), 0), "int")
    if re.fullmatch(r"[\w$]+", text):
        return Label(text)
    raise PtxError(f"unknown operand: {text}")
