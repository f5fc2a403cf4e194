"""`fanin.compat.jax` against JAX itself, with JAX's keys and with fanin's own."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fanin import FaninError
from fanin.compat import jax as fj

P = jax.sharding.PartitionSpec
NAMES = [name for name in dir(jax.nn.initializers) if not name.startswith("_") and name != "Initializer"]
SHAPES = [(1, 1), (31, 33), (2, 7, 1, 3, 4)]
BIG = (257, 513)
GRID = {
    "uniform": ("uniform", (0.3,), {}),
    "normal": ("normal", (0.02,), {}),
    "truncated": ("truncated_normal", (0.5,), {}),
    "truncated [-1, 3]": ("truncated_normal", (1.5,), {"lower": -1.0, "upper": 3.0}),
    **{f"{family}_{law}": (f"{family}_{law}", (), {}) for family in ("glorot", "xavier", "lecun", "he", "kaiming")
       for law in ("uniform", "normal")},
    **{f"{mode} {law}": ("variance_scaling", (1.7, mode, law), {"in_axis": 0, "out_axis": (-1,), "batch_axis": ()})
       for mode in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
       for law in ("normal", "uniform", "truncated_normal")},
    "axes": ("he_normal", (), {"in_axis": (0, -2), "out_axis": -1}),
    "batch": ("lecun_uniform", (), {"batch_axis": 0}),
}
layouts = pytest.mark.parametrize("partitionable", [True, False], ids=["partitionable", "original"])


def theirs_and_ours(name, args=(), kwargs=None):
    return getattr(jax.nn.initializers, name)(*args, **(kwargs or {})), getattr(fj, name)(*args, **(kwargs or {}))


def ulps(x, y):
    """The largest distance of elements, in float32 numbers."""
    order = [np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
             for bits in (np.asarray(a, np.float32).view(np.int32).astype(np.int64) for a in (x, y))]
    return np.abs(order[0] - order[1]).max()


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_equal(name):
    """Names, defaults and annotations."""
    assert inspect.signature(getattr(fj, name)) == inspect.signature(getattr(jax.nn.initializers, name))


def test_the_signatures_of_initializers_are_equal():
    """Of what the factories return, too; each is an Initializer to the other's protocol."""
    theirs, ours = theirs_and_ours("he_normal", kwargs={"dtype": jnp.bfloat16})

    assert inspect.signature(ours) == inspect.signature(theirs)
    assert isinstance(ours, jax.nn.initializers.Initializer)
    assert isinstance(theirs, fj.Initializer)


@layouts
@pytest.mark.parametrize("case", GRID)
def test_float32_draws_are_those_of_jax(case, partitionable):
    """Uniform ones exactly, the others within 2 ulp, for every factory, shape, axes and both layouts of keys."""
    name, args, kwargs = GRID[case]
    theirs, ours = theirs_and_ours(name, args, kwargs)
    with jax.threefry_partitionable(partitionable):
        for seed, shape in enumerate(SHAPES):
            expected = theirs(jax.random.key(seed), shape)
            found = ours(fj.key(seed, partitionable=partitionable), shape)
            wrapped = ours(jax.random.key(seed), shape)

            assert isinstance(wrapped, jax.Array)
            assert (np.asarray(wrapped) == found).all()
            assert ulps(found, expected) <= (0 if "uniform" in case else 2), shape


@layouts
@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_large_draws_are_those_of_jax(name, partitionable):
    """Where both sides use several threads."""
    theirs, ours = theirs_and_ours(name)
    with jax.threefry_partitionable(partitionable):
        expected = theirs(jax.random.key(99), BIG)

    assert ulps(ours(fj.key(99, partitionable=partitionable), BIG), expected) <= (0 if name == "uniform" else 2)


@layouts
def test_keys_and_words_are_those_of_jax(partitionable):
    """key, split, fold_in and bits, for seeds of every kind."""
    with jax.threefry_partitionable(partitionable):
        for seed in (0, 1, -1, 2**31, 2**32 + 5, -2**63, 2**63 - 1, True, np.int64(-7), np.uint64(2**63), np.int32(-1)):
            key, own = jax.random.key(seed), fj.key(seed, partitionable=partitionable)
            assert jax.random.key_data(key).tolist() == own.tolist()
        for num in (0, 1, 5, (2, 3)):
            assert jax.random.key_data(jax.random.split(key, num)).tolist() == fj.split(own, num).tolist()
        for data in (0, 7, 2**32 - 1, True, 1.5, np.int32(-1), np.int64(2**32 + 5)):
            assert jax.random.key_data(jax.random.fold_in(key, data)).tolist() == fj.fold_in(own, data).tolist()
        for shape in ((), (5,), (3, 4)):
            assert jax.random.bits(key, shape).tolist() == fj.bits(own, shape).tolist()
            assert fj.bits(key, shape).tolist() == fj.bits(own, shape).tolist()


