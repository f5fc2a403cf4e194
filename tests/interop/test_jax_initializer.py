"""`fanin.jax.initializer` as JAX and flax call initializers. On several devices: jax_on_eight_devices.py."""

import copy
import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import fanin
import fanin.jax
from fanin import FaninError, Initializer, Registry

KEY = jax.random.key(5)
SHAPE = (6, 4)
X = jnp.ones((2, 5, 4))
HE = fanin.jax.initializer("he_normal")


def drawn(seed, shape=SHAPE, dtype="float32", scheme=HE.scheme):
    return scheme(shape, dtype, seed=seed)


def seed_of(key):
    low, high = (int(word) for word in jax.random.key_data(key))
    return low | high << 32


def equal(array, expected):
    return np.asarray(array).tobytes() == expected.tobytes() and array.dtype == expected.dtype


@pytest.fixture
def calls(monkeypatch):
    """How many draws were made."""
    made, shard = [], Initializer.shard
    monkeypatch.setattr(Initializer, "shard", lambda self, *args, **kwargs: made.append(1) or shard(
        self, *args, **kwargs))
    return made


@pytest.mark.parametrize("key, seed", [
    (jax.random.key(5), 5 << 32), (jax.random.PRNGKey(5), 5 << 32), (np.array([3, 0], np.uint32), 3),
    (jnp.array([2**32 - 1, 7], jnp.uint32), 2**32 - 1 | 7 << 32),
    (jax.random.wrap_key_data(np.array([1, 2], np.uint32)), 1 | 2 << 32),
], ids=["typed", "raw", "numpy", "raw, all bits", "wrapped"])
def test_the_keys_words_are_the_seeds_halves(key, seed):
    """Low first, typed or raw, and under jit as well."""
    assert equal(HE(key, SHAPE), drawn(seed))
    assert equal(jax.jit(lambda key: HE(key, SHAPE))(key), drawn(seed))


@pytest.mark.parametrize("dtype", ["float32", jnp.bfloat16])
def test_every_transformation_gives_the_same_bits(dtype):
    """jit, vmap, both, nested vmaps, scan, checkpoint, cond: each key has the draw that it has outside."""
    keys = jax.random.split(KEY, 4)
    expected = [drawn(seed_of(key), dtype=dtype) for key in keys]
    call = lambda key: HE(key, SHAPE, dtype)  # noqa: E731
    for arrays in [jax.vmap(call)(keys), jax.jit(jax.vmap(call))(keys), jax.vmap(jax.jit(call))(keys),
                   jax.vmap(jax.vmap(call))(keys.reshape(2, 2)).reshape(4, *SHAPE), jax.lax.map(call, keys),
                   jax.lax.scan(lambda carry, key: (carry, call(key)), 0, keys)[1],
                   jnp.stack([jax.checkpoint(call)(key) for key in keys]),
                   jnp.stack([jax.lax.cond(True, call, lambda key: jnp.zeros(SHAPE, dtype), key) for key in keys])]:
        assert arrays.shape == (4, *SHAPE)
        assert all(equal(array, each) for array, each in zip(arrays, expected, strict=True))


def test_grad_passes_by():
    """A draw inside a function that is differentiated is a constant."""
    loss = lambda x: (x * HE(KEY, SHAPE)).sum()  # noqa: E731
    total = drawn(5 << 32).sum()
    for function in (loss, jax.jit(loss), jax.checkpoint(loss)):
        assert jax.grad(function)(2.0) == pytest.approx(total, rel=1e-4)
    keyed = jax.jit(lambda x, key: (x * HE(key, SHAPE)).sum())
    assert jax.grad(keyed)(2.0, KEY) == pytest.approx(total, rel=1e-4)


def test_eval_shape_draws_nothing(calls):
    """Not even for a key that is known: shapes that fit into no memory are fine."""
    large = (1 << 20, 1 << 20)
    for shapes in [jax.eval_shape(lambda key: HE(key, large, jnp.bfloat16), KEY),
                   jax.eval_shape(lambda: HE(KEY, large, jnp.bfloat16)),
                   jax.eval_shape(lambda: HE(jax.random.PRNGKey(0), large, jnp.bfloat16))]:
        assert (shapes.shape, shapes.dtype) == (large, jnp.bfloat16)
    assert calls == []


def test_layouts():
    """JAX's axes, unless `init` says otherwise; KeyedInitializer takes a scheme as it is."""
    layout = lambda init: fanin.jax.initializer(init).scheme.layout  # noqa: E731
    assert layout("he_normal") == layout({"name": "he_normal"}) == layout(fanin.VarianceScaling()) == "*io"
    assert layout({"name": "he_normal", "layout": "oi*"}) == layout("torch:kaiming_normal") == "oi*"
    assert layout(fanin.VarianceScaling(layout="ioo")) == "ioo"
    assert fanin.jax.KeyedInitializer(fanin.VarianceScaling()).scheme.layout == "oi*"
    assert fanin.jax.initializer("orthogonal").scheme == fanin.Orthogonal(axis=-1)
    assert fanin.jax.initializer({"name": "normal", "std": 0.02}).scheme == fanin.Normal(std=0.02)


