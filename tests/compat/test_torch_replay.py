"""`fanin.compat.torch.Generator` against numbers that torch 2.13.0 made: torch is not imported here.

tests/vectors/make_torch_replay.py recorded them; tests/interop/test_compat_torch_replay.py compares with torch itself.
"""

import json
import math
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from fanin._backends import sharing
from fanin._dtypes import as_dtype
from fanin.compat import torch as ft
from fanin.compat.torch import _draws, _polynomial, _seeds, _twister
from fanin.compat.torch._twister import Twister
from vectors import find_mt19937_polynomial, make_torch_replay

RECORDS = json.loads((Path(make_torch_replay.__file__).with_name("torch_replay.json")).read_text("utf-8"))["records"]


def seeded(seed=0):
    return ft.Generator().manual_seed(seed)



def same_place(first, second):
    return bool((first.get_state() == second.get_state()).all())


@pytest.fixture
def three_threads(monkeypatch):
    """Draws of a few thousand numbers are shared by three threads, whatever this machine has."""
    monkeypatch.setattr(sharing, "thread_count", lambda: 3)
    monkeypatch.setattr(_draws, "WORTH", 1000)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record["seed"]))
def test_calls_in_a_row_have_the_bits_of_torch(record):
    """Every recorded call, one after another from one seed, gives torch's bits, and leaves torch's state."""
    generator = seeded(record["seed"])

    for (name, shape, axes, dtype, arguments), expected in zip(make_torch_replay.CALLS, record["draws"], strict=True):
        order = axes or list(range(len(shape)))
        array = np.empty([shape[axis] for axis in order], as_dtype(dtype)).transpose(np.argsort(order))
        assert getattr(ft, name)(array, **arguments, generator=generator) is array
        assert make_torch_replay.digest(np.ascontiguousarray(array).tobytes()) == expected, (name, shape, axes, dtype)

    assert make_torch_replay.digest(generator.get_state().tobytes()) == record["state"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("function", [ft.uniform_, ft.normal_])
def test_threads_share_one_stream(three_threads, monkeypatch, function, dtype):
    """Three threads that jump to their shares draw what one thread draws, and leave the generator in the same place."""
    n, dtype = 300_017, as_dtype(dtype)
    shared, alone = np.empty(n, dtype), np.empty(n, dtype)
    generator, other = seeded(4).skip(5), seeded(4).skip(5)

    function(shared, generator=generator)
    monkeypatch.setattr(sharing, "thread_count", lambda: 1)
    function(alone, generator=other)

    assert shared.tobytes() == alone.tobytes()
    assert same_place(generator, other)


# -- a part alone ------------------------------------------------------------------------------------------------------

PARTS = [
    ((1000, 7), np.s_[900:910]), ((1000, 7), np.s_[:, 3]), ((1000, 7), np.s_[5:900:13, ::2]),
    ((1000, 7), np.s_[::-3, -1]),
    ((1000, 7), np.s_[999]), ((1000, 7), np.s_[990:, 1:]), ((1000, 7), np.s_[...]), ((7003,), np.s_[6980:]),
    ((20, 30, 5), np.s_[3, ..., 2:4]), ((3, 5), np.s_[1:, 2]), ((5, 4), np.s_[1:3, ::-1]), ((40, 9), np.s_[7:7]),
    ((), np.s_[...]), ((16,), np.s_[3:9]), ((17,), np.s_[::4]),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(("shape", "index"), PARTS, ids=str)
@pytest.mark.parametrize("function", [ft.uniform_, ft.normal_])
def test_a_part_is_that_part_of_the_whole(function, shape, index, dtype):
    """`index=` with `shape=` fills an array with those elements, and moves the generator as the whole draw does."""
    whole = np.empty(shape, as_dtype(dtype))
    generator, other = seeded(9).skip(3), seeded(9).skip(3)
    function(whole, generator=generator)
    part = np.empty_like(whole[index])

    function(part, generator=other, index=index, shape=shape)

    assert part.tobytes() == whole[index].tobytes()
    assert same_place(generator, other)


@pytest.mark.parametrize("name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize("source", [seeded, lambda: 3], ids=["Generator", "seed"])
def test_a_part_has_the_fans_of_the_whole(name, source):
    """Fans come from `shape`; a part of fanin's own numbers is drawn the same way."""
    whole = getattr(ft, name)(np.empty((50, 40), "float32"), generator=source())
    part = getattr(ft, name)(np.empty((10, 40), "float32"), generator=source(), index=slice(20, 30), shape=(50, 40))

    assert part.tobytes() == whole[20:30].tobytes()


def test_a_part_far_inside_is_drawn_alone():
    """Rows of a draw of 2**50 numbers come without what lies before them: a skip to the same place makes them too."""
    rows = np.empty((100, 64), "float32")
    ft.normal_(rows, generator=seeded(1), index=slice(2**43, 2**43 + 100), shape=(2**44, 64))

    skipped = ft.normal_(np.empty((100, 64), "float32"), generator=seeded(1).skip(2**49))
    assert rows.tobytes() == skipped.tobytes()


@pytest.mark.parametrize(("keywords", "error", "says"), [
    ({"index": 0}, TypeError, "`shape` must be given too"), ({"shape": (3, 4)}, TypeError, "`index` must be given too"),
    ({"index": 0, "shape": (3, 5)}, ValueError, "`tensor` must have the shape of what `index` selects, (5,)"),
    ({"index": 7, "shape": (3, 4)}, IndexError, "`index` must be within axis 0"),
])
def test_parts_that_fit_nothing_are_refused(keywords, error, says):
    """Before anything is drawn."""
    generator, array = seeded(), np.full(4, 7.5)

    with pytest.raises(error) as raised:
        ft.uniform_(array, generator=generator, **keywords)

    assert says in str(raised.value)
    assert same_place(generator, seeded()) and (array == 7.5).all()


# -- jumps -------------------------------------------------------------------------------------------------------------


def test_the_polynomial_is_the_one_that_the_script_finds():
    """The shipped exponents are those of the minimal polynomial of a bit of numpy's mt19937."""
    bits = np.random.RandomState(1).randint(0, 2**32, 2 * _polynomial.DEGREE, np.uint32) >> 7 & 1

    assert find_mt19937_polynomial.minimal_polynomial(bits) == _polynomial.EXPONENTS


@pytest.mark.parametrize("start", [0, 1, 623, 624, 625])
@pytest.mark.parametrize("count", [0, 1, 622, 623, 624, 625, 1248, 2**12 * 624 - 1, 2**12 * 624,
                                   2**13 * 624 + 77, 10**7 + 3])
def test_a_skip_is_as_good_as_drawing(start, count):
    """Words after a skip are those after drawing as many, by numpy's generator; the state's bytes are equal too."""
    reference = np.random.RandomState(6)
    reference.randint(0, 2**32, start + count, np.uint32)
    place = Twister.seeded(6)
    place.words(start)

    place.skip(count)

    drawn = Twister.seeded(6)
    drawn.words(start + count)
    assert (place.used, place.block.tobytes()) == (drawn.used, drawn.block.tobytes())
    assert (place.words(700) == reference.randint(0, 2**32, 700, np.uint32)).all()


def test_skips_add_up():
    """Two skips are one of their sum, also far beyond what can be drawn."""
    counts = (10**12 + 5, 3 * 2**61 + 11)

    assert same_place(seeded(2).skip(counts[0]).skip(counts[1]), seeded(2).skip(sum(counts)))


# -- the generator -----------------------------------------------------------------------------------------------------


def test_a_run_goes_on_from_a_state():
    """set_state takes what get_state gave, in the middle of a block and with a kept normal; so does a pickle."""
    generator = seeded(3)
    ft.normal_(np.empty(7), generator=generator)
    copies = [ft.Generator(), pickle.loads(pickle.dumps(generator))]
    copies[0].set_state(generator.get_state())

    expected = ft.normal_(np.empty(5), generator=generator)
    for copy in copies:
        assert copy.initial_seed() == 3
        assert (ft.normal_(np.empty(5), generator=copy) == expected).all()
        assert same_place(copy, generator)


def test_seeds_are_those_that_torch_takes():
    """The low 32 bits draw, all 64 are remembered; a negative seed counts from 2**64."""
    draws = [ft.uniform_(np.empty(4), generator=seeded(seed)).tolist() for seed in (5, 2**32 + 5, 5 - 2**32)]

    assert draws[0] == draws[1] == draws[2]
    assert seeded(-1).initial_seed() == 2**64 - 1
    assert ft.Generator().initial_seed() == 67280421310721


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda: seeded(2**64), ValueError, "`seed` must be in [-2**63, 2**64)"),
    (lambda: seeded("0"), TypeError, "`seed` must be an int"),
    (lambda: seeded().skip(-1), ValueError, "`words` must be >= 0"),
    (lambda: seeded().set_state(np.zeros(5056)), TypeError, "`new_state` must be 5056 bytes"),
    (lambda: seeded().set_state(b"0"), TypeError, "`new_state` must be 5056 bytes"),
    (lambda: seeded().set_state(np.zeros(5056, np.uint8)), ValueError, "`new_state` must be a state"),
    (lambda: ft.Generator.follow(seeded()), TypeError, "`generator` must be a torch.Generator"),
    (lambda: ft.uniform_(np.empty(3, complex), generator=seeded()), NotImplementedError, "`tensor` must be of a real"),
    (lambda: ft.uniform_(np.empty(3, int), generator=seeded()), NotImplementedError, "`tensor.dtype` must be"),
    (lambda: ft.orthogonal_(np.empty((3, 3), "float16"), generator=seeded()), RuntimeError, "float32 or float64"),
    (lambda: ft.trunc_normal_(np.empty(3), std=0.0, generator=seeded()), RuntimeError, "`std` must be > 0"),
    (lambda: ft.trunc_normal_(np.empty(3), a=2.0, b=math.inf, generator=seeded()), RuntimeError, "must be finite"),
])
def test_what_cannot_be_is_refused(call, error, says):
    """With torch's exceptions, fanin's too, in a line that names the argument."""
    with pytest.raises(error) as raised:
        call()

    assert says in str(raised.value)