def test_keys_of_jax_stay_keys_of_jax():
    """split and fold_in of a jax.random key, typed or raw, are JAX's own."""
    for key in (jax.random.key(3), jax.random.PRNGKey(3)):
        assert fj.split(key).dtype == key.dtype
        assert (fj.fold_in(key, 1) == jax.random.fold_in(key, 1)).all()


def test_raw_keys_are_taken():
    """Of JAX, and of numpy."""
    expected = fj.normal()(fj.key(3), (2, 3))

    assert (np.asarray(fj.normal()(jax.random.PRNGKey(3), (2, 3))) == expected).all()
    assert (fj.normal()(np.asarray(jax.random.PRNGKey(3)), (2, 3)) == expected).all()


@layouts
@pytest.mark.parametrize(("name", "kwargs", "shape"), [
    ("orthogonal", {}, (6, 4)), ("orthogonal", {"scale": 2.0}, (4, 6)), ("orthogonal", {"column_axis": 1}, (3, 4, 5)),
    ("orthogonal", {}, (300, 200)), ("delta_orthogonal", {}, (3, 3, 4, 6)),
    ("delta_orthogonal", {"column_axis": 0, "scale": -1.5}, (2, 5, 5)),
])
def test_orthogonal_draws_are_those_of_jax(name, kwargs, shape, partitionable):
    """Within 1e-4 absolute."""
    theirs, ours = theirs_and_ours(name, (), kwargs)
    with jax.threefry_partitionable(partitionable):
        expected = theirs(jax.random.key(4), shape)

    assert np.abs(ours(fj.key(4, partitionable=partitionable), shape) - expected).max() < 1e-4


DTYPES = ["float16", jnp.bfloat16, np.float32, float, jnp.complex64, complex, "int32", bool, None]


@pytest.mark.parametrize(
    "name", ["zeros", "uniform", "normal", "truncated_normal", "he_uniform", "he_normal", "orthogonal"])
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")  # JAX's own, of types that it makes itself
def test_dtypes_shapes_and_errors_agree(name):
    """Each dtype gives an array of the same dtype, shape and scale, or the same kind of error."""
    for dtype in DTYPES:
        results = []
        for module, key in ((jax.nn.initializers, jax.random.key(0)), (fj, jax.random.key(0)), (fj, fj.key(0))):
            init = module.zeros if name == "zeros" else getattr(module, name)()
            try:
                w = init(key, (40, 30), dtype)
                results.append((w.shape, w.dtype, np.abs(np.asarray(w).astype(np.complex128)).mean()))
            except Exception as error:
                results.append(error)
        for ours in results[1:]:
            if isinstance(results[0], Exception):
                assert isinstance(ours, builtin_of(results[0])), dtype
            else:
                assert ours[:2] == results[0][:2], dtype
                assert abs(ours[2] - results[0][2]) <= 0.1 * results[0][2], dtype


def builtin_of(error):
    """The builtin exception that an error of JAX's is."""
    return next(base for base in (NotImplementedError, IndexError, ValueError, TypeError) if isinstance(error, base))


CALLS = {
    "rank": lambda m, k: m.he_normal()(k, (3,)),
    "axis": lambda m, k: m.he_normal(in_axis=4)(k, (3, 3)),
    "mode": lambda m, k: m.variance_scaling(1.0, "x", "normal")(k, (3, 3)),
    "distribution": lambda m, k: m.variance_scaling(1.0, "fan_in", "x")(k, (3, 3)),
    "orthogonal rank": lambda m, k: m.orthogonal()(k, (3,)),
    "orthogonal axis": lambda m, k: m.orthogonal(column_axis=4)(k, (3, 3)),
    "delta rank": lambda m, k: m.delta_orthogonal()(k, (3, 3)),
    "delta in > out": lambda m, k: m.delta_orthogonal()(k, (3, 3, 2)),
    "sharding": lambda m, k: m.orthogonal()(k, (3, 3), out_sharding=P("a")),
    "sharding type": lambda m, k: m.normal()(k, (3, 3), out_sharding="a"),
    "no mesh": lambda m, k: m.normal()(k, (3, 3), out_sharding=P("a")),
    "no key": lambda m, k: m.normal()(None, (3,)),
    "int key": lambda m, k: m.normal()(0, (3,)),
    "two keys": lambda m, k: m.normal()(jax.random.split(k), (3,)),
    "two raw keys": lambda m, k: m.normal()(jax.random.split(jax.random.PRNGKey(0)), (3,)),
    "float key": lambda m, k: m.normal()(jnp.zeros(2), (3,)),
    "negative shape": lambda m, k: m.he_normal()(k, (-1, 2)),
    "float shape": lambda m, k: m.normal()(k, (2.0, 2)),
    "constant shape": lambda m, k: m.constant(np.zeros(4))(k, (2, 3)),
}


