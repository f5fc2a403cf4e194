"""`Blocks`: which bits each block has, the same however it is drawn, and what is refused before anything is written."""

import hashlib
import json
import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanin
from fanin import (
    Blocks,
    Constant,
    DeltaOrthogonal,
    Dirac,
    Eye,
    FaninError,
    Initializer,
    Normal,
    Orthogonal,
    Registry,
    Sparse,
    Stream,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)
from fanin._drawing.execute import materialize, materialize_range
from fanin._plans.indexing import whole as all_axes
from fanin._plans.plan import is_elementwise
from fanin._seeding import Key
from fanin.math import fma

KEY = {"seed": 2**40 + 7, "name": "blocks"}
EXACT = KEY | {"device": "reference"}  # compiles nothing
RAW = Key(KEY["seed"], fanin.stream.stream_id(KEY["name"]))
FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


@fanin.sampler
def ramp(u, low, high):
    return fma(u, high - low, low)


class Ramp(Initializer):
    def __init__(self, low=0.0, high=2.0):
        self.low = low
        self.high = high

    def plan(self, spec):
        return spec.draw(ramp, self.low, self.high)


def assert_same_bits(a, b):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def derived(stream, *path):
    """The documented stream id of a block that is a tensor of its own."""
    for number in path:
        digest = hashlib.blake2b(stream.to_bytes(8, "little") + number.to_bytes(8, "little"), digest_size=8).digest()
        stream = int.from_bytes(digest, "little") | 2**63
    return stream


def own(scheme, shape, dtype, *path):
    """What a scheme draws for a shape with a block's own stream."""
    plan = scheme.describe(shape, dtype)
    out = np.empty(shape, plan.dtype)
    materialize(plan, RAW._replace(stream=derived(RAW.stream, *path)), "reference", out, all_axes(plan.shape))
    return out


# -- which bits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("scheme", [Normal(0.5, 2.0), Uniform(-1, 3), TruncatedNormal()], ids=repr)
def test_blocks_of_one_scheme_are_its_tensor(scheme, dtype):
    """Elements keep their words: Blocks([s, s]) has the bits of s, along each axis, in any parts, nested or not."""
    wanted = scheme((6, 9, 4), dtype, **EXACT)

    for blocks in (Blocks([scheme] * 2), Blocks([scheme] * 3, 1), Blocks([scheme] * 3, -2, [1, 5, -1]),
                   Blocks([scheme] * 2, -1, [1, 3]), Blocks([scheme]), Blocks([Blocks([scheme] * 4, 2), scheme], 0)):
        assert_same_bits(blocks((6, 9, 4), dtype, **EXACT), wanted)


def test_a_users_sampler_keeps_its_words():
    """Samplers of users are element-wise, too."""
    assert_same_bits(Blocks([Ramp(), Ramp()], 1)((5, 6), **EXACT), Ramp()((5, 6), **EXACT))


@pytest.mark.parametrize(("sizes", "row"), [([1, -1], 0), ([7, 1, -1], 7), ([-1, 1], 19), ([0, 1, -1], 0)])
def test_a_padding_row_is_zero_and_the_others_are_as_without_it(sizes, row):
    """An embedding with a zero row is the one without it, but for that row."""
    inits = [Normal(0.0, 0.02)] * len(sizes)
    inits[1 if len(sizes) == 3 or sizes[0] == -1 else 0] = "zeros"
    wanted = Normal(0.0, 0.02)((20, 7), "bfloat16", **KEY)
    wanted[row] = 0

    assert_same_bits(Blocks(inits, sizes=sizes)((20, 7), "bfloat16", **KEY), wanted)


def test_fans_are_the_blocks():
    """A fused projection's parts are as wide as separate ones: fans (E, E), and the numbering of the whole."""
    blocks = Blocks(["xavier_uniform"] * 3)
    bound = math.sqrt(6 / 64)

    w = blocks((96, 32), **KEY)

    assert [(plan.fan_in, plan.fan_out) for plan in blocks.describe((96, 32)).plans] == [(32, 32)] * 3
    assert np.abs(w - Uniform(-bound, bound)((96, 32), **KEY)).max() < 1e-7
    assert 0.98 * bound < np.abs(w).max() <= bound


