"""The power of test_ptx_execution: kernels with a planted fault do not pass it."""

import re

import numpy as np
import pytest

from ptx import text
from ptx.cases import CASES
from ptx.errors import PtxError
from ptx.trial import assert_stored, run

CASE = "normal-float32"
DIALECTS = [(7, 5), (10, 0)]
EACH_DIALECT = pytest.mark.parametrize("architecture", DIALECTS, ids=["7.5", "10.0"])
MISMATCH = (AssertionError, PtxError)


def check(built, ptx, windows=(1, 0)):
    """Run some of the case's windows, and compare."""
    kernel = text.parse(ptx)
    for number in windows:
        window = CASES[CASE][number]
        address, stored = run(kernel, built.types["run"], window, 3 if window.count < 65_536 else 37)
        places = address + window.plan.dtype.itemsize * np.arange(window.count)
        assert_stored(stored, places, built.expected[number], window.plan.parts)


def changed(ptx, pattern, replacement, which=0):
    """The PTX with one of the places that match changed."""
    place = list(re.finditer(pattern, ptx))[which]
    return ptx[:place.start()] + place.expand(replacement) + ptx[place.end():]


@EACH_DIALECT
def test_the_unchanged_kernel_passes(builds, architecture):
    """What follows fails for the fault's sake."""
    check(builds[CASE], builds[CASE].texts["run", architecture], windows=range(5))


# -- one fault of each kind -------------------------------------------------------------------------------------------

PLANTED = {
    "another opcode": (r"xor\.b64", "or.b64", 3, "not equal"),
    "a coefficient's last bit": (r"0f40172574", "0f40172575", 0, "not equal"),
    "a constant of Philox": (r"3528531795", "3528531794", 5, "not equal"),
    "a store beside its place": (r"(st\.global\.v4\.\w+\s+\[%rd\d+)\]", r"\1+16]", 0, "out of bounds"),
    "a misaligned vector": (r"(st\.global\.v4\.\w+\s+\[%rd\d+)\]", r"\1+4]", 0, "misaligned"),
    "values in another order": (r"\{(%\w+), (%\w+),", r"{\2, \1,", 0, "not equal"),
    "no store of the tail": (r"st\.global\.[fb]32[^;]*;", "", -1, "not equal"),
    "a store twice": (r"(st\.global\.v4[^;]*;)", r"\1 \n \1", 0, "two stores"),
    "no end": (r"setp\.lt\.s64(\s+%p\d+), (%rd\d+), %rd\d+;(?=\s*@%p\d+ bra\s+\$L__BB0_\d;)", r"setp.eq.s64\1, \2, \2;",
               -1, ""),
    "an unset register": (r"sqrt\.rn\.f32\s+(%\w+), %\w+;", "", 0, "before anything is written"),
    "an approximation": (r"sqrt\.rn\.f32", "sqrt.approx.f32", 0, "unknown opcode"),
    "flushed subnormals": (r"fma\.rn\.f32", "fma.rn.ftz.f32", 0, "unknown opcode"),
    "a narrow index": (r"mul\.wide\.[su]32\s+(%rd\d+), (%r\d+), (%r\d+);", r"cvt.u64.u32 \1, \2;", 0, ""),
    "an unknown function": (r"sqrt\.rn\.f32(\s+%\w+, %\w+);", "call.uni (a), __nv_sqrtf, (b);", 0, "unknown"),
}


@EACH_DIALECT
@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(builds, fault, architecture):
    """A wrong result, a wrong access to memory, or an instruction that must not be there."""
    pattern, replacement, which, words = PLANTED[fault]
    faulty = changed(builds[CASE].texts["run", architecture], pattern, replacement, which)
    with pytest.raises(MISMATCH, match=re.compile(words, re.IGNORECASE)):
        check(builds[CASE], faulty)


# -- every instruction ------------------------------------------------------------------------------------------------

OTHER = {"add": "sub", "sub": "add", "mul.lo": "add", "mul": "add", "fma.rn": "swap", "and": "or", "or": "and",
         "xor": "or", "shr": "shl", "shl": "shr", "neg": "mov", "sqrt.rn": "rcp.rn", "selp": "swap",
         "setp.lt": "setp.ge", "setp.gt": "setp.le", "setp.ge": "setp.lt", "setp.le": "setp.gt",
         "setp.ne": "setp.eq", "setp.eq": "setp.ne", "mad.lo": "swap"}


def mutants(ptx):
    """(line, PTX) with one instruction changed: another opcode, or for fma, mad and selp operands exchanged."""
    text_lines = ptx.splitlines()
    for number, line in enumerate(text_lines):
        found = re.fullmatch(r"\s+([a-z][a-z.]*?)\.([subf]\d+|pred)\s+([^;]*);", line)
        if not found or found[1] not in OTHER:
            continue
        stem, kind, operands = found.groups()
        if OTHER[stem] == "swap":
            first, *others = operands.split(", ")
            swapped = [others[1], others[0]] if stem == "selp" else [others[-1], *others[1:-1], others[0]]
            operands = ", ".join([first, *swapped, *(others[2:] if stem == "selp" else [])])
        else:
            stem = OTHER[stem]
            kind = {"b": "u"}.get(kind[0], kind[0]) + kind[1:] if stem in ("add", "sub") else kind
            kind = "b" + kind[1:] if stem in ("and", "or", "xor", "shl") and kind[0] != "p" else kind
            kind = "u" + kind[1:] if stem == "shr" else kind
        mutant = f"\t{stem}.{kind}\t{operands};"
        if mutant.split() != line.split():
            yield line.strip(), "\n".join([*text_lines[:number], mutant, *text_lines[number + 1:]])


def survivors(built, changes):
    """Of (line, PTX), the lines whose change nothing has shown; and how many were tried."""
    left, tried = [], 0
    for line, ptx in changes:
        tried += 1
        try:
            check(built, ptx, windows=(1, 4, 2, 0))
        except MISMATCH:
            continue
        left.append(line)
    return left, tried


@EACH_DIALECT
def test_every_changed_instruction_is_found(builds, architecture):
    """Another opcode in any place of the kernel shows, but for index arithmetic that has no result to spoil.

    That is: the rounding of negative numbers that don't occur; more blocks than there are, which write nothing; and
    the choice between a vector store and single ones, which write the same.
    """
    left, tried = survivors(builds[CASE], mutants(builds[CASE].texts["run", architecture]))
    assert tried > 230
    assert [line for line in left if not re.match(r"\w+(\.\w+)?\.[subf]64", line) or "fma" in line] == []
    assert len(left) <= 20


@EACH_DIALECT
def test_every_changed_constant_is_found(builds, architecture):
    """64 units in the last place (4e-6) of any coefficient show in 65,542 elements, one in any integer of Philox.

    A single unit of a polynomial's highest coefficients is below the rounding of the value.
    """
    ptx = builds[CASE].texts["run", architecture]
    constants = dict.fromkeys(re.findall(r"\b0f[0-9A-F]{8}\b|\b\d{9,}\b", ptx))

    def changes():
        for constant in constants:
            if constant not in ("0f00000000", "4294967295"):  # neither has a neighbour that would be a coefficient
                other = f"0f{int(constant[2:], 16) ^ 64:08X}" if constant[:2] == "0f" else str(int(constant) ^ 1)
                yield constant, re.sub(rf"\b{constant}\b", other, ptx)

    left, tried = survivors(builds[CASE], changes())
    assert tried > 40
    assert left == []
