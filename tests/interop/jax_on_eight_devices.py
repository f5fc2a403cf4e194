"""Tests that need eight devices: test_jax_arrays.py runs this file in a process where JAX has as many on the CPU."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

import fanin
import fanin.jax
from fanin import FaninError, Initializer, Normal, Registry, Stream, Uniform

DEVICES = np.array(jax.devices())
LINE = Mesh(DEVICES, ("x",))
GRID = Mesh(DEVICES.reshape(4, 2), ("x", "y"))
SHAPE = (16, 24, 3)
HE = Registry.get("he_normal")
KEY = jax.random.key(5)

# sharding -> how many distinct parts a tensor of SHAPE has
SHARDINGS = {
    "line": (NamedSharding(LINE, P("x")), 8),
    "line, second axis": (NamedSharding(LINE, P(None, "x")), 8),
    "line, replicated": (NamedSharding(LINE, P()), 1),
    "grid": (NamedSharding(GRID, P("x", "y")), 8),
    "grid, turned": (NamedSharding(GRID, P("y", "x")), 8),
    "grid, one axis over both": (NamedSharding(GRID, P(None, ("x", "y"))), 8),
    "grid, partially replicated": (NamedSharding(GRID, P("x")), 4),
    "grid, partially replicated over x": (NamedSharding(GRID, P(None, "y")), 2),
    "one device": (SingleDeviceSharding(DEVICES[5]), 1),
}


def equal(array, expected):
    array = np.asarray(array)
    return array.dtype == expected.dtype and array.tobytes() == expected.tobytes()


@pytest.fixture
def parts(monkeypatch):
    """The indices of the parts that were drawn."""
    drawn, shard = [], Initializer.shard

    def counted(self, shape, index, *args, **kwargs):
        drawn.append(index)
        return shard(self, shape, index, *args, **kwargs)

    monkeypatch.setattr(Initializer, "shard", counted)
    return drawn


@pytest.mark.parametrize("case", SHARDINGS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_arrays_are_the_schemes_own_bits(case, dtype, parts):
    """Any sharding gives the whole draw's bits, each device its part, and each distinct part is drawn once."""
    sharding, count = SHARDINGS[case]
    expected = Normal()(SHAPE, dtype, seed=3, name="w")

    array = fanin.jax.make_array(Normal(), SHAPE, sharding, dtype=dtype, seed=3, name="w")

    assert len(parts) == count
    assert array.sharding == sharding and array.committed
    assert equal(array, expected)
    assert len(array.addressable_shards) == len(sharding.device_set)
    for shard in array.addressable_shards:
        assert equal(shard.data, expected[shard.index])


def test_replicas_share_the_drawn_memory():
    """On CPU devices nothing is copied: replicas are at one address. A donated update writes elsewhere."""
    sharding = SHARDINGS["grid, partially replicated"][0]
    array = fanin.jax.make_array(Uniform(), (64, 64), sharding, seed=0, name="w")
    addresses = {shard.data.unsafe_buffer_pointer() for shard in array.addressable_shards}
    assert len(addresses) == 4

    before = np.array(array)
    twice = jax.jit(lambda x: x.at[:].multiply(2), donate_argnums=0)(array)  # in place it would be four times
    assert all(equal(shard.data, 2 * before[shard.index]) for shard in twice.addressable_shards)


@pytest.mark.parametrize("case", ["grid", "grid, partially replicated"])
def test_unnamed_arrays_take_one_stream_id(case):
    """All parts belong to one draw of a stream, also of the default one; the next array is another."""
    stream, sharding = Stream(4), SHARDINGS[case][0]
    first, second = (fanin.jax.make_array(HE, SHAPE, sharding, seed=stream) for _ in range(2))
    assert stream.position == 2
    assert equal(first, HE(SHAPE, seed=Stream(4, 0))) and equal(second, HE(SHAPE, seed=Stream(4, 1)))

    fanin.seed(8)
    assert equal(fanin.jax.make_array(HE, SHAPE, sharding), HE(SHAPE, seed=Stream(8)))


@pytest.mark.parametrize("scheme", [
    fanin.Constant(2.5), fanin.Eye(), fanin.Sparse(0.5), fanin.TruncatedNormal(), fanin.Orthogonal(), Uniform(),
], ids=lambda scheme: type(scheme).__name__)
def test_every_kind_of_scheme(scheme):
    """Schemes that look at more than one element agree over devices too (orthogonal ones within their bound)."""
    expected = scheme((16, 8), seed=1, name="w")
    array = np.asarray(fanin.jax.make_array(scheme, (16, 8), SHARDINGS["grid"][0], seed=1, name="w"))
    np.testing.assert_allclose(array, expected, rtol=0, atol=1e-5 if isinstance(scheme, fanin.Orthogonal) else 0)