def test_replay_makes_a_generator_the_default():
    """Inside the block calls without a generator draw torch's numbers in turn; seeds that are given, other threads and
    the time after the block are as ever."""
    expected = seeded(5)
    numbers = [ft.uniform_(np.empty(3), generator=expected), ft.normal_(np.empty(3), generator=expected)]
    own = ft.uniform_(np.empty(3), generator=8)
    elsewhere = []

    with ft.replay(5) as generator:
        drawn = [ft.uniform_(np.empty(3)), ft.normal_(np.empty(3))]
        assert (ft.uniform_(np.empty(3), generator=8) == own).all()
        thread = threading.Thread(target=lambda: elsewhere.append(ft.uniform_(np.empty(3))))
        thread.start()
        thread.join()

    assert np.array_equal(drawn, numbers)
    assert same_place(generator, expected)
    assert not np.array_equal(elsewhere[0], ft.uniform_(np.empty(3), generator=seeded(5)))
    assert not np.array_equal(ft.uniform_(np.empty(3)), ft.uniform_(np.empty(3), generator=expected))


# -- the seed from a weight --------------------------------------------------------------------------------------------

DRAWS = [
    (ft.uniform_, 6, {"a": 3.0, "b": 4.0}), (ft.uniform_, 1000, {"a": -1e-4, "b": 1e-4}),
    (ft.normal_, 16, {"std": 0.02}),
    *((ft.normal_, n, {"mean": 0.3, "std": 2.0}) for n in (17, 25, 31, 32, 33, 5000)),
]


