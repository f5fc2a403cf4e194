"""Threads that run a kernel in step: each instruction is one numpy operation on all threads that are there.

Threads that part at a branch wait by the number of their next instruction, the group with the smallest goes on, and
groups that meet go on together: loops of different length and divergent ends need nothing more.
"""

import functools

import numpy as np

from .errors import PtxError
from .operations import TYPES, UNSIGNED, operation
from .text import WIDTHS, Address, Immediate, Label, Register, Special

STEPS = 200_000  # instructions that a launch may execute: a loop that never ends is a fault, too
POISON = {1: 0xCA, 2: 0xCACA, 4: 0xCACACACA, 8: 0xCACACACACACACACA}
HALVES = {"mov.b32": np.uint16, "mov.b64": np.uint32}  # of a register that is taken apart or put together
operation = functools.cache(operation)


def launch(kernel, arguments, memory, grid, block, blocks=None):
    """Run the kernel's threads: all of a grid of `grid` blocks of `block` threads, or those of some `blocks` of it.

    Args:
        kernel: a `text.Kernel`.
        arguments: numpy scalars, one per parameter of the kernel, of its width.
        memory: a `memory.Memory`; what was stored is found there afterwards.

    Raises:
        PtxError: an unknown opcode, a wrong access to memory, a register that nothing has written.
    """
    blocks = np.arange(grid, dtype=np.uint32) if blocks is None else np.asarray(blocks, np.uint32)
    special = {
        "tid.x": np.tile(np.arange(block, dtype=np.uint32), len(blocks)), "ctaid.x": np.repeat(blocks, block),
        "ntid.x": np.array([block], np.uint32), "nctaid.x": np.array([grid], np.uint32),
    }
    if len(arguments) != len(kernel.params):
        raise PtxError(f"{len(kernel.params)} arguments wanted, {len(arguments)} given")
    params = {}
    for (name, kind), value in zip(kernel.params.items(), arguments):
        if value.itemsize != WIDTHS[kind]:
            raise PtxError(f"parameter {name} has {WIDTHS[kind]} bytes (got {value!r})")
        params[name] = np.array([value]).view(UNSIGNED[value.itemsize])
    with np.errstate(all="ignore"):
        _Launch(kernel, params, special, memory, block * len(blocks)).run()