def test_a_lstms_forget_gate():
    """Four gates, of which the second has a bias of 1."""
    assert Blocks(["zeros", "ones", "zeros", "zeros"])(8, seed=0).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("scheme", [Orthogonal(2.0), Sparse(0.5, 1.0), DeltaOrthogonal(), Dirac(), Eye()],
                         ids=lambda scheme: type(scheme).__name__)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_other_blocks_are_tensors_of_their_own(scheme, dtype):
    """Where elements depend on more than their words a block is the scheme's tensor of its shape, from its stream."""
    kernel = () if not isinstance(scheme, (DeltaOrthogonal, Dirac)) else (3,)
    blocks = Blocks([Normal(), scheme, Blocks(["ones", scheme], 1)], sizes=[2, 4, -1])

    w = blocks((12, 8, *kernel), dtype, **EXACT)

    assert_same_bits(w[:2], Normal()((12, 8, *kernel), dtype, **EXACT)[:2])
    assert_same_bits(w[2:6], own(scheme, (4, 8, *kernel), dtype, 1))
    assert_same_bits(w[6:, 4:], own(scheme, (6, 4, *kernel), dtype, 2, 1))
    assert (w[6:, :4] == 1).all()


def test_blocks_with_streams_of_their_own_differ():
    """Two orthogonal blocks are two matrices, and each block's Gram matrix is the identity."""
    w = Blocks([Orthogonal()] * 2)((32, 16), **KEY)

    assert np.abs(w[:16] - w[16:]).max() > 0.1
    for block in (w[:16], w[16:]):
        assert np.abs(block @ block.T - np.eye(16)).max() < 1e-5


def test_constants_of_any_dtype():
    """Blocks of constants and arrays take integers and bool; an array broadcasts to its block."""
    blocks = Blocks([Constant(np.arange(3)), Constant(7), Eye()], 1)

    for dtype in ("int64", "uint8", "float16"):
        w = blocks((3, 9), dtype, "reference", seed=0)
        assert w.dtype == dtype
        assert w.tolist() == [[0, 1, 2, 7, 7, 7, *row] for row in np.eye(3).tolist()]


# -- however it is drawn ----------------------------------------------------------------------------------------------

MIXED = {  # (scheme, shape, dtype); the shapes have axes that the indices below find all edges of
    "rows": (Blocks([Normal(), "zeros", Uniform()], sizes=[3, 1, -1]), (9, 5), "float32"),
    "columns": (Blocks([Normal(), Constant(2.5), TruncatedNormal()], 1, [1, 2, 1]), (5, 8), "bfloat16"),
    "complex": (Blocks([Normal(), Constant(1 - 2j), Uniform(-1, 1)], -1), (4, 9), "complex64"),
    "wide": (Blocks([Normal(), Constant(1 - 2j), Uniform(-1, 1)], 1), (3, 6, 2), "complex128"),
    "masked": (Blocks([Sparse(0.5), Eye(3.0), Normal()], 1), (6, 9), "float32"),
    "arrays": (Blocks([Constant(np.arange(4)), Constant(np.arange(5.0)[:, None]), "ones"], 1), (5, 12), "float64"),
    "nested": (Blocks([Blocks([Normal(), "zeros"], 2), Blocks([Dirac(), Uniform(), Sparse(0.3)], 1, [3, 2, 1])]),
               (4, 6, 4), "float32"),
    "vector": (Blocks(["zeros", Normal(), "ones"], sizes=[2, 4, 1]), (14,), "float16"),
    "whole numbers": (Blocks([Constant(3), Eye(), Constant([[1], [2]])], 1), (2, 9), "int32"),
}
of_mixed = pytest.mark.parametrize("kind", MIXED)


def indices(shape):
    """Any valid basic index."""
    def of(dim):
        ends = st.none() | st.integers(-dim - 2, dim + 2)
        return st.builds(slice, ends, ends, st.none() | st.integers(-4, 4).filter(bool)) | st.integers(-dim, dim - 1)

    return st.tuples(*map(of, shape))


@of_mixed
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_shard_is_the_block_of_the_whole(kind, data):
    """shard(shape, index) == whole[index] for any index: dropped axes, steps both ways, one block, several, none."""
    scheme, shape, dtype = MIXED[kind]
    index = data.draw(indices(shape))

    assert_same_bits(scheme.shard(shape, index, dtype, **KEY), np.asarray(scheme(shape, dtype, **KEY)[index]))


@of_mixed
def test_the_compiled_kernels_agree_with_the_reference(kind):
    """The oracle in Python has the same bits."""
    scheme, shape, dtype = MIXED[kind]
    assert_same_bits(scheme(shape, dtype, **KEY), scheme(shape, dtype, "reference", **KEY))


