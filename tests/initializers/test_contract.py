"""One suite of laws over the live registry: every bare name and every profile:name obeys each of them."""

import copy
import json
import math
import pickle
import random

import numpy as np
import pytest

import fanin
from fanin import (
    ICNR,
    S4D,
    Bilinear,
    Blocks,
    Chrono,
    Constant,
    ConvolutionOrthogonal,
    DeltaOrthogonal,
    Dirac,
    Eye,
    FaninError,
    FaninTypeError,
    HippoLegsA,
    HippoLegsB,
    Initializer,
    LogOfUniform,
    LogUniform,
    LSTMBias,
    MambaALog,
    MambaDtBias,
    Normal,
    Orthogonal,
    Registry,
    ScaledOrthogonal,
    Sinusoidal,
    Siren,
    SirenFirst,
    Sparse,
    Stream,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)

NAMES = Registry.names() + [f"{profile}:{name}" for profile in Registry.profiles() for name in Registry.names(profile)]
# What the names that have no default for a parameter are given.
NEEDS = {
    "array": {"value": [1.0, 2.0, 3.0]},
    "sparse": {"sparsity": 0.25},
    "chrono": {"t_max": 100},
    "blocks": {"inits": ["zeros", "normal"], "sizes": [0, 1]},  # shares of an axis of any length
    **{f"{profile}:constant": {"value": 0.5} for profile in ("torch", "torch03", "flint", "storch", "jax", "flax")},
    **{f"{profile}:sparse": {"sparsity": 0.25} for profile in ("torch", "torch03", "storch")},
    **{f"{profile}:variance_scaling": {"scale": 2.0, "mode": "fan_avg", "distribution": "normal"}
       for profile in ("jax", "flax")},
}
RANKS = {Constant: (0, 9), Uniform: (0, 9), Normal: (0, 9), TruncatedNormal: (0, 9), VarianceScaling: (2, 9),
         Orthogonal: (2, 9), DeltaOrthogonal: (3, 9), ConvolutionOrthogonal: (3, 9), Dirac: (3, 9), Sparse: (1, 9),
         Eye: (2, 2), Blocks: (1, 9), LogUniform: (0, 9), LogOfUniform: (0, 9), MambaALog: (1, 9), MambaDtBias: (0, 9),
         HippoLegsA: (2, 9), HippoLegsB: (1, 9), S4D: (1, 9), Sinusoidal: (2, 9),
         Siren: (2, 9), SirenFirst: (2, 9), ScaledOrthogonal: (2, 9), ICNR: (2, 9), Chrono: (1, 1), LSTMBias: (1, 1),
         Bilinear: (3, 5)}
ANY_DTYPE = (Constant, Eye, Dirac, LSTMBias)
TABLES = (MambaALog, HippoLegsA, HippoLegsB, S4D, Sinusoidal, Bilinear)  # without randomness
REAL = (LogUniform, LogOfUniform, MambaDtBias, HippoLegsA, HippoLegsB, S4D, Sinusoidal, Chrono, Bilinear)
FLOATING = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")

each_name = pytest.mark.parametrize("name", NAMES)


def get(name):
    return Registry.get(name, **NEEDS.get(name, {}))


def ranks(scheme):
    return RANKS.get(type(scheme), (2, 2))


def shape_of(scheme, *dims):
    """As many of `dims` as the scheme allows; square, no more columns than rows, or some times as many if need be."""
    dims = dims[:ranks(scheme)[1]]
    if isinstance(scheme, Bilinear):
        return (dims[0] * dims[1], *dims[1:])
    if isinstance(scheme, (ICNR, Chrono, LSTMBias)):
        return (4 * dims[0], *dims[1:])
    if isinstance(scheme, ConvolutionOrthogonal):
        return (dims[0], min(dims[:2]), *dims[2:])
    return (*dims[:-1], dims[-2]) if isinstance(scheme, HippoLegsA) else dims


