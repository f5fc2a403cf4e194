"""tests/ptx itself: exact arithmetic, divergence, checked memory, and errors for all that it doesn't know."""

from fractions import Fraction

import numpy as np
import pytest

from fanin._kernels import device
from ptx import exact, text
from ptx.errors import PtxError
from ptx.machine import launch
from ptx.memory import Memory
from ptx.operations import operation

# -- arithmetic -------------------------------------------------------------------------------------------------------


def hard_operands(number, seed):
    """Numbers of all magnitudes, many of them so that a·b + c nearly cancels or lies midway between two floats."""
    random = np.random.default_rng(seed)
    n, digits = 20_000, 24 if number is np.float32 else 53
    a, b = (np.ldexp(random.integers(2**(digits - 1), 2**digits, n).astype(np.float64),
                     random.integers(-40, 10, n) - digits).astype(number) for _ in range(2))
    kind = random.integers(0, 4, n)
    c = np.where(kind == 0, -(a * b), np.where(kind == 1, -(a * b) * number(1 + 2.0**-10), a))
    c = np.where(kind == 2, a * b * number(2.0**(digits - 1)), c).astype(number)
    return a * random.choice([1, -1], n).astype(number), b, c


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_fma_is_rounded_once(number):
    """The emulation is libm's fma, which is correctly rounded, where rounding twice or apart is not."""
    a, b, c = hard_operands(number, 1)
    expected = np.array([device.fma(*operands) for operands in zip(a, b, c)])
    np.testing.assert_array_equal(exact.fma(a, b, c).view("u1"), expected.view("u1"))
    assert (a * b + c != expected).mean() > 0.2


def test_fma_at_the_ends_of_the_exponents():
    """Subnormal and huge products, infinities, zeros of either sign."""
    one = np.float64(1)
    cases = [(5e-324, 0.5, 0.0), (1e-200, 1e-120, 5e-324), (1e200, 1e200, -np.inf), (1e200, 1e200, 1.0),
             (1e308, 2.0, -1e308), (0.0, -1.0, 0.0), (0.0, -1.0, -0.0), (np.inf, 0.0, 1.0),
             (2.0**-540, 2.0**-540, 2.0**-1074), (one + 2**-52, one + 2**-52, -one)]
    with np.errstate(all="ignore"):
        for a, b, c in cases:
            got = exact.fma(*(np.array([x], np.float64) for x in (a, b, c)))[0]
            expected = device.fma(*map(np.float64, (a, b, c)))
            assert got.tobytes() == expected.tobytes() or np.isnan(got) and np.isnan(expected), (a, b, c)


SINGLE = np.array([0, 1, 2, 3, 2**31 - 1, 2**31, 2**32 - 1, 0xD2511F53, 0x243F6A88, 7], np.uint32)
DOUBLE = np.array([0, 1, 2, 3, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15], np.uint64)
SAMPLES = {np.uint32: SINGLE, np.int32: SINGLE.view(np.int32), np.uint64: DOUBLE, np.int64: DOUBLE.view(np.int64)}


def pairs(kind):
    values = SAMPLES[kind]
    return np.repeat(values, len(values)), np.tile(values, len(values))


@pytest.mark.parametrize("opcode", [
    "mul.lo.u32", "mul.lo.s64", "mul.hi.u32", "mul.hi.u64", "mul.hi.s32", "mul.wide.u32", "mul.wide.s32", "add.s32",
    "sub.u64", "div.s64", "rem.s64", "div.u32", "min.s64", "max.u64"])
def test_integer_operations(opcode):
    """Against Python's integers: wrapped, the upper half, the whole product, quotients towards zero."""
    meaning = operation(opcode)
    a, b = pairs(meaning.operands[0])
    if opcode.startswith(("div", "rem")):
        a, b = a[b != 0], b[b != 0]
    width = 8 * a.itemsize
    python = {"mul.lo": lambda x, y: x * y, "mul.hi": lambda x, y: x * y >> width, "mul.wide": lambda x, y: x * y,
              "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "div": lambda x, y: int(Fraction(x, y)),
              "rem": lambda x, y: x - y * int(Fraction(x, y)), "min": min, "max": max}[opcode.rpartition(".")[0]]
    with np.errstate(over="ignore"):
        got = meaning.compute(a, b)
    bits = 8 * np.dtype(meaning.result).itemsize
    assert got.dtype == meaning.result
    assert [int(x) % 2**bits for x in got] == [python(int(x), int(y)) % 2**bits for x, y in zip(a, b)]


@pytest.mark.parametrize("opcode", ["shl.b32", "shr.u32", "shr.s32", "shl.b64", "shr.u64", "shr.s64"])
def test_shifts_by_the_width_and_more(opcode):
    """PTX clamps the amount: all bits go, or all become the sign."""
    meaning = operation(opcode)
    values = SAMPLES[meaning.operands[0]]
    width = 8 * values.itemsize
    for amount in (0, 1, width - 1, width, width + 1, 2**31):
        got = meaning.compute(values, np.full(len(values), amount, np.uint32))
        expected = [int(x) << min(amount, width) if opcode.startswith("shl") else int(x) >> min(amount, width)
                    for x in values]
        assert [int(x) % 2**width for x in got] == [x % 2**width for x in expected]


def test_comparisons_with_nan():
    """Ordered comparisons are false and unordered ones true where a NaN takes part; min gives the number."""
    nan, one = np.array([np.nan], np.float32), np.array([1], np.float32)
    for stem in ("eq", "ne", "lt", "le", "gt", "ge"):
        assert not operation(f"setp.{stem}.f32").compute(nan, one)[0]
        assert operation(f"setp.{stem}u.f32").compute(nan, one)[0]
    assert operation("min.f32").compute(nan, one)[0] == operation("min.f32").compute(one, nan)[0] == 1
    assert np.signbit(operation("min.f32").compute(np.float32([0]), np.float32([-0.0]))[0])


