"""Fans: layouts, groups and transposition, by hand and against a plain count over the axes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin import FaninError, TensorSpec, VarianceScaling
from fanin._plans.fans import Fans, compute_fans

KNOWN = [
    # shape, keywords, (fan_in, fan_out)
    ((64, 32), {}, (32, 64)),
    ((64, 32, 3, 3), {}, (288, 576)),
    ((64, 32, 5), {}, (160, 320)),
    ((3, 3, 32, 64), {"layout": "*io"}, (288, 576)),
    ((32, 64), {"layout": "*io"}, (32, 64)),
    ((64, 3, 3, 32), {"layout": "o*i"}, (288, 576)),  # MLX
    ((64, 8, 32), {"layout": "ioo"}, (64, 256)),  # an attention projection, two output axes
    ((8, 32, 64), {"layout": "iio"}, (256, 64)),
    ((7, 64, 32), {"layout": "boi"}, (32, 64)),  # a batch axis counts for nothing
    ((3, 7, 32, 64), {"layout": "*bio"}, (96, 192)),
    ((64, 1, 3, 3), {"groups": 64}, (9, 9)),  # depthwise: 9, where torch says 576 (pytorch #23854)
    ((64, 16, 3, 3), {"groups": 2}, (144, 288)),
    ((64, 32, 4, 4), {"layout": "io*", "transposed": True}, (1024, 512)),
    ((64, 16, 4, 4), {"layout": "io*", "transposed": True, "groups": 2}, (512, 256)),
    ((3, 3, 32, 64), {"layout": "*oi", "transposed": True, "groups": 4}, (144, 288)),
    ((0, 5), {}, (5, 0)),
    ((5, 0), {}, (0, 5)),
    ((4, 5, 0), {}, (0, 0)),
    ((2**33, 2**20), {}, (2**20, 2**33)),
]


@pytest.mark.parametrize(("shape", "keywords", "fans"), KNOWN)
def test_known_fans(shape, keywords, fans):
    """fan_in is the product of the i axes times the kernel, fan_out of the o axes; groups divide the right one."""
    assert compute_fans(shape, **keywords) == Fans(*fans)
    assert TensorSpec(shape).fans(**keywords) == Fans(*fans)


layouts = st.permutations("oi").flatmap(
    lambda both: st.lists(st.sampled_from("oib"), max_size=2).flatmap(
        lambda more: st.permutations([*both, *more, "*"]).map("".join)))


@given(layouts, st.data())
def test_fans_are_products_over_axes(layout, data):
    """For any layout and kernel rank, each axis multiplies the fans that its letter says, and no other."""
    kernel = data.draw(st.integers(0, 3))
    letters = layout.replace("*", "*" * kernel)
    shape = tuple(data.draw(st.lists(st.integers(0, 6), min_size=len(letters), max_size=len(letters))))

    fans = compute_fans(shape, layout)

    def product(of):
        return math.prod(dim for dim, letter in zip(shape, letters, strict=True) if letter in of)

    assert fans == Fans(product("i*"), product("o*"))


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_groups_divide_exactly(groups, out, channels, kernel):
    """A grouped convolution is `groups` small ones side by side: its fans are theirs."""
    one = compute_fans((out, channels, kernel))

    assert compute_fans((groups * out, channels, kernel), groups=groups) == one
    swapped = compute_fans((out, channels, kernel), "io*", transposed=True)
    assert compute_fans((groups * out, channels, kernel), "io*", groups, transposed=True) == swapped


@pytest.mark.parametrize(("shape", "keywords", "error", "words"), [
    ((), {}, ValueError, ["`shape`", "at least 2 dimensions", "()", "fan_in"]),
    ((5,), {}, ValueError, ["`shape`", "at least 2 dimensions", "(5,)"]),
    ((5,), {"layout": "i"}, ValueError, ["at least 2 dimensions"]),
    ((2, 3, 4), {"layout": "oi"}, ValueError, ["`shape`", "2 dimensions", "'oi'", "rank 3"]),
    ((2, 3), {"layout": "oii*"}, ValueError, ["`shape`", "at least 3", "'oii*'"]),
    ((2, 3), {"layout": "xy"}, ValueError, ["`layout`", "'xy'"]),
    ((2, 3), {"layout": "o*i*"}, ValueError, ["`layout`", "'o*i*'"]),
    ((2, 3), {"layout": ""}, ValueError, ["`layout`"]),
    ((2, 3), {"layout": 3}, TypeError, ["`layout`", "3"]),
    ((2, 3), {"layout": None}, TypeError, ["`layout`"]),
    ((4, 3), {"groups": 3}, ValueError, ["`groups`", "3", "out", "(4, 3)"]),
    ((4, 3), {"groups": 2, "transposed": True}, ValueError, ["`groups`", "2", " in "]),
    ((4, 3), {"groups": 0}, ValueError, ["`groups`", "0"]),
    ((4, 3), {"groups": -1}, ValueError, ["`groups`", "-1"]),
    ((4, 3), {"groups": 1.0}, TypeError, ["`groups`", "1.0"]),
    ((4, 3), {"groups": True}, TypeError, ["`groups`", "True"]),
    ((4, 3), {"transposed": 1}, TypeError, ["`transposed`", "1"]),
])
def test_refused_fans(shape, keywords, error, words):
    """What has no fans is a one-line error that names argument, rule and value."""
    with pytest.raises(FaninError) as raised:
        TensorSpec(shape).fans(**keywords)

    assert isinstance(raised.value, error)
    assert "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


def test_describe_shows_the_fans():
    """A plan made with fans reports both; explicit ones replace those of the shape."""
    plan = VarianceScaling(2.0).describe((64, 32, 3, 3))
    assert (plan.fan_in, plan.fan_out) == (288, 576)

    plan = VarianceScaling(2.0, fan_in=8).describe((64, 32))
    assert (plan.fan_in, plan.fan_out, plan.std) == (8, 64, 0.5)

    plan = VarianceScaling(2.0, fan_in=8).describe(())
    assert (plan.fan_in, plan.fan_out, plan.std) == (8, None, 0.5)
