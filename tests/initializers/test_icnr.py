"""ICNR: the channels of its scheme, each some times in a row, however they are drawn; and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanin
from fanin import ICNR, Blocks, Constant, FaninError, FaninTypeError, FaninValueError, Normal, Registry
from fanin._drawing.execute import materialize_range
from fanin._plans.indexing import interleaved, parse
from fanin._plans.plan import is_elementwise
from fanin._seeding import Key
from uncompilable import Uncompilable

KEY = {"seed": 2**40 + 7, "name": "up"}
EXACT = KEY | {"device": "reference"}  # compiles nothing
INITS = ["kaiming_normal", "xavier_uniform", "zeros", "orthogonal", {"name": "sparse", "sparsity": 0.4},
         Blocks(["normal", "ones"], axis=1, sizes=[1, -1])]


def bits(array):
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("upscale", [1, 2, 3])
@pytest.mark.parametrize("init", INITS, ids=str)
def test_the_channels_of_the_scheme_repeated(init, upscale, dtype):
    """ICNR's tensor is numpy's `repeat` of what its scheme draws for the smaller shape, seed and name the same."""
    w = ICNR(upscale, init)((3 * upscale**2, 4, 2), dtype, **KEY)

    assert bits(w) == bits(Registry.get(init)((3, 4, 2), dtype, **KEY).repeat(upscale**2, axis=0))


@pytest.mark.parametrize(("layout", "init", "axis"), [
    ("oi*", "he_normal", 0), ("*io", "jax:he_normal", 3), ("io*", {"name": "he_normal", "layout": "io*"}, 1)])
def test_layouts(layout, init, axis):
    """The repeated axis is that of the outputs; fans, mean and std are the scheme's for the smaller shape."""
    shape, small = [8, 8, 8, 8], [8, 8, 8, 8]
    small[axis] = 2
    plan, own = ICNR(2, init, layout).describe(shape), Registry.get(init).describe(small)

    assert bits(ICNR(2, init, layout)(shape, **KEY)) == bits(Registry.get(init)(small, **KEY).repeat(4, axis))
    assert (plan.fan_in, plan.fan_out, plan.mean, plan.std) == (own.fan_in, own.fan_out, own.mean, own.std)


def test_pixels_of_the_sub_pixel_layer_start_equal():
    """After PixelShuffle's rearrangement each square of upscale² pixels of a convolution's output is one value."""
    x = np.random.default_rng(0).normal(size=(5, 6, 7))
    w = ICNR(3)((2 * 9, 5), "float64", **KEY)
    y = np.tensordot(w, x, 1).reshape(2, 3, 3, 6, 7).transpose(0, 3, 1, 4, 2).reshape(2, 18, 21)

    assert (y == y[:, ::3, ::3].repeat(3, 1).repeat(3, 2)).all() and len(np.unique(y)) == 2 * 6 * 7


indices = st.one_of(st.integers(-12, 11), st.builds(
    slice, *[st.one_of(st.none(), st.integers(-14, 14))] * 2,
    st.one_of(st.none(), st.integers(-13, 13).filter(bool))))


@given(st.tuples(indices, indices), st.sampled_from([("oi", 0), ("io", 1)]), st.sampled_from([1, 2]))
@settings(max_examples=150, deadline=None)
def test_a_shard_is_the_block_of_the_whole(index, layout, upscale):
    """Any basic index, with any step along the repeated axis, forwards and backwards."""
    scheme = ICNR(upscale, {"name": "he_normal", "layout": layout[0]}, layout[0])

    assert bits(scheme.shard((12, 12), index, **EXACT)) == bits(np.asarray(scheme((12, 12), **EXACT)[index]))