@pytest.mark.parametrize(("function", "n", "arguments"), DRAWS, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("seed", [0, 700_001])
def test_the_seed_of_a_first_draw_is_found(function, n, arguments, seed):
    """Whatever the law's parameters are, and where the last 16 numbers are drawn anew."""
    assert ft.find_seed(function(np.empty(n, "float32"), **arguments, generator=seeded(seed))) == seed


def test_every_seed_is_tried(monkeypatch):
    """The search reaches the last seed; None is the answer where no seed drew it, here a second draw."""
    weight = ft.kaiming_uniform_(np.empty((5, 40), "float32"), a=5**0.5, generator=seeded(2**32 - 3))
    search, clues = _twister.compiled("search"), _seeds._clues(weight.reshape(-1))
    flags = np.zeros(2**12, bool)
    search(2**32 - len(flags), flags, *clues)
    assert np.flatnonzero(flags).tolist() == [len(flags) - 3]

    monkeypatch.setattr(_seeds, "SEEDS", 2**21)
    assert ft.find_seed(ft.uniform_(np.empty(100, "float32"), generator=seeded(5).skip(1))) is None


@pytest.mark.parametrize(("array", "error", "says"), [
    (np.ones(9), TypeError, "`tensor` must be of float32"), (np.ones(9, "float32"), ValueError, "not all equal"),
    (np.arange(5, dtype="float32"), ValueError, "at least 6"), (np.full(9, np.inf, "float32"), ValueError, "finite"),
])
def test_tensors_that_tell_no_seed_are_refused(array, error, says):
    """Before the search."""
    with pytest.raises(error) as raised:
        ft.find_seed(array)

    assert says in str(raised.value)


def test_orthogonal_matrices_are_orthogonal():
    """To float32's precision, tall and wide, with the gain."""
    for shape in ((30, 10), (10, 30), (4, 2, 3)):
        w = ft.orthogonal_(np.empty(shape, "float32"), gain=2.0, generator=seeded()).reshape(shape[0], -1)
        gram = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w

        assert abs(gram - 4 * np.eye(len(gram))).max() < 1e-5