def drawn(preset, *dims, **keywords):
    scheme = get(preset)
    return scheme(shape_of(scheme, *dims), **({"seed": 3, "name": "w"} | keywords))


def is_constant(scheme):
    return isinstance(scheme, (*ANY_DTYPE, *TABLES)) or getattr(scheme, "std", None) == 0


def same(a, b, scheme=None):
    """Equal bits; for the orthogonal schemes, equal within the contract's bound."""
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    if isinstance(scheme, (Orthogonal, ScaledOrthogonal, DeltaOrthogonal, ConvolutionOrthogonal)):
        return bool((np.abs(a - b) <= 1e-5 * abs(scheme.gain)).all())
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


@each_name
def test_a_draw_has_the_shape_and_the_default_dtype(name):
    """scheme(shape) is a new float32 numpy array of that shape, finite unless the scheme's value isn't."""
    w = drawn(name, 6, 4, 3)

    assert type(w) is np.ndarray
    assert (w.shape, w.dtype) == (shape_of(get(name), 6, 4, 3), np.float32)
    assert w.flags.c_contiguous and w.flags.writeable and w.flags.owndata
    assert np.isfinite(w).all() or name == "nan"


@each_name
def test_every_scheme_has_every_floating_dtype(name):
    """dtype= is the dtype of the result; numbers that must be positive are real. The reference compiles nothing."""
    scheme = get(name)

    for dtype in FLOATING:
        if dtype.startswith("complex") and isinstance(scheme, REAL):
            with pytest.raises(FaninTypeError, match="must be real"):
                scheme.describe(5, dtype)
            continue
        w = scheme(shape_of(scheme, 2, 3, 3), dtype, "reference", seed=3)
        assert (w.dtype.name, w.shape) == (dtype, shape_of(scheme, 2, 3, 3))


@each_name
def test_ranks(name):
    """Ints, lists, numpy's ints are shapes; a rank that the definition allows works, any other is a one-line error."""
    scheme = get(name)

    for shape in [(), 5, (5,), [2, 3], (8,), (8, 3), (np.int64(2), 3, 2), (6, 3, 2), np.array([2, 2, 2, 1])]:
        dims = (shape,) if isinstance(shape, int) else tuple(int(dim) for dim in shape)
        low, high = ranks(scheme)
        fits = dims[-1:] == {"array": (3,), "hippo_legs_a": dims[-2:-1]}.get(name, dims[-1:])
        fits &= name != "convolution_orthogonal" or dims[1:2] <= dims[:1]
        fits &= name != "bilinear" or len(dims) > 1 and dims[0] % dims[1] == 0
        fits &= name not in ("icnr", "chrono", "lstm_bias") or dims[:1] != () and dims[0] % 4 == 0
        if low <= len(dims) <= high and fits:
            w = scheme(shape, seed=0)
            assert type(w) is np.ndarray and w.shape == dims
        else:
            with pytest.raises(FaninError) as error:
                scheme(shape, seed=0)
            assert isinstance(error.value, ValueError) and "\n" not in str(error.value)


@each_name
def test_zero_size(name):
    """A tensor without elements is an empty array, for each axis that may be empty."""
    scheme = get(name)

    for dims in [(0, 4, 3), (6, 0, 3), *([] if name == "array" else [(6, 4, 0), (0, 0, 0)])]:
        shape = shape_of(scheme, *dims)
        w = scheme(shape, dtype="float16", seed=0)
        assert (w.shape, w.dtype) == (shape, np.float16)
        assert scheme.shard(shape, ..., seed=0).shape == shape


def random_index(shape, choose):
    index = []
    for dim in shape:
        kind = choose.randrange(4)
        if kind == 0:
            index.append(choose.randrange(-dim, dim))
        elif kind == 1:
            index.append(slice(None))
        else:
            bounds = [choose.choice([None, choose.randrange(-dim - 2, dim + 3)]) for _ in range(2)]
            index.append(slice(*bounds, choose.choice([None, 1, 2, -1, -3])))
    kept = choose.randrange(len(index) + 1)
    return tuple(index[:kept]) + (choose.choice([(), (...,)]) if kept < len(index) else ())


