"""Small mistakes and other people's words: each is understood, or answered with what to write."""

import re

import numpy as np
import pytest

import fanin
from fanin import FaninError, Initializer, Normal, Registry

he = Registry.get("he_normal")


@pytest.mark.parametrize(("call", "words"), [
    (lambda: he(512, 256), "`dtype` must be a dtype (got 256, an int): give the shape as a tuple, such as (512, 256)"),
    (lambda: he(3, 4, 5, 6), "(got 6 after them): give the shape as a tuple, such as (512, 256)"),
    (lambda: he.shard(3, 4, 5, 6, 7), "(got 7 after them): give the shape as a tuple, such as (512, 256)"),
    (lambda: Registry.get("he"), "did you mean 'he_normal' or 'he_uniform'?"),
    (lambda: Registry.get("mup"), "it is a recipe for whole models"),
    (lambda: Registry.get("fixup"), "it is a recipe for whole models"),
    (lambda: Registry.get("lsuv"), "`fanin.torch.signal` measures"),
    (lambda: he((2, 2), device="mps"), "draw on the CPU and copy, torch.from_numpy(array).to('mps')"),
    (lambda: he((2, 2), device="xpu:1"), "draw on the CPU and copy, torch.from_numpy(array).to('xpu')"),
    (lambda: he((2, 2), device="meta"), "`describe` checks a draw"),
    (lambda: he((2, 2), name=3), "(got 3, an int)"),
])
def test_the_message_has_the_next_step(call, words):
    """What can't be done is answered in one line with what can."""
    with pytest.raises(FaninError, match=re.escape(words)):
        call()


@pytest.mark.parametrize(("word", "dtype"), [("fp16", "float16"), ("fp32", "float32"), ("fp64", "float64")])
def test_short_words_for_dtypes(word, dtype):
    """The short words of configs and files mean the dtypes, bit for bit."""
    np.testing.assert_array_equal(he((3, 4), word, seed=0), he((3, 4), dtype, seed=0), strict=True)


def test_the_short_word_for_bfloat16():
    """numpy compares no bfloat16 arrays strictly: the bytes are equal."""
    drawn = he((3, 4), "bf16", seed=0)

    assert drawn.dtype.name == "bfloat16"
    assert drawn.tobytes() == he((3, 4), "bfloat16", seed=0).tobytes()


def test_other_names_of_profiles():
    """What people call a framework finds its profile, as an argument and before a colon."""
    assert Registry.get("pytorch:normal") == Registry.get("normal", profile="torch")
    assert Registry.get("normal", profile="tf") == Registry.get("keras:normal") != Registry.get("normal")


CELL = """
@Registry.register("small_words_cell", "small_words_alias")
class Cell(Initializer):
    def __init__(self, gain={gain}):
        self.gain = gain

    def plan(self, spec):
        return Normal(0.0, self.gain).plan(spec)
"""


@pytest.mark.usefixtures("registry")
def test_a_class_defined_again_takes_its_own_place():
    """A notebook's cell that registers a class can be run again; another class is refused the name as ever."""
    names = {"__name__": "__main__", "Registry": Registry, "Initializer": Initializer, "Normal": Normal}
    exec(CELL.format(gain=1.0), names)
    exec(CELL.format(gain=2.0), names)

    assert Registry.get("small_words_alias").gain == 2.0
    assert type(Initializer.from_config(names["Cell"]().get_config())) is names["Cell"]
    with pytest.raises(ValueError, match="`name` must be free"):
        exec(CELL.format(gain=3.0).replace("Cell", "Other"), names)
    with pytest.raises(ValueError, match="`name` must be free"):
        exec(CELL.format(gain=3.0).replace("small_words_cell", "he_normal"), names)
    assert Registry.get("small_words_cell").gain == 2.0
    assert isinstance(fanin.Registry.get("he_normal"), fanin.VarianceScaling)
