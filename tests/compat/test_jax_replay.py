"""`fanin.compat.jax` against numbers that JAX 0.10.2 made, and flax's documentation prints: neither is installed here.

tests/vectors/make_jax_replay.py recorded the first; tests/interop/test_compat_jax.py compares with JAX itself.
"""

import hashlib
import itertools
import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

import fanin
from fanin._backends import sharing
from fanin.compat import jax as fj
from fanin.compat.jax import _erf, _fill, _keys, _samplers, _threefry

VECTORS = Path(__file__).parent.parent / "vectors"
REPLAY = json.loads((VECTORS / "jax_replay.json").read_text())
DOCUMENTED = json.loads((VECTORS / "flax_documented_values.json").read_text())["cases"]

records = pytest.mark.parametrize(
    "record", REPLAY["records"], ids=lambda r: f"{r['seed']}-{'partitionable' if r['partitionable'] else 'original'}")
layouts = pytest.mark.parametrize("partitionable", [True, False], ids=["partitionable", "original"])


def digest(array):
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()


def key_of(record):
    return fj.key(record["seed"], partitionable=record["partitionable"])


def ulps(x, y):
    """How many float32 numbers apart the elements are."""
    order = [np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
             for bits in (np.asarray(a, np.float32).view(np.int32).astype(np.int64) for a in (x, y))]
    return np.abs(order[0] - order[1])


@pytest.mark.parametrize(("key", "counter", "words"), [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
])
def test_threefry_has_its_known_answers(key, counter, words):
    """Random123's vectors of threefry2x32 with twenty rounds."""
    with np.errstate(over="ignore"):
        assert _threefry.threefry(*map(np.uint32, key + counter)) == words


@records
def test_keys_are_those_of_jax(record):
    """A seed's key, and the keys that split and fold_in make of it, have JAX's words."""
    key = key_of(record)

    assert key.tolist() == record["key"]
    assert fj.split(key, 5).tolist() == record["split"]
    assert fj.split(key, (2, 3)).tolist() == record["split_shape"]
    for data, words in record["fold_in"]:
        assert fj.fold_in(key, data).tolist() == words


@records
def test_words_are_those_of_jax(record):
    """Odd and even counts, in both layouts."""
    for count, expected in record["bits"]:
        assert digest(fj.bits(key_of(record), count)) == expected, count


@pytest.mark.parametrize("factory", range(len(REPLAY["factories"])), ids=lambda i: str(REPLAY["factories"][i]))
@records
def test_float32_draws_have_the_bits_of_jax(record, factory):
    """Every element-wise draw that was recorded comes out, bit for bit."""
    name, args, kwargs = REPLAY["factories"][factory]
    init = getattr(fj, name)(*args, **kwargs)

    for shape, expected in zip(REPLAY["shapes"], record["draws"][factory]):
        w = init(key_of(record), shape)

        assert w.dtype == np.float32
        assert w.shape == tuple(shape)
        assert digest(w) == expected, shape


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names instruction sets of x86")
def test_another_instruction_set_has_the_same_bits():
    """AVX2 makes the bits that this processor makes: JAX's own differ where there is no fused multiply-add."""
    code = ("import fanin.compat.jax as fj, numpy as np\n"
            "for layout in (True, False): print(np.sum(fj.he_normal()(fj.key(1, layout), (333, 77)).view(np.uint32)))")
    expected = [int(np.sum(fj.he_normal()(fj.key(1, layout), (333, 77)).view(np.uint32))) for layout in (True, False)]
    environment = {**os.environ, "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert [int(line) for line in done.stdout.split()] == expected


@records
def test_orthogonal_draws_are_close_to_those_of_jax(record):
    """Within 1e-4 absolute; the factorization is another library's, its signs are not."""
    for case in record["orthogonal"]:
        w = getattr(fj, case["factory"])(**case["kwargs"])(key_of(record), case["shape"])

        assert np.abs(w - np.array(case["values"])).max() < 1e-5, case


@pytest.mark.parametrize("case", DOCUMENTED, ids=lambda case: case["factory"])
def test_the_values_of_flax_documentation_come_out(case):
    """Within 8 ulp of the printed digits, orthogonal ones within 1e-5: they were printed by several versions."""
    args = [float(case["args"])] if case["args"] else []
    w = getattr(fj, case["factory"])(*args)(fj.key(case["key"], partitionable=False), case["shape"], "float32")
    values = np.array(case["values"], np.float32)

    assert w.shape == values.shape
    if "orthogonal" in case["factory"]:
        assert np.abs(w - values).max() <= 1e-5
    else:
        assert ulps(w, values).max() <= 8


# -- the layouts, by their definition ------------------------------------------------------------------------------


def words_by_definition(key, n):
    """bits(key, n), one counter at a time."""
    k0, k1 = (np.uint32(word) for word in key)
    with np.errstate(over="ignore"):
        if key.partitionable:
            pairs = [_threefry.threefry(k0, k1, np.uint32(i >> 32), np.uint32(i & 0xFFFFFFFF)) for i in range(n)]
            return [x0 ^ x1 for x0, x1 in pairs]
        half = (n + 1) // 2
        counters = list(range(n)) + [0] * (n % 2)
        pairs = [_threefry.threefry(k0, k1, np.uint32(counters[p]), np.uint32(counters[half + p])) for p in range(half)]
        return ([x0 for x0, _ in pairs] + [x1 for _, x1 in pairs])[:n]


@layouts
@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 1000])
def test_words_follow_the_definition_of_the_layout(partitionable, n):
    """Compiled, vectorized and cut into pieces, the loops make the words that the definition makes."""
    key = fj.key(7, partitionable=partitionable)

    assert fj.bits(key, n).tolist() == words_by_definition(key, n)


