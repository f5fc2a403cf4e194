"""_backends/columns.py: the zeros of a sparse draw are those that `kept` tells of each element, wherever it lies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from fanin import Sparse
from fanin._backends.columns import SPAN
from fanin._drawing.execute import materialize, materialize_range
from fanin._kernels.device import register_cpu
from fanin._kernels.masks import kept
from fanin._plans.indexing import parse
from fanin._seeding import Key

register_cpu()

KEY = Key(7, 11)
DTYPES = ("bfloat16", "float32", "float64", "complex64", "complex128")


@njit(error_model="numpy")
def one_by_one(out, words, params):
    k0, k1, s0, s1 = words
    for i in range(len(out)):
        out[i] = kept(np.uint64(i), np.uint64(k0), np.uint64(k1), np.uint64(s0), np.uint64(s1), *params)


def expected(plan):
    """The definition: a normal draw where `kept` says so, zero elsewhere."""
    values, keeps = np.empty(math.prod(plan.shape), plan.dtype), np.empty(math.prod(plan.shape), np.bool_)
    materialize_range(plan._replace(mask=None, mask_params=()), KEY, 0, values)
    one_by_one(keeps, KEY.words, plan.mask_params)
    return np.where(keeps, values, np.zeros((), plan.dtype)).reshape(plan.shape)


def draw(plan, out, index=...):
    materialize(plan, KEY, "cpu", out, parse(index, plan.shape))
    return out


@st.composite
def draws(draw_one):
    """A sparse plan, and a basic index into its shape."""
    shape = tuple(draw_one(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    axis = draw_one(st.integers(0, len(shape) - 1))
    sparsity = draw_one(st.sampled_from([0.05, 0.3, 0.5, 0.8, 1.0]))
    slices = st.builds(slice, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([-3, -1, 1, 2]))
    index = tuple(draw_one(st.one_of(st.just(slice(None)), st.integers(0, dim - 1), slices)) for dim in shape)
    return Sparse(sparsity, axis=axis).describe(shape, dtype=draw_one(st.sampled_from(DTYPES))), index


@settings(deadline=None, max_examples=150)
@given(draws(), st.data())
def test_any_part_into_any_memory(plan_and_index, data):
    """A shard of any slices, into memory whose axes lie in any order, forwards or backwards, is that of the whole."""
    plan, index = plan_and_index
    whole = expected(plan)[index]
    order = data.draw(st.permutations(range(whole.ndim)))
    memory = np.full([2 * whole.shape[axis] for axis in order], 7, plan.dtype)
    steps = tuple(data.draw(st.sampled_from([slice(None, None, 2), slice(None, None, -2)])) for _ in order)
    out = memory[(*steps, ...)].transpose(np.argsort(order).tolist())

    assert (draw(plan, out, index) == whole).all()
    assert (memory != 7).sum() == whole.size


@settings(deadline=None, max_examples=100)
@given(draws(), st.data())
def test_any_run(plan_and_index, data):
    """A run of elements in C order may begin and end within a row, and go through several columns' ends."""
    plan, _ = plan_and_index
    size = math.prod(plan.shape)
    start = data.draw(st.integers(0, size - 1))
    out = np.empty(data.draw(st.integers(1, size - start)), plan.dtype)

    materialize_range(plan, KEY, start, out)

    assert (out == expected(plan).reshape(-1)[start:start + out.size]).all()


@pytest.mark.parametrize("sparsity", [0.1, 0.9])
@pytest.mark.parametrize(("shape", "axis"), [((400, 500), 0), ((400, 500), 1), ((3, 200, 5, 70), 1), ((130_000,), 0)])
def test_more_than_a_tile(shape, axis, sparsity):
    """Many tiles of columns and pieces for threads, from the images or from the rows: the same zeros."""
    plan = Sparse(sparsity, axis=axis).describe(shape)

    assert (draw(plan, np.empty(shape, np.float32)) == expected(plan)).all()


@pytest.mark.parametrize("step", [1, 3])
def test_more_rows_than_have_marks_at_a_time(step):
    """The rows of a very long column are told in turns."""
    plan = Sparse(0.75).describe((2 * SPAN + 5, 3))
    whole = expected(plan)

    assert ((whole == 0).sum(0) == math.ceil(0.75 * len(whole))).all()
    assert (draw(plan, np.empty_like(whole[1::step]), np.s_[1::step]) == whole[1::step]).all()


def test_into_packed_records():
    """Memory in which no number is aligned."""
    plan = Sparse(0.5).describe((60, 70), dtype="float64")
    records = np.zeros((60, 70), [("flag", "u1"), ("w", "f8")])
    draw(plan, records["w"])

    assert (records["w"] == expected(plan)).all()
    assert not records["flag"].any()
