"""The stream (the contract's section 2): seeds, names, streams, raw words, and which words belong to which element."""

import copy
import hashlib
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import fanin
from fanin import FaninError, Normal, Stream, Uniform
from fanin.stream import stream_id, words

TIMEOUT = 120  # seconds, for each subprocess


@pytest.fixture
def default_stream():
    """A default stream that the test may move."""
    fanin.seed(2024)


# -- words -----------------------------------------------------------------------------------------------------------


def test_words_of_seed_zero():
    """The first known answer of Random123 is block 0 of seed 0."""
    assert words(seed=0, count=4).tolist() == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("name", ["encoder.0.weight", "w", "", "größe/層", "a" * 1000])
def test_stream_id_of_a_name(name):
    """The name's 8-byte BLAKE2b digest, little-endian, with the top bit set."""
    digest = hashlib.blake2b(name.encode("utf-8"), digest_size=8).digest()
    assert stream_id(name) == int.from_bytes(digest, "little") | 2**63


def test_stream_id_known_answers():
    """Two ids as numbers: the digest's library can't change unseen."""
    assert stream_id("encoder.0.weight") == 0x88200A68F49D3CB5
    assert stream_id("w") == 0xA0925082A2286B9E


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 5, 7, 4099])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9])
def test_a_window_of_words(start, count, device):
    """`start` and `count` cut a window out of one sequence."""
    part = words(seed=3, name="w", start=start, count=count, device=device)
    assert part.dtype == np.uint32
    np.testing.assert_array_equal(part, words(seed=3, name="w", count=5000)[start:start + count])


def test_words_far_out():
    """Windows beyond 2**32 words and blocks; the last word of all."""
    for start in (2**32 - 2, 2**34 - 2, 2**53 + 1, 2**61 - 2, 2**62 - 3, 2**63 - 5):
        np.testing.assert_array_equal(words(seed=1, start=start, count=5),
                                      words(seed=1, start=start, count=5, device="reference"))
    with pytest.raises(FaninError, match=r"2\*\*63"):
        words(seed=1, start=2**63 - 4, count=5)


def test_words_reach_as_far_as_draws_do():
    """The last element of the largest complex128 tensor is made of the last four words that there are."""
    shape = (2**61,)
    last = fanin.Constant(0j).shard(shape, -1, "complex128", seed=1, name="w")  # the shape is one that can be drawn
    radius, angle = (int(low) + (int(high) << 32) for low, high in words(1, "w", 2**63 - 4, 4).reshape(2, 2))

    z = fanin.Uniform(-1.0, 1.0).shard(shape, -1, "complex128", seed=1, name="w")

    assert last == 0
    assert abs(z) == pytest.approx((radius / 2**64) ** 0.5)
    assert np.angle(z) % (2 * np.pi) == pytest.approx(angle / 2**64 * 2 * np.pi)


def test_long_runs_of_words_are_the_same_words():
    """The parallel loop starts at any word."""
    whole = words(seed=9, count=100_000)
    for start in (1, 2, 3, 4097):
        np.testing.assert_array_equal(words(seed=9, start=start, count=90_000), whole[start:start + 90_000])


@pytest.mark.parametrize("arguments", [
    {"seed": -1}, {"seed": 2**64}, {"seed": 1.0}, {"seed": True}, {"seed": "0"}, {"name": 3}, {"start": -1},
    {"count": -1}, {"start": 0.5}, {"count": None}, {"device": "tpu"},
])
def test_words_refuses(arguments):
    """Each argument out of its range raises an error that names it, and no stream moves."""
    stream = Stream(0)
    with pytest.raises(FaninError, match=f"`{next(iter(arguments))}`"):
        words(**({"seed": stream} | arguments))
    assert stream.position == 0


# -- from words to values --------------------------------------------------------------------------------------------


def words64(count, **key):
    """Words 2i and 2i + 1 as x = w0 + 2**32·w1."""
    return words(count=2 * count, **key).view("<u8")


def test_float32_uniforms_from_raw_words():
    """Element i is (word i >> 8)·2**-24, bit for bit, in C order over the shape."""
    expected = (words(seed=5, name="w", count=7 * 33) >> 8) * np.float32(2**-24)
    np.testing.assert_array_equal(Uniform()((7, 33), seed=5, name="w").ravel(), expected)