@layouts
def test_threads_and_pieces_do_not_change_a_word(partitionable):
    """An array that several threads share has the words of one that a single thread fills at once."""
    key, n = fj.key(3, partitionable=partitionable), 1_000_003
    try:
        found = []
        for choice in ("none", "own", "numba"):
            fanin.set_threading(choice)
            found.append(fj.bits(key, n))
    finally:
        fanin.set_threading("numba")

    assert (found[1] == found[0]).all()
    assert (found[2] == found[0]).all()


def test_the_upper_half_of_the_counter_is_used():
    """Beyond 2**32 elements the partitionable layout counts on."""
    out = np.zeros(2000, np.uint32)
    loop = _fill._loop(_fill.partitionable, _samplers.word)
    loop(out[:1000], out[1000:], 2**32 - 1500, 2**32 - 500, 3, np.uint32(1), np.uint32(2), ())
    some = [0, 1, 999, 1000, 1499]
    with np.errstate(over="ignore"):
        expected = [np.bitwise_xor(*_threefry.threefry(
            np.uint32(1), np.uint32(2), np.uint32(3), np.uint32(2**32 - 1500 + i))) for i in some]

    assert out[some].tolist() == expected


def test_pieces_do_not_go_past_the_lower_half_of_the_counter(monkeypatch):
    """They begin at multiples of their size, a power of two, whatever the count and the threads."""
    for threads, count in itertools.product((1, 3), (10**6, 3 * 10**7, 2**33 + 10)):
        monkeypatch.setattr(sharing, "thread_count", lambda: threads)  # noqa: B023
        _, size = _fill._cut(count)
        out = np.broadcast_to(np.uint32(0), count)  # as long as that, in four bytes
        pieces = []

        def loop(front, back, first, second, high, *_):
            start = high * 2**32 + first
            assert start + len(front) == high * 2**32 + second
            pieces.append((start, start + len(front) + len(back)))  # noqa: B023

        for i in range(-(-count // size)):
            _fill._partitionable_piece(loop, i, size, out, 0, 0, ())

        assert [start for start, _ in pieces[1:]] == [stop for _, stop in pieces[:-1]]
        assert (pieces[0][0], pieces[-1][1]) == (0, count)
        assert all(start >> 32 == (stop - 1) >> 32 for start, stop in pieces)


@pytest.mark.parametrize("n", [99, 100, 101, 250])
def test_the_original_layout_takes_a_new_key_for_each_block(n, monkeypatch):
    """A counter of 32 bits is enough for 2**32 - 1 elements: then come the keys of a split. (The limit is made 100.)"""
    monkeypatch.setattr(_fill, "BLOCK", 100)
    key = fj.key(11, partitionable=False)
    keys = [key] if n < 100 else fj.split(key, n // 100 + 1)
    counts = [100] * (n // 100) + [n % 100]
    expected = [word for block, count in zip(keys, counts) for word in words_by_definition(block, count)]

    assert fj.bits(key, n).tolist() == expected


# -- the samplers --------------------------------------------------------------------------------------------------

WORDS = np.concatenate([np.array([0, 1, 511, 512, 0x7FFFFFFF, 0x80000000, 0x80000200, 0xFFFFFE00, 0xFFFFFFFF]),
                        np.random.default_rng(5).integers(0, 2**32, 300)]).astype(np.uint32)


@pytest.mark.parametrize("lower", [-2.0, -math.inf, 0.5])
def test_the_compiled_samplers_compute_what_python_computes(lower):
    """The same bits from the compiled loops as from the scalar functions run by Python."""
    key = fj.key(1)
    words = fj.bits(key, 300)
    scale = np.float32(0.3)
    init = fj.truncated_normal(0.3, lower=lower, upper=3.0)
    params = (*_draws_truncation(lower, 3.0), scale)
    with np.errstate(all="ignore"):
        normal = [_samplers.normal(word, scale) for word in words]
        truncated = [_samplers.truncated(word, *params) for word in words]
        uniform = [_samplers.uniform(word, np.float32(0), np.float32(1), scale) for word in words]

    assert fj.normal(0.3)(key, 300).tolist() == normal
    assert init(key, 300).tolist() == truncated
    assert fj.uniform(0.3)(key, 300).tolist() == uniform


def _draws_truncation(lower, upper):
    from fanin.compat.jax import _draws

    return _draws._truncation(lower, upper)


def test_the_inverse_error_function_is_one():
    """Giles' polynomials are good to 3e-6 of erf_inv, the ends of the words included."""
    with np.errstate(all="ignore"):
        x = [_samplers.uniform(word, _samplers.NORMAL_LOW, _samplers.NORMAL_SPAN, np.float32(1)) for word in WORDS]
        found = [float(_erf.erf_inv(value)) for value in x]
    exact = [float(mpmath.erfinv(float(value))) for value in x]

    assert np.allclose(found, exact, rtol=3e-6, atol=0)


def test_infinite_quantiles_become_the_nearest_value_inside():
    """Where float32's erf of a bound is +-1, as in JAX."""
    largest = np.finfo(np.float32).max
    below, above = (np.array([low, 0, -largest, largest, 1], np.float32) for low in (-1, 1))
    with np.errstate(all="ignore"):
        found = [_samplers.truncated(np.uint32(0), *params) for params in (below, above)]

    assert found == [-largest, largest]


def test_the_error_function_is_one():
    """erf of the bounds is good to float32; beyond 3.7 it is +-1."""
    x = np.linspace(-4.5, 4.5, 181, dtype=np.float32)

    assert np.allclose([_erf.erf(value) for value in x], [math.erf(value) for value in x], rtol=3e-7)
    assert _erf.erf(np.float32(math.inf)) == 1
    assert _erf.erf(np.float32(-4)) == -1


def test_split_keys_are_independent_of_how_many_are_asked_for():
    """In the partitionable layout, the first keys of a larger split are those of a smaller one."""
    key = fj.key(5)

    assert (fj.split(key, 100)[:7] == fj.split(key, 7)).all()
    assert len({tuple(words) for words in fj.split(key, 1000).tolist()}) == 1000


def test_no_key_is_computed_in_a_wider_type():
    """Arrays of uint32 stay uint32 through Threefry: a wider sum would not wrap round."""
    words = _keys._apply(fj.key(1), np.zeros(3, np.uint32), np.arange(3, dtype=np.uint32))

    assert words.dtype == np.uint32