@of_mixed
def test_every_range_of_elements(kind):
    """`materialize_range`, from any start for any length, is that part of the whole in C order."""
    scheme, shape, dtype = MIXED[kind]
    plan, wanted = scheme.describe(shape, dtype), scheme(shape, dtype, **KEY).reshape(-1)
    assert is_elementwise(plan)

    for start in range(wanted.size):
        for stop in {start, start + 1, start + 7, start + 2 * wanted.size // 3, wanted.size}:
            if stop <= wanted.size:
                piece = np.empty(stop - start, wanted.dtype)
                materialize_range(plan, RAW, start, piece)
                assert_same_bits(piece, wanted[start:stop])


@of_mixed
def test_out_of_any_layout(kind):
    """Strided, reversed and Fortran arrays get the same bits, and nothing between their elements is written."""
    scheme, shape, dtype = MIXED[kind]
    wanted = scheme(shape, dtype, **KEY)
    wide = np.zeros((*shape[:-1], 3 * shape[-1]), wanted.dtype)

    for out in (np.zeros_like(wanted, order="F"), np.zeros_like(wanted)[::-1], wide[..., -1::-3]):
        assert scheme(shape, out=out, **KEY) is out
        assert_same_bits(out, wanted)
    assert not wide[..., 0::3].any() and not wide[..., 1::3].any()


def test_any_number_of_threads():
    """Blocks that are large enough for several threads, whole and in ranges, have the bits of one thread."""
    import numba

    scheme, shape = Blocks([Normal(), Uniform(), Normal()], 1, [1, -1, 333]), (400, 999)
    wanted = np.concatenate([scheme.shard(shape, slice(i, i + 20), **KEY) for i in range(0, 400, 20)])
    threads = numba.get_num_threads()
    try:
        for count in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(count)
            piece = np.empty(300_001, np.float32)
            materialize_range(scheme.describe(shape), RAW, 55_555, piece)
            assert_same_bits(scheme(shape, **KEY), wanted)
            assert_same_bits(piece, wanted.reshape(-1)[55_555:355_556])
    finally:
        numba.set_num_threads(threads)


def test_matrices_in_parts():
    """Shards of orthogonal blocks are within the promised bound of the whole, whose plan says that it has matrices."""
    scheme = Blocks([Orthogonal(), Normal(), Orthogonal(axis=1)], 1, [2, 1, 3])
    wanted = scheme((8, 12), **KEY)

    assert not is_elementwise(scheme.describe((8, 12)))
    for index in [(slice(1, 6), slice(2, 10)), (3, slice(None, None, -2)), (slice(None, None, 3), 11)]:
        np.testing.assert_allclose(scheme.shard((8, 12), index, **KEY), wanted[index], rtol=0, atol=1e-5)
    piece = np.empty(30, np.float32)
    materialize_range(scheme.describe((8, 12)), RAW, 7, piece)
    np.testing.assert_allclose(piece, wanted.reshape(-1)[7:37], rtol=0, atol=1e-5)


def test_a_tensor_that_no_memory_holds():
    """A range and a shard of 2**51 elements take memory for themselves only, however far they lie."""
    scheme, shape = Blocks([Normal(), Constant(np.arange(2.0**10)), Normal()], 2, [2**20, 2**10, -1]), (2**10, 7, 2**30)
    plan, piece = scheme.describe(shape, "float64"), np.empty(2**18)
    start = 3 * 7 * 2**30 + 2**20 - 2**17
    scheme.shard(shape, (3, 0, slice(0, 4)), "float64", **KEY)  # compiles
    materialize_range(plan, RAW, start, piece)

    tracemalloc.start()
    materialize_range(plan, RAW, start, piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**16
    assert (piece[2**17:2**17 + 2**10] == np.arange(2**10)).all()
    assert_same_bits(piece[:2**17], Normal().shard(shape, (3, 0, slice(2**20 - 2**17, 2**20)), "float64", **KEY))
    assert_same_bits(piece[-5:], scheme.shard(shape, (3, 0, slice(2**20 + 2**17 - 5, 2**20 + 2**17)), "float64", **KEY))


@pytest.mark.parametrize("shape", [(0, 6), (6, 0), (0,), (0, 0, 0)], ids=str)
def test_without_elements(shape):
    """An axis of length 0 has parts of length 0, and another axis may be empty."""
    for dtype in ("float32", "complex64"):
        w = Blocks([Normal(), "zeros", Uniform()], sizes=[1, 1, 1])(shape, dtype, seed=0)
        assert (w.shape, w.dtype) == (shape, dtype)


def test_each_unnamed_call_takes_one_stream_id():
    """As one draw, whatever the number of blocks; with a name none."""
    stream, scheme = Stream(3), Blocks([Normal(), Orthogonal(), Sparse(0.5)])
    scheme((6, 2), seed=stream), scheme.shard((6, 2), 1, seed=stream), scheme((6, 2), seed=stream, name="w")
    assert stream == Stream(3, position=2)


# -- how an axis is divided --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "dim", "lengths"), [
    (None, 9, [3, 3, 3]), (None, 0, [0, 0, 0]), ([4, 1, 1], 6, [4, 1, 1]), ([4, 1, 1], 18, [12, 3, 3]),
    ([0, 1, 2], 6, [0, 2, 4]), ([1, 2, 3], 0, [0, 0, 0]), ([2, -1, 3], 9, [2, 4, 3]), ([2, -1, 3], 5, [2, 0, 3]),
    ([0, 0, -1], 4, [0, 0, 4]), ([-1, 0, 0], 0, [0, 0, 0]), (np.array([4, 1, 1]), 12, [8, 2, 2]),
])
def test_sizes(sizes, dim, lengths):
    """None: equal parts; with a -1 lengths and the rest; else shares of the axis, absolute lengths among them."""
    scheme = Blocks([Constant(1), Constant(2), Constant(3)], 1, sizes)

    assert [plan.shape for plan in scheme.describe((2, dim)).plans] == [(2, length) for length in lengths]
    assert scheme((2, dim), "int8", seed=0).tolist() == [np.repeat([1, 2, 3], lengths).tolist()] * 2