@each_name
def test_a_shard_is_the_block_of_the_whole(name):
    """scheme.shard(shape, index) == scheme(shape)[index], bit for bit, for any basic index."""
    scheme, choose = get(name), random.Random(name)
    shape = shape_of(scheme, 7, 5, 3)
    whole = scheme(shape, seed=3, name="w")

    for index in [..., -1, slice(2, 5), *(random_index(shape, choose) for _ in range(12))]:
        part = scheme.shard(shape, index, seed=3, name="w")
        assert type(part) is np.ndarray
        assert same(part, np.asarray(whole[index]), scheme), index


@each_name
def test_shards_make_up_the_whole(name):
    """Blocks drawn one by one and put together are the tensor drawn whole."""
    scheme = get(name)
    shape = shape_of(scheme, 7, 5, 3)
    pieces = [slice(0, 1), slice(1, 4), slice(4, None)]

    parts = [scheme.shard(shape, piece, seed=3, name="w") for piece in pieces]

    assert same(np.concatenate(parts), scheme(shape, seed=3, name="w"), scheme)


@each_name
def test_the_compiled_kernels_agree_with_the_reference(name):
    """The CPU's bits are those of the same functions run by Python."""
    assert same(drawn(name, 5, 4, 3), drawn(name, 5, 4, 3, device="reference"), get(name))


@each_name
def test_the_values_are_those_that_the_plan_describes(name):
    """mean and std of a draw are the plan's, to 5 standard errors of the mean and 5 % of the std."""
    scheme = get(name)
    shape = shape_of(scheme, 48, 64, 3)
    plan, w = scheme.describe(shape), scheme(shape, seed=3, name="w").astype(np.float64)

    if plan.mean is not None:
        assert abs(w.mean() - plan.mean) <= 5 * (plan.std or 0) / math.sqrt(w.size) + 1e-7
    if plan.std is not None:
        assert w.std() == pytest.approx(plan.std, rel=0.05, abs=1e-12)


@each_name
def test_json_round_trip(name):
    """A scheme is its config: through JSON and back it is equal and draws the same."""
    scheme = get(name)
    config = scheme.get_config()

    again = Initializer.from_config(json.loads(json.dumps(config, allow_nan=False)))

    assert again == scheme and type(again) is type(scheme)
    assert again.get_config() == config
    assert list(config)[:2] == ["scheme", "version"] and config["version"] == 1
    assert Registry.get(config) == scheme == type(scheme).from_config(config)