@pytest.mark.parametrize("shape", [(), (0,), (8, 0)])
def test_scalars_and_empty_arrays(shape):
    assert fanin.jax.make_array(Normal(), shape, NamedSharding(LINE, P()), seed=0).shape == shape


REFUSED = {
    "uneven": (NamedSharding(LINE, P("x")), "evenly"),
    "too many axes": (NamedSharding(GRID, P(None, "x", "y")), "sharding"),
    "no devices": (NamedSharding(GRID.abstract_mesh, P()), "devices"),
    "a spec without a mesh": (P("x"), "set_mesh"),
    "a mesh": (GRID, "Mesh"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_shardings(case, parts):
    """One line that says why; nothing is drawn and no stream moves."""
    sharding, why = REFUSED[case]
    stream = Stream(0)
    with pytest.raises(FaninError, match=why) as caught:
        fanin.jax.make_array(Normal(), (12, 4), sharding, seed=stream)
    assert "`sharding`" in str(caught.value)
    assert stream.position == 0 and parts == []


def test_a_spec_where_a_mesh_is_set():
    with jax.set_mesh(GRID):
        array = fanin.jax.make_array(HE, SHAPE, P("x"), seed=0, name="w")
    assert array.sharding == NamedSharding(GRID, P("x"))
    assert equal(array, HE(SHAPE, seed=0, name="w"))


# -- initializer ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("case", [case for case in SHARDINGS if case != "one device"])
def test_out_sharding(case, parts):
    """Each device draws its own part, in an eager call each distinct one once; the bits are the unsharded call's."""
    sharding, count = SHARDINGS[case]
    init = fanin.jax.initializer("he_normal")
    expected, size = init.scheme(SHAPE, seed=5 << 32), np.prod(sharding.shard_shape(SHAPE))

    eager = init(KEY, SHAPE, out_sharding=sharding)
    assert len(parts) == count
    jitted = jax.jit(lambda key: init(key, SHAPE, jnp.float32, sharding))(KEY).block_until_ready()
    assert len(parts) == count + len(DEVICES)

    assert {np.broadcast_to(0, SHAPE)[part].size for part in parts} == {size}
    for array in (eager, jitted):
        assert array.sharding.is_equivalent_to(sharding, 3)
        assert equal(array, expected)


@pytest.mark.parametrize("case", ["line, second axis", "grid"])
def test_out_sharding_under_vmap(case):
    """Each key has its own draw, in parts too."""
    init = fanin.jax.initializer("he_normal")
    call = lambda key: init(key, SHAPE, jnp.float32, SHARDINGS[case][0])  # noqa: E731
    for index, array in enumerate(jax.jit(jax.vmap(call))(jnp.stack([KEY, jax.random.key(6)]))):
        assert equal(array, init.scheme(SHAPE, seed=(5 + index) << 32))


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_initializer_where_a_mesh_is_set(kind):
    """With a PartitionSpec each device draws its part. Without one the result of a jitted call is whole everywhere."""
    init = fanin.jax.initializer("he_normal")
    with jax.set_mesh(jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind, kind))):
        whole = jax.jit(lambda key: init(key, SHAPE))(KEY)
        parts = jax.jit(lambda key: init(key, SHAPE, jnp.float32, P("x", "y")))(KEY)
        eager = init(KEY, SHAPE, jnp.float32, P("x", "y"))
    assert equal(whole, init.scheme(SHAPE, seed=5 << 32)) and whole.is_fully_replicated
    for array in (parts, eager):
        assert equal(array, init.scheme(SHAPE, seed=5 << 32)) and array.sharding.spec[:2] == ("x", "y")


def test_a_jitted_result_that_is_sharded():
    """Without `out_sharding` the first device's host draws the whole, once, and XLA cuts it."""
    init = fanin.jax.initializer("he_normal")
    array = jax.jit(lambda key: init(key, SHAPE), out_shardings=SHARDINGS["grid"][0])(KEY)
    assert array.sharding == SHARDINGS["grid"][0]
    assert equal(array, init.scheme(SHAPE, seed=5 << 32))


@pytest.mark.parametrize("out_sharding, why", [
    (NamedSharding(LINE, P("x")), "evenly"), (P("x"), "set_mesh"), (SingleDeviceSharding(DEVICES[0]), "NamedSharding"),
])
def test_refused_out_shardings(out_sharding, why):
    """What can't be is said when the function is traced."""
    init = fanin.jax.initializer("normal")
    with pytest.raises(FaninError, match=why) as caught:
        jax.jit(lambda key: init(key, (12, 4), jnp.float32, out_sharding))(KEY)
    assert "`out_sharding`" in str(caught.value)


# -- models -----------------------------------------------------------------------------------------------------------

RULES = {"*bias": "zeros", "*": "he_normal"}


def mlp():
    return nnx.Sequential(
        nnx.Linear(16, 32, kernel_init=nnx.with_partitioning(nnx.initializers.ones, ("x", "y")), rngs=nnx.Rngs(0)),
        nnx.relu, nnx.Linear(32, 8, rngs=nnx.Rngs(1)))