REFUSED = [  # when made: arguments, what the message has, builtin
    ({"inits": []}, ["`inits`", "at least one"], ValueError),
    *(({"inits": inits}, ["`inits`", "list"], TypeError) for inits in ("zeros", Normal(), {"name": "zeros"}, None, 3)),
    ({"inits": ["zeros", 3]}, ["block 1", "`inits`"], TypeError),
    ({"inits": ["nope"]}, ["block 0", "'nope'"], KeyError),
    ({"inits": ["zeros", {"name": "normal", "std": -1}]}, ["block 1", "`std`"], ValueError),
    ({"inits": ["zeros", {"name": "normal", "wide": 1}]}, ["block 1", "'wide'"], TypeError),
    *(({"axis": axis}, ["`axis`"], TypeError) for axis in (0.0, "0", None, True)),
    *(({"sizes": sizes}, ["`sizes`"], TypeError) for sizes in (2, "11", [1.0, 1], [True, 1], [None, 1], ["1", 1])),
    *(({"sizes": sizes}, ["`sizes`", "each of the 2"], ValueError) for sizes in ([], [1], [1, 1, 1])),
    ({"sizes": [-2, 1]}, ["`sizes`", "-2"], ValueError), ({"sizes": [-1, -1]}, ["`sizes`", "one -1"], ValueError),
    ({"sizes": [0, 0]}, ["`sizes`", "0"], ValueError),
]


@pytest.mark.parametrize(("changes", "words", "builtin"), REFUSED, ids=[str(case[0]) for case in REFUSED])
def test_refused_when_made(changes, words, builtin):
    """A wrong list, axis or size is a one-line error of the scheme, not of a draw."""
    for make in (lambda: Blocks(**{"inits": ["zeros", "ones"], **changes}),
                 lambda: Blocks(["zeros", "ones"]).replace(**changes)):
        with pytest.raises(FaninError) as error:
            make()
        assert isinstance(error.value, builtin) and "\n" not in str(error.value)
        assert all(word in str(error.value) for word in words), str(error.value)