@pytest.mark.parametrize("opcode", [
    "sqrt.approx.f32", "sqrt.approx.ftz.f32", "fma.rn.ftz.f32", "fma.rz.f32", "mul.ftz.f32", "div.full.f32",
    "ex2.approx.f32", "lg2.approx.f32", "sin.approx.f32", "rcp.approx.f32", "add.sat.f32", "cvt.f32.f64",
    "cvt.rn.f64.f32", "cvt.rzi.s32.f32", "cvt.f32.s32", "mul.f16", "mul.s32", "and.s32", "mul.hi.s64",
    "atom.global.add.u32", "shfl.sync.idx.b32", "add"])
def test_unknown_opcodes(opcode):
    """Approximate, flushed, wrongly rounded or never seen: an error, not a guess."""
    with pytest.raises(PtxError):
        meaning = operation(opcode)
        meaning.compute(*(np.ones(1, kind) for kind in meaning.operands))


# -- threads ----------------------------------------------------------------------------------------------------------

HEAD = """
.version 9.5
.target sm_75
.address_size 64
.visible .entry k(.param .u64 out, .param .u64 more)
{
	.reg .pred 	%p<4>;
	.reg .b32 	%r<10>;
	.reg .b64 	%rd<10>;
	ld.param.u64 	%rd1, [out];
	ld.param.u64 	%rd9, [more];
	mov.u32 	%r1, %tid.x;
	mul.wide.u32 	%rd2, %r1, 4;
	add.s64 	%rd3, %rd1, %rd2;
"""


def stored(body, threads=8, size=32, more=0):
    memory = Memory()
    out = memory.allocate(size)
    launch(text.parse(HEAD + body + "}"), [np.uint64(out), np.uint64(more)], memory, 1, threads)
    addresses, values = memory.written(4)
    return ((addresses - np.uint64(out)) // np.uint64(4)).tolist(), values.tolist()


def test_threads_part_and_meet():
    """Collatz: every thread has a loop of its own length, with a branch inside; all end together."""
    body = """
	add.s32 	%r2, %r1, 1;
	mov.u32 	%r3, 0;
$top:
	setp.eq.s32 	%p1, %r2, 1;
	@%p1 bra 	$end;
	add.s32 	%r3, %r3, 1;
	and.b32 	%r4, %r2, 1;
	setp.eq.s32 	%p2, %r4, 0;
	@!%p2 bra 	$odd;
	shr.u32 	%r2, %r2, 1;
	bra.uni 	$top;
$odd:
	mad.lo.s32 	%r2, %r2, 3, 1;
	bra.uni 	$top;
$end:
	st.global.u32 	[%rd3], %r3;
	ret;
"""
    assert stored(body)[1] == [0, 1, 7, 2, 5, 8, 16, 3]


def test_a_guard_on_any_instruction():
    """Threads whose predicate is false keep what they had, store nothing, or go on where others return."""
    body = """
	setp.gt.s32 	%p1, %r1, 4;
	setp.lt.s32 	%p2, %r1, 2;
	mov.u32 	%r2, 10;
	@%p1 mov.u32 	%r2, %r1;
	@%p2 ret;
	st.global.u32 	[%rd3], %r2;
	ret;
"""
    assert stored(body) == ([2, 3, 4, 5, 6, 7], [10, 10, 10, 5, 6, 7])


@pytest.mark.parametrize(("body", "words"), [
    ("st.global.u32 [%rd3+4], %r1;\nret;", "out of bounds"),
    ("st.global.u32 [%rd3+-4], %r1;\nret;", "out of bounds"),
    ("st.global.u32 [%rd3+2], %r1;\nret;", "misaligned"),
    ("st.global.v2.u32 [%rd3], {%r1, %r1};\nret;", "misaligned"),
    ("st.global.u32 [%rd1], %r1;\nret;", "two stores"),
    ("st.global.u32 [%rd3], %r7;\nret;", "before anything is written"),
    ("st.global.u64 [%rd3], %r1;\nret;", "misaligned|wanted"),
    ("ld.global.u32 %r2, [%rd3];\nret;", "nothing has filled"),
    ("add.s64 %rd4, %r1, 1;\nret;", "wanted"),
    ("bra $nowhere;", "no label"),
    ("$top:\nbra.uni $top;", "still running"),
    ("mov.u32 %r2, 1;", "past the last"),
    ("mov.u32 %r12, 1;\nret;", "no such register"),
    ("bar.sync 0;\nret;", "unknown"),
    ("{ .reg .b32 tmp; }\nret;", "unknown|entry"),
])
def test_faults_are_errors(body, words):
    """Whatever a GPU would do with it."""
    with pytest.raises(PtxError, match=words):
        stored(body + "\n")


def test_loads_of_arrays_to_be_read():
    """Values from a copy of an array; a store into it is a fault."""
    values = np.arange(8, dtype=np.uint32) * 3
    memory = Memory()
    out, source = memory.allocate(32), memory.load_from(values)
    body = "add.s64 %rd4, %rd9, %rd2;\nld.global.u32 %r2, [%rd4];\nst.global.u32 [%rd3], %r2;\nret;\n"
    arguments = [np.uint64(out), np.uint64(source)]
    launch(text.parse(HEAD + body + "}"), arguments, memory, 1, 8)
    np.testing.assert_array_equal(memory.written(4)[1], values)
    with pytest.raises(PtxError, match="only to be read"):
        launch(text.parse(HEAD + "st.global.u32 [%rd9], %r1;\nret;\n}"), arguments, memory, 1, 1)
