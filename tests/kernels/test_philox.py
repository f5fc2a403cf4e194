"""_kernels/philox.py against known answers, as plain Python and compiled, and against Python's own integers."""

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from fanin import stream
from fanin._kernels.device import register_cpu
from fanin._kernels.philox import LOW, philox

register_cpu()

POISON = 0xCACACACA
LINES = (Path(__file__).parent.parent / "vectors" / "philox.kat").read_text("utf-8").splitlines()
VECTORS = [[int(word, 16) for word in line.split()[2:]] for line in LINES if line.startswith("philox4x32 10 ")]
DRAWS = [(comment[2:], [int(word, 16) for word in line.split()[-4:]])
         for comment, line in pairwise(LINES) if comment.startswith("# seed=")]


@njit(error_model="numpy")
def philox_loop(inputs, out):
    for i in range(len(inputs)):
        c = inputs[i]
        w0, w1, w2, w3 = philox(c[0], c[1], c[2], c[3], c[4], c[5])
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = w0 & LOW, w1 & LOW, w2 & LOW, w3 & LOW


def compiled(inputs):
    out = np.full((len(inputs), 4), POISON, np.uint32)
    philox_loop(np.array(inputs, np.uint64), out)
    return out.tolist()


def in_python(inputs):
    with np.errstate(over="ignore"):
        return [[int(word & LOW) for word in philox(*(np.uint64(x) for x in row))] for row in inputs]


def with_integers(c0, c1, c2, c3, k0, k1):
    """The paper's definition, in Python's unbounded integers."""
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 % 2**32, (p0 >> 32) ^ c3 ^ k1, p0 % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


TARGETS = pytest.mark.parametrize("run", [in_python, compiled])


@TARGETS
def test_known_answers(run):
    """Counter and key give the words of the file, on each target; nothing is left unwritten."""
    assert len(VECTORS) == 14
    assert run([row[:6] for row in VECTORS]) == [row[6:] for row in VECTORS]


@TARGETS
def test_random_inputs(run):
    """The lanes with garbage in their high halves compute what 32-bit words would."""
    draw = random.Random(0)
    inputs = [[draw.getrandbits(32) for _ in range(6)] for _ in range(200)]
    assert run(inputs) == [with_integers(*row) for row in inputs]


@TARGETS
def test_high_halves_of_a_counter_do_not_count(run):
    """A 64-bit block number may stand in for its low word."""
    row = [1, 2, 3, 4, 5, 6]
    assert run([[x + (x << 40) for x in row[:4]] + row[4:]]) == run([row])


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize(("draw", "answer"), DRAWS, ids=[draw for draw, _ in DRAWS])
def test_words_of_seeds_streams_and_names(draw, answer, device):
    """`fanin.stream.words` finds the block of each seed, name or use of a stream."""
    fields = dict(field.partition("=")[::2] for field in draw.split(" "))
    seed, block = int(fields["seed"]), int(fields["block"])
    if "stream" in fields:
        source = {"seed": stream.Stream(seed, position=int(fields["stream"]))}
        if fields["stream"] == "0":
            assert stream.words(seed, start=4 * block, count=4, device=device).tolist() == answer
    else:
        source = {"seed": seed, "name": fields["name"]}
    assert stream.words(**source, start=4 * block, count=4, device=device).tolist() == answer