@each_name
def test_copies_and_pickles(name):
    """A copy of a scheme, also one that already drew and holds plans, is an equal scheme; so is any pickle of it."""
    scheme = get(name)
    plan = scheme.describe(shape_of(scheme, 3, 3, 3))
    pickles = [pickle.loads(pickle.dumps(scheme, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]

    for again in [copy.copy(scheme), copy.deepcopy(scheme), *pickles]:
        assert again == scheme and hash(again) == hash(scheme) and type(again) is type(scheme)
        assert again.describe(shape_of(scheme, 3, 3, 3)) == plan


@each_name
def test_repr_is_the_expression_that_rebuilds_it(name):
    """eval(repr(scheme)) == scheme, in one line."""
    scheme = get(name)

    assert "\n" not in repr(scheme)
    assert eval(repr(scheme), {"np": np, **vars(fanin)}) == scheme


@each_name
def test_equality_and_hash(name):
    """Schemes are values: equal parameters, equal schemes, one key in a dict; nothing else is equal to them."""
    scheme = get(name)

    assert scheme == get(name) and scheme == get(name)
    assert len({scheme, get(name)}) == 1
    assert scheme != name and scheme is not None and scheme != scheme.get_config()
    other = Constant(17.0) if not isinstance(scheme, Constant) else Normal(17.0)
    assert scheme != other


@each_name
def test_replace_with_nothing_is_a_copy(name):
    """replace() changes what it is told to and keeps the rest."""
    scheme = get(name)
    parameters = {key: getattr(scheme, key) for key in list(scheme.get_config())[2:]}

    assert scheme.replace() == scheme == scheme.replace(**parameters)
    with pytest.raises(TypeError, match="replace"):
        scheme.replace(nonsense=1)


@each_name
def test_schemes_are_immutable(name):
    """A parameter can be neither set again nor deleted."""
    scheme = get(name)
    before = repr(scheme)

    for key in list(scheme.get_config())[2:]:
        with pytest.raises(AttributeError, match=f"`{key}`"):
            setattr(scheme, key, getattr(scheme, key))
        with pytest.raises(AttributeError, match=f"`{key}`"):
            delattr(scheme, key)
    assert repr(scheme) == before


@each_name
def test_plans_are_values(name):
    """Equal schemes give equal plans: printable in one line, hashable, different for another shape or dtype."""
    scheme = get(name)
    shape = shape_of(scheme, 6, 4, 3)
    plan = scheme.describe(shape)

    assert plan == Initializer.from_config(json.loads(json.dumps(scheme.get_config()))).describe(shape)
    assert len({plan, get(name).describe(shape)}) == 1
    assert (plan.shape, plan.dtype) == (shape, np.float32)
    assert plan != scheme.describe(shape, "float64") and plan != scheme.describe((2 * shape[0], *shape[1:]))
    assert "\n" not in repr(plan) and str(shape) in repr(plan)
    for field in ("mean", "std", "fan_in", "fan_out"):
        value = getattr(plan, field)
        assert value is None or math.isfinite(value)


@each_name
def test_integer_dtypes(name):
    """Constants take integers and bool where the values are exact; a random scheme refuses them before drawing."""
    scheme = get(name)

    for dtype in ["int32", "bool", "uint8"]:
        stream = Stream(0)
        inexact = scheme in (get("nan"), Constant(0.5)) or (dtype, name) == ("bool", "array")
        if isinstance(scheme, ANY_DTYPE) and not inexact:
            assert scheme(shape_of(scheme, 3, 3, 3), dtype, seed=stream).dtype == dtype
            assert stream.position == 1
            continue
        with pytest.raises(FaninError) as error:
            scheme(shape_of(scheme, 3, 3, 3), dtype, seed=stream)
        assert isinstance(error.value, ValueError if isinstance(scheme, Constant) else TypeError)
        assert dtype in str(error.value)
        assert stream.position == 0


@each_name
def test_seed_and_name_determine_the_draw(name):
    """The same seed and name give the same bits; another name or seed gives others."""
    scheme = get(name)
    w = drawn(name, 6, 4, 3)

    assert same(w, drawn(name, 6, 4, 3), scheme)
    assert same(w, drawn(name, 6, 4, 3, seed=3 + 2**32), scheme) == is_constant(scheme)
    assert same(w, drawn(name, 6, 4, 3, name="w2"), scheme) == is_constant(scheme)
    assert same(w, drawn(name, 6, 4, 3, name=""), scheme) == is_constant(scheme)


@each_name
def test_a_name_wins_over_a_stream(name):
    """With a name a Stream gives its seed only, and doesn't advance."""
    stream = Stream(3, position=11)

    assert same(drawn(name, 6, 4, 3, seed=stream), drawn(name, 6, 4, 3), get(name))
    assert stream == Stream(3, position=11)


@each_name
def test_each_unnamed_call_takes_one_stream_id(name):
    """Whole draws, shards, empty ones and constants alike move a stream by one."""
    scheme, stream = get(name), Stream(3)
    shape = shape_of(scheme, 6, 4, 3)
    calls = [lambda: scheme(shape, seed=stream), lambda: scheme.shard(shape, 1, seed=stream),
             lambda: scheme((0, *shape[1:]), seed=stream), lambda: scheme.shard(shape, slice(2, 2), seed=stream),
             lambda: scheme(shape, seed=stream, out=np.empty(shape, np.float32)),
             lambda: scheme(shape, device="reference", seed=stream)]

    for taken, call in enumerate(calls):
        assert stream.position == taken
        call()
    assert stream.position == len(calls)
    first, second = scheme(shape, seed=Stream(3)), scheme(shape, seed=Stream(3, position=1))
    assert same(first, second, scheme) == is_constant(scheme)
    assert same(first, scheme(shape, seed=3), scheme)  # stream id 0 is an int seed's


@each_name
def test_a_refused_call_takes_no_stream_id_and_writes_nothing(name):
    """Whatever is wrong is found before the stream moves or `out` is touched."""
    scheme, stream = get(name), Stream(3)
    shape = shape_of(scheme, 6, 4, 3)
    out = np.full(shape, 7, np.float32)
    kept = out[0].copy()
    locked = out.copy()
    locked.flags.writeable = False
    wrong = [
        lambda: scheme((-1, *shape[1:]), seed=stream, out=out),
        lambda: scheme(shape, "complex256", seed=stream),
        lambda: scheme(shape, "float64", seed=stream, out=out),
        lambda: scheme(shape, device="abacus", seed=stream, out=out),
        lambda: scheme(shape, device="cuda", seed=stream, out=out),
        lambda: scheme(shape, seed=stream, name=3, out=out),
        lambda: scheme((5, *shape[1:]), seed=stream, out=out),
        lambda: scheme(shape, seed=stream, out=locked),
        lambda: scheme(shape, seed=stream, out=out.tolist()),
        lambda: scheme(shape, seed=-1, out=out),
        lambda: scheme.shard(shape, shape[0], seed=stream, out=out[0]),
        lambda: scheme.shard(shape, 1.0, seed=stream, out=out[0]),
        lambda: scheme.shard(shape, 1, seed=stream, out=out),
    ]

    for call in wrong:
        with pytest.raises(FaninError) as error:
            call()
        assert "\n" not in str(error.value) and "`" in str(error.value)
    assert stream == Stream(3)
    assert (out == 7).all() and (locked == 7).all() and (kept == 7).all()


@each_name
def test_out_is_filled_in_place_and_returned(name):
    """out= gets the bits of a new array, contiguous or strided, and is the object that comes back."""
    scheme = get(name)
    shape = shape_of(scheme, 6, 4, 3)
    wanted = scheme(shape, seed=3, name="w")
    plain = np.full(shape, np.nan, np.float32)
    wide = np.full((*shape[:-1], 2 * shape[-1]), 7, np.float32)

    assert scheme(shape, seed=3, name="w", out=plain) is plain
    view = wide[..., ::-2]
    assert scheme(shape, seed=3, name="w", out=view) is view
    part = np.full(shape, 7, np.float32)[1:3]
    assert scheme.shard(shape, slice(1, 3), seed=3, name="w", out=part) is part

    assert same(plain, wanted, scheme) and same(view, wanted, scheme) and same(part, wanted[1:3], scheme)
    assert (wide[..., ::2] == 7).all()


def test_the_default_stream_is_a_stream():
    """fanin.seed(n) makes calls without a seed draw what Stream(n) gives, call by call."""
    fanin.seed(5)
    drawn = [Normal()(4), Constant()(4), Normal()(4)]
    stream = Stream(5)

    for w in drawn:
        assert same(w, (Constant() if not w.any() else Normal())(4, seed=stream))


def test_every_need_is_a_name():
    """The table of required parameters above has no entry that the registry doesn't."""
    assert set(NEEDS) <= set(NAMES)