@pytest.fixture
def expected():
    """The model on one device."""
    with jax.set_mesh(GRID):
        graph, state = nnx.split(mlp())
    model = nnx.merge(graph, jax.tree.map(lambda x: jax.device_put(x, DEVICES[0]), state))
    return values(fanin.jax.init_model(model, RULES, seed=2).model)


def values(model):
    return {".".join(map(str, path)): np.asarray(each.get_value()) for path, each in nnx.to_flat_state(
        nnx.state(model, nnx.Param))}


def same(model, expected):
    found = values(model)
    return found.keys() == expected.keys() and all(equal(found[name], expected[name]) for name in found)


def test_a_sharded_model_stays_where_it_is(expected, parts):
    with jax.set_mesh(GRID):
        model = mlp()
    before = model.layers[0].kernel.get_value().sharding
    fanin.jax.init_model(model, RULES, seed=2)
    assert before.spec == P("x", "y") and model.layers[0].kernel.get_value().sharding == before
    assert len(parts) == 8 + 3
    assert same(model, expected)
    assert fanin.jax.verify_model(model, RULES, seed=2).ok
    wrong = jax.device_put(np.asarray(model.layers[0].kernel.get_value()) * np.float32(2), before)
    model.layers[0].kernel.set_value(wrong)
    (difference,) = fanin.jax.verify_model(model, RULES, seed=2).differences
    assert (difference.name, difference.differing) == ("layers.0.kernel", 16 * 32)


def test_an_abstract_model_is_made_where_its_metadata_says(expected):
    """nnx.eval_shape under a mesh notes shardings; without the mesh they can't be followed, and nothing is touched."""
    with jax.set_mesh(GRID):
        model = nnx.eval_shape(mlp)
    with pytest.raises(FaninError, match="'layers.0.bias': .*set_mesh"):
        fanin.jax.init_model(model, RULES, seed=2)
    assert isinstance(model.layers[2].kernel.get_value(), jax.ShapeDtypeStruct)
    with jax.set_mesh(GRID):
        fanin.jax.init_model(model, RULES, seed=2)
    assert model.layers[0].kernel.get_value().sharding == NamedSharding(GRID, P("x", "y"))
    assert same(model, expected)


def by_name(parameter):
    return NamedSharding(GRID, P("x", "y")) if parameter.name.endswith("kernel") else None


def as_state():
    with jax.set_mesh(GRID):
        return nnx.get_named_sharding(nnx.state(nnx.eval_shape(mlp)), GRID)


@pytest.mark.parametrize("shardings, first, second", [
    (NamedSharding(GRID, P()), P(), P()), (by_name, P("x", "y"), P("x", "y")), (as_state, P("x", "y"), P()),
    ({"layers.0.kernel": NamedSharding(GRID, P("y"))}, P("y"), None),
    ({"layers": {0: {"kernel": NamedSharding(GRID, P("y"))}}}, P("y"), None),
], ids=["one for all", "function", "flax' tree", "names", "paths"])
def test_shardings(shardings, first, second, expected):
    """One for all, a function, or a tree; what none is given for goes where it was."""
    with jax.set_mesh(GRID):
        model = mlp()
    fanin.jax.init_model(model, RULES, seed=2, shardings=shardings() if shardings is as_state else shardings)
    assert model.layers[0].kernel.get_value().sharding.spec == first
    kernel = model.layers[2].kernel.get_value()
    assert (kernel.sharding.spec if kernel.committed and second is not None else second) == second
    assert same(model, expected)


def test_wrong_shardings_are_found_before_anything_is_drawn(parts):
    with jax.set_mesh(GRID):
        model = mlp()
    for shardings, why in [({"layers.1.kernel": NamedSharding(GRID, P())}, "paths"),
                           (NamedSharding(GRID, P(None, "x")), r"'layers.0.bias'")]:
        with pytest.raises(FaninError, match=why) as caught:
            fanin.jax.init_model(model, RULES, seed=2, shardings=shardings)
        assert "`sharding" in str(caught.value)
    assert parts == []


def test_linens_sharding_tree():
    """What flax.linen.get_sharding makes of boxed parameters is followed, and the boxes are kept."""
    dense = nn.Dense(8, kernel_init=nn.with_partitioning(nn.initializers.ones, ("x", "y")))
    shapes = jax.eval_shape(dense.init, KEY, jnp.ones((2, 16)))
    made = fanin.jax.init_model(shapes, RULES, seed=2, shardings=nn.get_sharding(shapes, GRID)).model
    kernel = made["params"]["kernel"]
    assert isinstance(kernel, nn.Partitioned) and kernel.value.sharding == NamedSharding(GRID, P("x", "y"))
    assert equal(kernel.value, Registry.get("jax:he_normal")((16, 8), seed=2, name="kernel"))