def test_float64_uniforms_from_raw_words():
    """Element i takes words 2i and 2i + 1: (x >> 11)·2**-53."""
    expected = (words64(7 * 33, seed=5, name="w") >> 11) * 2.0**-53
    np.testing.assert_array_equal(Uniform()((7, 33), "float64", seed=5, name="w").ravel(), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_take_a_word_each(dtype):
    """A narrow element is the float32 element, rounded once and kept below 1."""
    single = Uniform()(1001, seed=5, name="w")
    half = Uniform()(1001, dtype, seed=5, name="w")
    below_one = np.nextafter(np.ones(1, half.dtype), np.zeros(1, half.dtype))
    np.testing.assert_array_equal(half, np.minimum(single.astype(half.dtype), below_one))


def pairs(u_radius, u_angle):
    radius, angle = np.sqrt(-2 * np.log(u_radius)), 2 * np.pi * u_angle
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def test_float32_normals_from_raw_words():
    """Elements 2i and 2i + 1 are cosine and sine of the angle of word 2i + 1, at the radius of word 2i."""
    w = words(seed=5, name="w", count=1000).reshape(-1, 2).astype(np.float64)
    expected = pairs((w[:, 0] + 0.5) * 2.0**-32, w[:, 1] * 2.0**-32).ravel()
    np.testing.assert_allclose(Normal()(1000, seed=5, name="w"), expected, rtol=0, atol=2e-6)


def test_float64_normals_from_raw_words():
    """A pair of float64 normals takes the four words of a block."""
    x = words64(1000, seed=5, name="w").reshape(-1, 2).astype(np.float64)
    expected = pairs((x[:, 0] + 0.5) * 2.0**-64, x[:, 1] * 2.0**-64).ravel()
    np.testing.assert_allclose(Normal()(1000, "float64", seed=5, name="w"), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("dtype", "bits", "draw"), [("complex64", 32, words), ("complex128", 64, words64)])
def test_complex_elements_from_raw_words(dtype, bits, draw):
    """complex64 takes words 2i and 2i + 1 of element i, complex128 the four words of block i."""
    w = draw(seed=5, name="w", count=1000).reshape(-1, 2).astype(np.float64)
    parts = pairs((w[:, 0] + 0.5) * 2.0**-bits, w[:, 1] * 2.0**-bits) / 2**0.5
    expected = parts[:, 0] + 1j * parts[:, 1]
    np.testing.assert_allclose(Normal()(500, dtype, seed=5, name="w"), expected, rtol=0,
                               atol=2e-6 if bits == 32 else 1e-13)


def test_user_samplers_get_the_middle_of_the_words_cell():
    """u = (w + 1/2)·2**-32, rounded to float32; float64 draws take two words."""
    identity = fanin.sampler(lambda u: u)

    class Identity(fanin.Initializer):
        def plan(self, spec):
            return spec.draw(identity)

    w = words(seed=5, count=1000).astype(np.float64)
    np.testing.assert_array_equal(Identity()(1000, seed=5), ((w + 0.5) * 2.0**-32).astype(np.float32))
    x = words64(1000, seed=5)
    exact = [(int(value) * 2 + 1) / 2**65 for value in x]  # Python rounds the quotient of ints correctly
    np.testing.assert_array_equal(Identity()(1000, "float64", seed=5), exact)


# -- seeds, names and streams ----------------------------------------------------------------------------------------


def test_an_int_seed_without_a_name_repeats():
    """The same words each time: stream id 0."""
    np.testing.assert_array_equal(Normal()(100, seed=7), Normal()(100, seed=7))
    np.testing.assert_array_equal(words(7, count=10), words(Stream(7), count=10))


@pytest.mark.parametrize("seed", [0, 2**32, 2**63, 2**64 - 1, np.int64(5), np.uint64(2**64 - 1)])
def test_every_seed_counts_in_full(seed):
    """Both key words come from the seed; numpy's integers are as good as Python's."""
    assert words(seed).tolist() == words(int(seed)).tolist() != words((int(seed) + 2**33) % 2**64).tolist()


def test_seeds_names_and_uses_draw_differently():
    """No two of many keys give the same first words."""
    stream = Stream(0)
    first = [tuple(words(seed, count=2)) for seed in range(1, 50)]
    first += [tuple(words(0, name=f"layer.{i}", count=2)) for i in range(50)]
    first += [tuple(words(stream, count=2)) for _ in range(50)]
    assert len(set(first)) == len(first)


def test_stream_takes_ids_in_order():
    """The n-th unnamed use of a stream has stream id n, whatever is drawn."""
    stream = Stream(11)
    drawn = [Uniform()(4, seed=stream), Uniform()((2, 2), seed=stream).ravel(), Uniform()(4, "float32", seed=stream)]
    for use, values in enumerate(drawn):
        expected = words(Stream(11, position=use), count=4) >> 8
        np.testing.assert_array_equal(values, expected * np.float32(2**-24))
    assert stream == Stream(11, position=3)
    assert stream.seed == 11


def test_every_use_consumes_one_id_and_a_refused_call_none():
    """Constants, zero-size arrays and shards too; a name, or an error, leaves the stream where it was."""
    stream = Stream(0)
    calls = [lambda: fanin.Constant(1.0)(3, seed=stream), lambda: Normal()((0, 5), seed=stream),
             lambda: Normal().shard((8, 8), 0, seed=stream), lambda: words(stream, count=0),
             lambda: fanin.Orthogonal()((4, 4), seed=stream), lambda: fanin.Constant([1, 2])(2, seed=stream)]
    for taken, call in enumerate(calls, 1):
        call()
        assert stream.position == taken

    Normal()(3, seed=stream, name="w")
    assert stream.position == len(calls)
    for bad in ({"dtype": "int32"}, {"device": "moon"}, {"out": np.empty(4, np.float32)}):
        with pytest.raises(fanin.FaninError):
            Normal()(3, seed=stream, **bad)
    assert stream.position == len(calls)


def test_more_words_than_memory_holds_are_refused():
    """The message is of `count`, and the stream stays where it was."""
    stream = Stream(0)

    with pytest.raises(MemoryError, match="`count`.*4611686018427387904") as error:
        fanin.stream.words(stream, count=2**62)

    assert isinstance(error.value, fanin.FaninError) and stream.position == 0


def test_name_wins_over_the_stream():
    """A named draw depends on the seed and the name only."""
    stream = Stream(3, position=17)
    np.testing.assert_array_equal(Normal()(9, seed=stream, name="w"), Normal()(9, seed=3, name="w"))
    assert stream.position == 17


def test_pickle_and_copy_keep_the_position():
    """A reloaded stream goes on where it was, apart from the original."""
    stream = Stream(5)
    stream.next()
    for clone in (pickle.loads(pickle.dumps(stream)), copy.copy(stream), copy.deepcopy(stream)):
        assert clone == stream
        assert clone.next() == 1
        assert stream.position == 1
    assert repr(stream) == "Stream(5, position=1)"
    assert eval(repr(stream)) == stream


def test_streams_are_compared_by_value_and_not_hashable():
    """Equal seed and position make equal streams; a mutable object is no key of a dict."""
    assert Stream(1) == Stream(1) != Stream(1, position=1)
    assert Stream(1) != Stream(2)
    assert Stream(1) != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(Stream(1))


@pytest.mark.parametrize("arguments", [(-1,), (2**64,), (1.5,), ("1",), (0, -1), (0, 2**63), (0, 1.0), (True,)])
def test_stream_refuses(arguments):
    """Seed and position outside their ranges."""
    with pytest.raises(FaninError, match=r"`seed`|`position`"):
        Stream(*arguments)


def test_threads_share_a_stream():
    """Eight threads take each id once."""
    stream, taken = Stream(0), []
    start = threading.Barrier(8)

    def take():
        start.wait()
        taken.append([stream.next() for _ in range(5000)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert sorted(itertools.chain(*taken)) == list(range(40_000))
    assert all(ids == sorted(ids) for ids in taken)
    assert stream.position == 40_000


# -- the default stream ----------------------------------------------------------------------------------------------


def test_seed_resets_the_default_stream(default_stream):
    """`fanin.seed(s)` makes unseeded calls those of a fresh Stream(s)."""
    drawn = [Normal()(5), words(count=3), Normal()(5)]
    stream = Stream(2024)
    for values, call in zip(drawn, (Normal(), None, Normal())):
        np.testing.assert_array_equal(values, call(5, seed=stream) if call else words(stream, count=3))

    fanin.seed(2024)
    np.testing.assert_array_equal(Normal()(5), drawn[0])
    np.testing.assert_array_equal(Normal()(5, name="w"), Normal()(5, seed=2024, name="w"))


@pytest.mark.parametrize("seed", [-1, 2**64, 0.0, None, "0", True])
def test_seed_refuses(seed, default_stream):
    """Not an int in [0, 2**64): an error, and the default stream stays."""
    with pytest.raises(FaninError, match="`seed`"):
        fanin.seed(seed)
    np.testing.assert_array_equal(words(), words(Stream(2024)))


def test_the_operating_system_seeds_the_default_stream():
    """Two fresh processes draw differently."""
    code = "import fanin; print(fanin.Uniform()(4).tolist())"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           timeout=TIMEOUT).stdout for _ in range(2)}
    assert len(runs) == 2


def _next_words(connection):
    connection.send((words(count=4).tolist(), Normal()(3).tolist()))
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # the point of the test
def test_a_forked_child_goes_on_from_its_parents_position(default_stream):
    """The default stream is a process's own after the fork: child and parent take the same next ids."""
    words()
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_next_words, args=(sender,))
    child.start()
    sender.close()
    assert receiver.poll(TIMEOUT), "the child hangs"
    from_child = receiver.recv()
    child.join(TIMEOUT)
    assert child.exitcode == 0
    assert from_child == (words(count=4).tolist(), Normal()(3).tolist())
    assert from_child[0] == words(Stream(2024, position=1), count=4).tolist()
