"""`generator=`: a Stream, a seed, or None, in every random function of the five systems."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

import fanin
from compat.interfaces import NEW, functions

RANDOM = [row for row in functions() if "generator" in row[2][0]]
IDS = [f"{system}.{name}" for system, name, _ in RANDOM]


def draw(system, name, row, generator):
    function = getattr(importlib.import_module(f"fanin.compat.{system}"), name)
    if row[1] is NEW:
        return function(row[2], generator=generator)
    w = np.empty(row[2], np.float32)
    spread = {"std": 1.0} if (system, name) == ("storch", "normal_") else {}  # else its default, 0
    function(w, *row[3], **spread, generator=generator)
    return w


@pytest.mark.parametrize(("system", "name", "row"), RANDOM, ids=IDS)
def test_a_seed_repeats_a_stream_goes_on(system, name, row):
    """An int gives the same values at each call, another int others; a Stream gives others each time, repeatably."""
    first = draw(system, name, row, 5)
    np.testing.assert_array_equal(first, draw(system, name, row, 5))
    assert (first != draw(system, name, row, 6)).any()

    stream = fanin.Stream(5)
    drawn = [draw(system, name, row, stream) for _ in range(2)]
    assert stream.position == 2
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(drawn[0], first)  # stream id 0 is what an int takes
    again = fanin.Stream(5)
    for values in drawn:
        np.testing.assert_array_equal(draw(system, name, row, again), values)


@pytest.mark.parametrize(("system", "name", "row"), RANDOM, ids=IDS)
def test_none_is_the_default_stream(system, name, row):
    """Without a generator fanin.seed repeats a run; numpy's seed has no part in it."""
    runs = []
    for _ in range(2):
        fanin.seed(11)
        np.random.seed(len(runs))
        runs.append([draw(system, name, row, None) for _ in range(2)])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][0] != runs[0][1]).any()


@pytest.mark.parametrize(("system", "name", "row"), RANDOM, ids=IDS)
def test_refused_generators(system, name, row):
    """Anything else is refused, by the argument's name, before anything is written."""
    for generator, error in (("0", TypeError), (0.5, TypeError), (True, TypeError), ([1], TypeError),
                             (np.random.default_rng(0), TypeError), (-1, ValueError), (2**64, ValueError)):
        with pytest.raises(error, match=r"^`generator`") as raised:
            draw(system, name, row, generator)
        assert isinstance(raised.value, fanin.FaninError)


CONSTANT = [row for row in functions() if "generator" not in row[2][0] and row[2][2] is not None]


@pytest.mark.parametrize(("system", "name", "row"), CONSTANT, ids=[f"{row[0]}.{row[1]}" for row in CONSTANT])
def test_constants_move_no_stream(system, name, row):
    """What draws nothing leaves the default stream where it is, as it leaves each system's own generator."""
    fanin.seed(4)
    expected = fanin.Normal()(3)
    fanin.seed(4)
    getattr(importlib.import_module(f"fanin.compat.{system}"), name)(
        row[2] if row[1] is NEW else np.zeros(row[2]), *row[3])
    np.testing.assert_array_equal(fanin.Normal()(3), expected)


def test_the_modules_need_no_framework():
    """Importing all five and drawing loads neither torch nor jax nor keras, even where they are installed."""
    code = """
import sys
import numpy as np
from fanin.compat import flint, jittor, storch, torch, torch03
w = torch.kaiming_uniform_(np.empty((3, 5), 'float32'), generator=0)
assert (w != 0).all()
print(*sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'jax', 'keras', 'flax', 'jittor'}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_importing_them_compiles_nothing():
    """As `import fanin` does: numba is loaded by the first draw."""
    code = "import sys; from fanin.compat import flint, jittor, storch, torch, torch03; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