@pytest.mark.parametrize("case", CALLS)
def test_errors_are_those_of_jax(case):
    """The same builtin exception."""
    raised = []
    for module in (jax.nn.initializers, fj):
        with pytest.raises(Exception) as caught:
            CALLS[case](module, jax.random.key(0))
        raised.append(caught.value)

    assert isinstance(raised[1], builtin_of(raised[0]))
    assert isinstance(raised[1], FaninError)


def test_parameters_may_be_arrays_of_jax():
    """A scalar array is a number; a traced one is refused, with the way out."""
    expected = fj.normal(0.5)(fj.key(0), 3)

    assert (fj.normal(jnp.float32(0.5))(fj.key(0), 3) == expected).all()
    assert (np.asarray(fj.constant(jnp.arange(3))(fj.key(0), (2, 3))) == np.arange(3)).all()
    with pytest.raises(TypeError, match="`stddev`"):
        jax.jit(lambda s: fj.normal(s)(jax.random.key(0), (3,)))(0.5)


def test_other_generators_are_refused():
    """Only threefry2x32 is replayed."""
    with pytest.raises(NotImplementedError, match="threefry2x32"):
        fj.normal()(jax.random.key(0, impl="rbg"), 3)


# -- inside transformed functions ----------------------------------------------------------------------------------

INITS = {"normal": fj.normal(), "he": fj.he_normal(), "orthogonal": fj.orthogonal(), "zeros": fj.zeros,
         "constant": fj.constant(np.arange(3.0)), "uniform": fj.uniform(dtype=jnp.bfloat16)}


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
@pytest.mark.parametrize("name", INITS)
def test_transformations_change_nothing(name, raw):
    """jit, vmap, scan and eval_shape give what a plain call gives."""
    init, shape = INITS[name], (4, 3)
    key = jax.random.PRNGKey(8) if raw else jax.random.key(8)
    keys = jax.random.split(key, 3)
    plain = init(key, shape)
    each = np.stack([np.asarray(init(k, shape)) for k in keys])
    spec = jax.eval_shape(lambda k: init(k, shape), key)

    assert (jax.jit(init, static_argnums=1)(key, shape) == plain).all()
    assert (jax.vmap(lambda k: init(k, shape))(keys) == each).all()
    assert (jax.jit(jax.vmap(lambda k: init(k, shape)))(keys) == each).all()
    assert (jax.lax.scan(lambda carry, k: (carry, init(k, shape)), 0, keys)[1] == each).all()
    assert (spec.shape, spec.dtype) == (shape, plain.dtype)


@layouts
def test_a_traced_key_has_the_layout_of_the_trace(partitionable):
    """jax_threefry_partitionable counts where the function is traced."""
    with jax.threefry_partitionable(partitionable):
        w = jax.jit(lambda k: fj.normal()(k, (3, 3)))(jax.random.key(1))

    assert (np.asarray(w) == fj.normal()(fj.key(1, partitionable=partitionable), (3, 3))).all()


def test_errors_come_while_tracing():
    """A wrong rank or dtype is reported by eval_shape, before anything runs."""
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        jax.eval_shape(lambda k: fj.he_normal()(k, (3,)), jax.random.key(0))


def test_results_can_be_sharded():
    """out_sharding takes a NamedSharding, or a PartitionSpec where a mesh is set; traced or not."""
    mesh = jax.make_mesh((1,), ("a",))
    sharding = jax.sharding.NamedSharding(mesh, P("a"))
    key = jax.random.key(0)

    assert fj.normal()(key, (2,), out_sharding=sharding).sharding == sharding
    assert fj.zeros(key, (2,), out_sharding=sharding).sharding == sharding
    assert isinstance(fj.normal()(fj.key(0), (2,), out_sharding=sharding), jax.Array)
    with jax.set_mesh(mesh):
        for draw in (fj.normal(), fj.constant(2)):
            assert draw(key, (2,), out_sharding=P("a")).sharding == sharding
            assert jax.jit(lambda k, d=draw: d(k, (2,), out_sharding=P("a")))(key).sharding == sharding


def test_64_bit_types_where_jax_has_them():
    """With jax_enable_x64, a JAX key's default type is float64, of the scheme's law; otherwise float32."""
    with jax.enable_x64(True):
        w = np.asarray(fj.normal()(jax.random.key(0), (1000,)))
        z = np.asarray(fj.he_normal()(jax.random.key(0), (100, 100), jnp.complex128))

    assert w.dtype == np.float64
    assert z.dtype == np.complex128
    assert abs(w.std() - 0.01) < 0.001
    assert abs(np.mean(np.abs(z) ** 2) - 0.02) < 0.001
    assert fj.normal()(fj.key(0), 2).dtype == np.float32