REFUSED_DRAWS = [  # scheme, shape, dtype, what the message has
    (Blocks(["zeros", "ones"]), (5, 2), "float32", ["`sizes`", "2", "(5, 2)", "-1"]),
    (Blocks(["zeros", "ones"], 0, [2, 1]), (5, 2), "float32", ["`sizes`", "3", "[2, 1]"]),
    (Blocks(["zeros", "ones"], 0, [6, -1]), (5, 2), "float32", ["`sizes`", "[6, -1]", "(5, 2)"]),
    (Blocks(["zeros", "ones"], 0, [1, -1]), (0, 2), "float32", ["`sizes`", "[1, -1]"]),
    (Blocks(["zeros", "ones"], 2), (4, 2), "float32", ["`axis`", "2"]),
    (Blocks(["zeros", "ones"]), (), "float32", ["`shape`", "()"]),
    (Blocks(["zeros", "he_normal"]), (4,), "float32", ["block 1", "`shape`", "(2,)"]),
    (Blocks(["zeros", Normal()]), (4, 2), "int32", ["block 1", "`dtype`", "int32"]),
    (Blocks([Normal(), Constant(1e6)]), (4, 2), "float16", ["block 1", "`value`", "float16"]),
    (Blocks([Normal(), Constant([1, 2, 3])]), (4, 2), "float32", ["block 1", "`value`", "(2, 2)"]),
    (Blocks([Normal(), Blocks(["ones", "zeros", "ones"])]), (4, 2), "float32", ["block 1", "`sizes`", "(2, 2)"]),
]


@pytest.mark.parametrize(("scheme", "shape", "dtype", "words"), REFUSED_DRAWS, ids=[str(c[3]) for c in REFUSED_DRAWS])
def test_refused_before_anything_is_written(scheme, shape, dtype, words):
    """What one block can't be is found before the first is written: `out` and the stream are as they were."""
    stream, out = Stream(0), np.full(shape, 7, dtype)

    for call in (lambda: scheme(shape, dtype, seed=stream, out=out), lambda: scheme.describe(shape, dtype)):
        with pytest.raises(FaninError) as error:
            call()
        assert "\n" not in str(error.value) and all(word in str(error.value) for word in words), str(error.value)
    assert stream == Stream(0) and (out == 7).all()


@fanin.sampler
def uncompilable(u, scale):
    return scale * vars().get("u", u)


class Uncompilable(Initializer):
    def __init__(self):
        pass

    def plan(self, spec):
        return spec.draw(uncompilable, 1.0)


def test_a_sampler_that_does_not_compile_leaves_no_block_behind():
    """Python runs this sampler, the compiler refuses it: before the blocks ahead of it are written."""
    out = np.full((4, 6), 7, np.float32)

    for axis in (0, 1):
        with pytest.raises(FaninError, match="uncompilable"):
            Blocks([Normal(), Uncompilable()], axis)((4, 6), out=out, **KEY)
        assert (out == 7).all()


# -- what a plan says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [
    Blocks([Normal(1.0, 2.0), Constant(-3.0), Uniform(0, 4)], 0, [1, 2, 3]), Blocks(["zeros", "ones"], 1),
    Blocks([Sparse(0.5, 1.0), Normal(5.0, 0.5)]), Blocks([Blocks(["zeros", Normal()]), Uniform(2, 3)], 1),
    Blocks([Orthogonal(), Normal()])], ids=repr)
def test_moments_are_those_of_all_values(scheme):
    """mean and std of the mixture: within 5 standard errors and 5 % of a draw's."""
    plan, w = scheme.describe((96, 60)), scheme((96, 60), **KEY).astype(np.float64)

    assert abs(w.mean() - plan.mean) <= 5 * plan.std / math.sqrt(w.size)
    assert w.std() == pytest.approx(plan.std, rel=0.05)


def test_moments_that_are_not_known():
    """None where a block's are not, or not finite; a block without elements does not count."""
    def moments(*inits, shape=(6, 6), **keywords):
        plan = Blocks(inits, **keywords).describe(shape, "float64")
        return plan.mean, plan.std

    assert moments(Normal(), Constant(np.arange(6))) == (None, None)
    assert moments(Normal(), Constant(math.inf)) == moments(Normal(), Constant(math.nan)) == (None, None)
    assert moments("zeros", Eye(), shape=(6, 3)) == (None, None)
    assert moments("zeros", Normal(3.0, 1.0), sizes=[0, -1]) == (3.0, 1.0)
    assert moments(Normal(0.1, 0.3), Normal(0.1, 0.3)) == (0.1, 0.3)
    assert moments("zeros", Normal(), shape=(0, 6)) == (None, None)
    assert Blocks([Constant(1j), Constant(-1j)]).describe((2,), "complex64").std == 1


def test_fans_where_blocks_agree():
    """fan_in and fan_out are those of the blocks where all have the same, each by itself."""
    glorot = VarianceScaling(1.0, "fan_avg")

    def fans(*inits, **keywords):
        plan = Blocks(inits, **keywords).describe((12, 8))
        return plan.fan_in, plan.fan_out

    assert fans(glorot, glorot, glorot) == (8, 4)
    assert fans(glorot, glorot, sizes=[1, 2]) == (8, None)
    assert fans(glorot, glorot, axis=1) == (4, 12)
    assert fans(glorot, "zeros") == (None, None)
    assert fans(glorot, "zeros", sizes=[1, 0]) == (8, 12)


