"""The warning of whole tensors that one int seed made without names, each case in a process of its own."""

import subprocess
import sys

import pytest

START = """
import warnings
import numpy as np
from fanin import Blocks, Constant, Normal, Registry, Sinusoidal, Stream
he, normal = Registry.get("he_normal"), Normal()
"""
WARNED = {
    "another shape": "he((4, 3), seed=7); he((3, 4), seed=7)",
    "another scheme": "he((4, 3), seed=7); normal((4, 3), seed=7)",
    "other parameters": "normal(4, seed=7); Normal(0, 0.5)(4, seed=7)",
    "zeros between": "he((4, 3), seed=7); Constant(0)(3, seed=7); normal(3, seed=7)",
    "into memory": "he((4, 3), seed=7); normal((4, 3), out=np.empty((4, 3)), seed=np.int64(7))",
    "blocks": "normal(4, seed=7); Blocks(['zeros', 'normal'])(4, seed=7)",
    "once": "he((4, 3), seed=7); he((3, 4), seed=7); he((3, 4), seed=8); he((5, 4), seed=8)",
}
QUIET = {
    "a repeat": "he((4, 3), seed=7); he((4, 3), seed=7); Registry.get('he_normal')((4, 3), 'float64', seed=7)",
    "shards": "he((4, 3), seed=7); he.shard((4, 3), 1, seed=7); he.shard((9, 9), 1, seed=7)",
    "names": "he((4, 3), seed=7, name='a'); he((3, 4), seed=7, name='b'); he((5, 4), seed=7)",
    "a stream": "s = Stream(7); he((4, 3), seed=s); he((3, 4), seed=s)",
    "no seed": "he((4, 3)); he((3, 4))",
    "other seeds": "he((4, 3), seed=7); he((3, 4), seed=8)",
    "constants": "Constant(0)(3, seed=7); Sinusoidal()((4, 4), seed=7); Constant([1])(2, seed=7); he((4, 3), seed=7)",
    "a plan": "he((4, 3), seed=7); normal.describe(4)",
}


def warnings_of(code):
    """The warnings' lines on stderr; the process prints nothing else there."""
    run = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True)
    return [line for line in run.stderr.splitlines() if "FaninWarning" in line]


@pytest.mark.parametrize("case", WARNED)
def test_different_tensors_of_the_same_numbers_warn_once(case):
    """The warning names seed, shapes and schemes, says what to do, and is of the user's line."""
    warned = warnings_of(WARNED[case])

    assert len(warned) == 1 and warned[0].startswith("<string>:6: FaninWarning: `seed` 7 without a `name` drew (4")
    assert "`name`" in warned[0] and "fanin.Stream(7)" in warned[0]


@pytest.mark.parametrize("case", QUIET)
def test_what_was_meant_does_not_warn(case):
    """Repeats, other dtypes, shards, names, streams, and what isn't random are silent."""
    assert warnings_of(QUIET[case]) == []


def test_as_an_error_it_comes_before_anything_is_written():
    """With warnings as errors `out` stays as it was."""
    assert warnings_of("""
warnings.simplefilter("error")
out = np.full(5, 3.0)
he((4, 3), seed=7)
try:
    normal(5, out=out, seed=7)
except UserWarning:
    assert (out == 3).all()
else:
    raise AssertionError
""") == []