class _Launch:
    def __init__(self, kernel, params, special, memory, threads):
        self.kernel, self.params, self.special, self.memory, self.threads = kernel, params, special, memory, threads
        self.registers = {}  # name -> bits of each thread, or of all threads in an array of one
        self.active = None  # the threads that execute; None for all

    def run(self):
        waiting = {0: None}  # next instruction -> threads
        instructions = self.kernel.instructions
        for _ in range(STEPS):
            if not waiting:
                return
            at = min(waiting)
            self.active = waiting.pop(at)
            if at >= len(instructions):
                raise PtxError("ran past the last instruction")
            self.kernel.executed.add(at)
            for goal, threads in self._step(instructions[at], at):
                waiting[goal] = self._joined(waiting[goal], threads) if goal in waiting else threads
        raise PtxError(f"still running after {STEPS} instructions")

    def _joined(self, a, b):
        together = np.concatenate([a, b])
        return None if len(together) == self.threads else together

    def _step(self, instruction, at):
        """Execute; returns where threads go on: [(number of the next instruction, threads)]."""
        everyone, stay = self.active, []
        if instruction.guard:
            name, wanted = instruction.guard
            runs = np.broadcast_to(self._read(Register(name), np.bool_) == wanted, self._count())
            if not runs.all():
                indices = np.arange(self.threads) if everyone is None else everyone
                stay, self.active = [(at + 1, indices[~runs])], indices[runs]
                if not runs.any():
                    return stay
        family = instruction.opcode.split(".")[0]
        if instruction.opcode in ("ret", "exit"):
            return stay
        if instruction.opcode in ("bra", "bra.uni"):
            (label,) = instruction.operands
            if label.name not in self.kernel.labels:
                raise PtxError(f"no label {label.name}")
            return [*stay, (self.kernel.labels[label.name], self.active)]
        if family in ("ld", "st"):
            self._access(instruction)
        else:
            self._compute(instruction)
        return [(at + 1, everyone)]

    def _count(self):
        return self.threads if self.active is None else len(self.active)

    # -- computing ----------------------------------------------------------------------------------------------------

    def _compute(self, instruction):
        target, *sources = instruction.operands
        if instruction.opcode in HALVES and type(target) is tuple:
            (whole,) = (self._read(source, TYPES[instruction.opcode[4:]]) for source in sources)
            halves = np.ascontiguousarray(whole)[:, None].view(HALVES[instruction.opcode])  # low half first
            for part, value in zip(target, (halves[:, 0], halves[:, 1]), strict=True):
                self._write(part, value)
            return
        if instruction.opcode in HALVES and type(sources[0]) is tuple:
            halves = np.broadcast_arrays(*(self._read(part, HALVES[instruction.opcode]) for part in sources[0]))
            self._write(target, np.stack(halves, axis=1).view(TYPES[instruction.opcode[4:]])[:, 0])
            return
        meaning = operation(instruction.opcode)
        if len(sources) != len(meaning.operands):
            raise PtxError(f"{len(meaning.operands)} operands wanted: {instruction.text}")
        loose = instruction.opcode.startswith("cvt")  # a register may be wider than the type
        values = [self._read(source, kind, loose) for source, kind in zip(sources, meaning.operands)]
        self._write(target, meaning.compute(*values).astype(meaning.result, copy=False), loose)

    def _read(self, operand, kind, loose=False):
        size = np.dtype(kind).itemsize
        if isinstance(operand, Register):
            if operand.name not in self.registers:
                raise PtxError(f"%{operand.name} is read before anything is written to it")
            value = self.registers[operand.name]
            if len(value) > 1 and self.active is not None:
                value = value[self.active]
        elif isinstance(operand, Special):
            value = self.special[operand.name]
            if len(value) > 1 and self.active is not None:
                value = value[self.active]
        elif isinstance(operand, Immediate) and operand.kind == "int" and np.dtype(kind).kind in "iu":
            return np.array([operand.value % 2**(8 * size)], UNSIGNED[size]).view(kind)
        elif isinstance(operand, Immediate) and WIDTHS.get(operand.kind) == size:
            return np.array([operand.value], UNSIGNED[size]).view(kind)
        elif isinstance(operand, Immediate) and operand.kind == "int" and kind is np.bool_:
            return np.array([operand.value != 0])
        else:
            raise PtxError(f"{operand} where a value of type {np.dtype(kind)} is wanted")
        if (value.dtype == np.bool_) != (kind is np.bool_) or value.itemsize < size or \
                value.itemsize > size and not loose:
            raise PtxError(f"%{operand.name} of {value.dtype} where {np.dtype(kind)} is wanted")
        return value if kind is np.bool_ else value.astype(UNSIGNED[size], copy=False).view(kind)

    def _write(self, register, value, loose=False):
        if register == Label("_"):  # a half that nobody wants
            return
        if not isinstance(register, Register) or register.name not in self.kernel.registers:
            raise PtxError(f"no such register: {register}")
        width = self.kernel.registers[register.name]
        if (width == 0) != (value.dtype == np.bool_) or width and (
                value.itemsize > width or value.itemsize < width and not loose):
            raise PtxError(f"%{register.name} of {width} bytes cannot hold {value.dtype}")
        if width:
            # signed types extend by their sign
            grown = value.astype(f"{value.dtype.kind}{width}") if value.itemsize < width else value
            value = grown.view(UNSIGNED[width])
        if self.active is None:
            self.registers[register.name] = value
            return
        before = self.registers.get(register.name)
        if before is None:
            before = np.array([POISON[width] if width else False], value.dtype)
        if len(before) == 1 < self.threads or not before.flags.writeable:
            before = np.broadcast_to(before, self.threads).copy()
        else:
            before = before.copy()  # another register may hold the same array
        before[self.active] = value
        self.registers[register.name] = before

    # -- memory -------------------------------------------------------------------------------------------------------

    def _access(self, instruction):
        parts = instruction.opcode.split(".")
        kind = parts[-1]
        if kind not in WIDTHS:
            raise PtxError(f"unknown opcode: {instruction.opcode}")
        count = int(parts[2][1:]) if len(parts) == 4 and parts[2] in ("v2", "v4", "v8") else 1
        where = ".".join(parts[:-1] if count == 1 else [*parts[:2]])
        if where == "ld.param":
            target, address = instruction.operands
            if address.base not in self.params or address.offset:
                raise PtxError(f"unknown parameter: {instruction.text}")
            self._write(target, self._as(self.params[address.base], kind), loose=True)
        elif where == "ld.global":
            target, address = instruction.operands
            values = self.memory.load(self._addresses(address), WIDTHS[kind], count)
            for part, value in zip(target if count > 1 else (target,), values, strict=True):
                self._write(part, value.view(TYPES[kind]), loose=True)
        elif where == "st.global":
            address, source = instruction.operands
            sources = source if count > 1 else (source,)
            if len(sources) != count:
                raise PtxError(f"{count} values wanted: {instruction.text}")
            values = [self._read(part, UNSIGNED[WIDTHS[kind]], loose=True) for part in sources]
            self.memory.store(np.broadcast_to(self._addresses(address), self._count()), values)
        else:
            raise PtxError(f"unknown opcode: {instruction.opcode}")

    def _as(self, value, kind):
        if value.itemsize != WIDTHS[kind]:
            raise PtxError(f"a parameter of {value.itemsize} bytes read as {kind}")
        return value.view(TYPES[kind])

    def _addresses(self, address):
        if not isinstance(address, Address) or isinstance(address, Label):
            raise PtxError(f"unknown address: {address}")
        base = self._read(Register(address.base), np.uint64)
        return base + np.uint64(address.offset % 2**64)