@given(indices, st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_each_place_is_written_once(index, count):
    """The parts of a selection that `interleaved` gives cover it, each place once, with the tensor and index it has."""
    axes = parse(index, (12,))
    whole, taken = np.arange(12)[index], np.full(np.shape(np.arange(12)[index]), -1)
    for number, places, (own,) in interleaved(axes, 0, count):
        assert (taken[(*places, ...)] == -1).all()
        taken[(*places, ...)] = (own.indices() * count + number).reshape(() if own.dropped else -1)

    assert (taken == whole).all()


def test_ranges_and_views():
    """Ranges of elements are made alone, for a checkpoint's pieces; a strided `out` gets the same bits."""
    scheme = ICNR(2)
    w = scheme((8, 5, 3), **EXACT)
    plan, key = scheme.describe((8, 5, 3)), Key(KEY["seed"], fanin.stream.stream_id(KEY["name"]))
    assert is_elementwise(plan) and not is_elementwise(ICNR(2, "orthogonal").describe((8, 5)))
    for start, stop in [(0, 120), (1, 17), (44, 46), (15, 120)]:
        out = np.empty(stop - start, np.float32)
        materialize_range(plan, key, start, out, "reference")
        assert bits(out) == bits(w.ravel()[start:stop])

    wide = np.zeros((16, 5, 3), np.float32)
    scheme((8, 5, 3), out=wide[::-2], **KEY)
    assert bits(wide[::-2]) == bits(w) and not wide[::2].any()


def test_inside_blocks():
    """A block that is an ICNR is a tensor of its own: with the block's stream, its channels repeated."""
    w = Blocks([ICNR(2), "zeros"], sizes=[8, -1])((12, 3), **KEY)

    assert bits(w[:8]) == bits(w[:8:4].repeat(4, 0)) and w[:8].all() and not w[8:].any()
    assert len(np.unique(w[:8])) == 6
    assert bits(ICNR(2, Blocks(["normal"] * 2))((16, 3), **KEY)) == bits(Normal()((4, 3), **KEY).repeat(4, 0))


def test_nothing_is_written_where_a_sampler_does_not_compile():
    """A user's sampler that can't be compiled is an error that leaves `out` as it is."""
    out = np.full((8, 3), 7, np.float32)
    with pytest.raises(FaninError, match="text_of"):
        ICNR(2, Blocks(["normal", Uncompilable()]))((8, 3), out=out, **KEY)

    assert (out == 7).all()


@pytest.mark.parametrize(("make", "shape", "message"), [
    (lambda: ICNR(0), None, "`upscale` must be"),
    (lambda: ICNR(257), None, "`upscale` must be"),
    (lambda: ICNR(2, "nonsense"), None, "`init` of ICNR: .*nonsense"),
    (lambda: ICNR(2, 3), None, "`init` of ICNR"),
    (lambda: ICNR(2, layout="i*"), None, "`layout` must have one o"),
    (lambda: ICNR(2, layout="*io"), (3, 3, 4, 8), "outputs on the same axis .*'\\*io' and 'oi\\*'.*give both the same"),
    (lambda: ICNR(2), (6, 3), "multiple of upscale² = 4 on its output axis 0 .*\\(6, 3\\)"),
    (lambda: ICNR(2), (8,), "at least 2 dimensions"),
    (lambda: ICNR(2, "dirac"), (8, 3), "`init` of ICNR"),
])
def test_refusals(make, shape, message):
    """Each names what is wrong, in one line, before anything is drawn."""
    with pytest.raises((FaninValueError, FaninTypeError, KeyError), match=message) as error:
        make().describe(shape)

    assert isinstance(error.value, FaninError) and "\n" not in str(error.value)


def test_the_name():
    """`icnr` is a name with parameters; a scheme in it is a name, a table, a config or an Initializer."""
    assert Registry.get("ICNR") == ICNR(2, "kaiming_normal") == ICNR()
    table = {"name": "icnr", "upscale": 3, "init": {"name": "normal", "std": 0.5}}
    assert Registry.get(table) == ICNR(3, Normal(0, 0.5))
    assert ICNR(1, Constant(2.0)).describe((4, 4)).mean == 2.0
    assert math.isclose(ICNR(4, Normal(0, 0.5)).describe((16, 4)).std, 0.5)