def test_a_plan_is_a_value():
    """Equal schemes give equal plans, printed in one line with those of the blocks."""
    plan = Blocks(["zeros", Normal()]).describe((4, 2))

    assert plan == Blocks([Constant(0.0), {"name": "normal"}], 0).describe((4, 2))
    assert len({plan, Blocks(["zeros", Normal()]).describe((4, 2))}) == 1
    assert plan != Blocks(["zeros", Normal()], 1).describe((4, 2)) != Blocks(["zeros", "ones"]).describe((4, 2))
    assert repr(plan) == (
        "Plan(shape=(4, 2), dtype=float32, distribution=blocks, axis=0, plans=["
        "Plan(shape=(2, 2), dtype=float32, distribution=constant, mean=0, std=0), "
        "Plan(shape=(2, 2), dtype=float32, distribution=normal, mean=0, std=1)], mean=0, std=0.70710678)")


def test_which_plans_are_elementwise():
    """All but those with a random matrix in them, however deep."""
    assert all(is_elementwise(scheme.describe((6, 6, 1))) for scheme in (
        Normal(), Constant(np.arange(6)[:, None]), Sparse(0.5), Dirac(), Blocks(["zeros", Normal()])))
    for scheme in (Orthogonal(), Blocks(["zeros", Orthogonal()]), Blocks([Blocks(["ones", Orthogonal()]), "zeros"])):
        assert not is_elementwise(scheme.describe((8, 6)))


# -- as data ----------------------------------------------------------------------------------------------------------

EXAMPLES = [
    Blocks(["zeros"]), Blocks([Normal(0, 2), Constant([1.0, math.nan])], -1, [3, -1]),
    Blocks([Blocks(["ones", Orthogonal()], 1, (1, 2)), Constant(1 - 2j), "jax:he_normal"]),
    Blocks([{"name": "torch:kaiming_uniform", "a": 2}, {"scheme": "truncated_normal", "upper": "inf"}], sizes=[0, 1]),
]


@pytest.mark.parametrize("scheme", EXAMPLES, ids=repr)
def test_configs_pickles_and_reprs_lose_nothing(scheme):
    """A config is JSON with the blocks' configs in it; it, pickles, the repr and `replace` rebuild the scheme."""
    config = scheme.get_config()

    again = Initializer.from_config(json.loads(json.dumps(config, allow_nan=False)))

    assert list(config) == ["scheme", "version", "inits", "axis", "sizes"] and config["scheme"] == "blocks"
    assert all("scheme" in init for init in config["inits"])
    for other in (again, pickle.loads(pickle.dumps(scheme)), eval(repr(scheme), {"np": np, **vars(fanin)}),
                  scheme.replace(), Registry.get(config), Registry.get("blocks", inits=list(scheme.inits),
                                                                       axis=scheme.axis, sizes=scheme.sizes)):
        assert other == scheme and hash(other) == hash(scheme) and other.get_config() == config
    assert scheme != scheme.replace(axis=5) and scheme.replace(axis=5).inits == scheme.inits


def test_names_tables_and_configs_are_schemes():
    """Each way to write a scheme gives the same `Blocks`, whose parameters are immutable tuples."""
    wanted = Blocks((Normal(0.0, 0.02), Constant(0.0)), sizes=(2, 1))

    assert wanted == Blocks([{"name": "normal", "std": 0.02}, "zeros"], sizes=[2, 1]) == Blocks(
        [{"scheme": "normal", "version": 1, "std": 0.02}, {"name": "Zeros_"}], 0, np.array([2, 1]))
    assert wanted == Initializer.from_config({"scheme": "blocks", "inits": [{"name": "normal", "std": 0.02}, "zeros"],
                                              "sizes": [2, 1]})
    assert type(wanted.inits) is tuple and wanted.sizes == (2, 1)
    with pytest.raises(AttributeError):
        wanted.inits = ()


def test_a_scheme_that_is_not_registered_travels_in_a_pickle():
    """Pickles of blocks hold classes by name, as those of schemes do."""
    scheme = Blocks([Ramp(1.0, 3.0), "zeros"])
    again = pickle.loads(pickle.dumps(scheme))

    assert again == scheme
    assert_same_bits(again((4, 2), **KEY), scheme((4, 2), **KEY))