def test_it_is_a_value():
    """Equal, hashed, copied and pickled by what it draws, and printed as what makes it; so jit traces once."""
    other = fanin.jax.initializer("he_normal")
    assert other == HE and hash(other) == hash(HE) and other != fanin.jax.initializer("lecun_normal") and HE != "he"
    torch_like = fanin.jax.initializer({"name": "he_normal", "layout": "oi*"})
    for each in (HE, torch_like):
        assert pickle.loads(pickle.dumps(each)) == copy.deepcopy(each) == each
    names = {"KeyedInitializer": fanin.jax.KeyedInitializer, "VarianceScaling": fanin.VarianceScaling}
    assert eval(repr(HE), names) == HE
    with pytest.raises(AttributeError):
        HE.scheme = None

    traced = []
    function = jax.jit(lambda init, key: traced.append(1) or init(key, SHAPE), static_argnums=0)
    assert (function(HE, KEY) == function(other, KEY)).all() and len(traced) == 1


REFUSED = {
    "four words": (lambda: HE(jax.random.key(0, impl="rbg"), SHAPE), "`key` .*4.*rbg.*threefry2x32"),
    "keys": (lambda: HE(jax.random.split(KEY, 3), SHAPE), "`key` .*vmap"),
    "no key": (lambda: HE(3, SHAPE), "`key` .*int"),
    "no words": (lambda: HE(jnp.zeros(2), SHAPE), "`key` .*float32"),
    "one word": (lambda: HE(np.uint32(3), SHAPE), "`key` .*uint32"),
    "three words": (lambda: HE(np.zeros(3, np.uint32), SHAPE), "`key` .*two words"),
    "no fans": (lambda: HE(KEY, (4,)), "`shape`"),
    "no fans, traced": (lambda: jax.jit(lambda key: HE(key, (4,)))(KEY), "`shape`"),
    "wide": (lambda: HE(KEY, SHAPE, "float64"), "`dtype` .*jax_enable_x64"),
    "integers": (lambda: HE(KEY, SHAPE, "int32"), "int32"),
    "out_sharding": (lambda: HE(KEY, SHAPE, "float32", "x"), "`out_sharding`"),
    "init": (lambda: fanin.jax.initializer(3), "`init`"),
    "scheme": (lambda: fanin.jax.KeyedInitializer("he_normal"), "`scheme`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, why = REFUSED[case]
    with pytest.raises(FaninError, match=why) as caught:
        call()
    assert "\n" not in str(caught.value)


# -- in flax ----------------------------------------------------------------------------------------------------------

class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        return nn.Dense(4, kernel_init=HE, bias_init=fanin.jax.initializer("zeros"))(x), None


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3,), kernel_init=HE, param_dtype=jnp.bfloat16)(x)
        x = nn.MultiHeadDotProductAttention(2, kernel_init=fanin.jax.initializer("xavier_uniform"))(x, x)
        x, _ = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)()(x, None)
        x, _ = nn.vmap(Block, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=None,
                       axis_size=2)()(x)
        return nn.Dense(3, kernel_init=fanin.jax.initializer("orthogonal"))(x)


def test_linen(calls):
    """A model with scanned and vmapped layers: the same parameters under jit, one draw for each, none in eval_shape."""
    shapes = jax.eval_shape(Net().init, KEY, X)
    assert calls == []
    params = Net().init(KEY, X)
    jitted = jax.jit(Net().init)(KEY, X)

    assert jax.tree.map(lambda s: (s.shape, s.dtype), shapes) == jax.tree.map(lambda w: (w.shape, w.dtype), params)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), params, jitted))
    for stacked in (params["params"]["ScanBlock_0"], params["params"]["VmapBlock_0"]):
        kernel = np.asarray(stacked["Dense_0"]["kernel"])
        assert kernel.ndim == 3 and len(np.unique(kernel)) == kernel.size
    kernel = params["params"]["Conv_0"]["kernel"]
    assert kernel.dtype == jnp.bfloat16 and len(np.unique(np.asarray(kernel))) > 40


def linear(rngs=None):
    return nnx.Linear(4, 3, kernel_init=HE, bias_init=fanin.jax.initializer("zeros"), rngs=rngs or nnx.Rngs(0))


def test_nnx(calls):
    """Directly, in nnx.jit and nnx.eval_shape."""
    shape = nnx.eval_shape(linear).kernel.get_value()
    assert calls == [] and (shape.shape, shape.dtype) == ((4, 3), jnp.float32)
    kernel = linear().kernel[...]
    assert equal(kernel, drawn(seed_of(nnx.Rngs(0).params()), (4, 3)))
    assert (nnx.jit(linear)().kernel[...] == kernel).all()


def test_nnx_vmap_and_scan():
    """An ensemble made in a vmap, and layers made in a scan, have the draws of their own keys."""
    many = nnx.split_rngs(splits=5)(nnx.vmap(linear, in_axes=0, out_axes=0))
    layers = nnx.split_rngs(splits=5)(nnx.scan(linear, in_axes=0, out_axes=0))
    for make in (many, layers):
        kernel = make(nnx.Rngs(0)).kernel[...]
        assert kernel.shape == (5, 4, 3)
        assert len(np.unique(np.asarray(kernel))) == kernel.size


def test_equal_modules_are_equal():
    """linen modules are dataclasses: those with equal initializers are equal, and jit takes them as the same."""
    one, two = (nn.Dense(3, kernel_init=fanin.jax.initializer("he_normal")) for _ in range(2))
    assert one == two and hash(one) == hash(two)


def test_fans_are_those_of_jaxs_kernels():
    """The std of a Dense kernel is √(2/in): 0.1 for 200 inputs (of 80,000 draws the std is within 6 errors, 0.0015)."""
    kernel = nn.Dense(400, kernel_init=HE).init(KEY, jnp.ones((1, 200)))["params"]["kernel"]
    assert float(kernel.std()) == pytest.approx(0.1, abs=0.0015)
    assert Registry.get("he_normal") != HE.scheme
