"""`fanin.jax.signal`: linen, nnx and equinox models, by figures that are right, without a trace."""

import functools
import math

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import fanin
from fanin.jax import signal

DEPTH, WIDTH = 20, 64
NORMAL = {"*bias": "zeros", "*": {"name": "normal", "std": 0.02}}
HE = {"*bias": "zeros", "*": "he_normal"}
BATCH = jnp.asarray(fanin.Normal()((16, WIDTH), seed=1, name="batch"))


class Dense(linen.Module):
    @linen.compact
    def __call__(self, x):
        for _ in range(DEPTH):
            x = linen.relu(linen.Dense(WIDTH)(x))
        return x


def in_linen():
    return Dense().apply, Dense().init(jax.random.key(0), BATCH)


def in_nnx():
    layers = [layer for key in range(DEPTH) for layer in (nnx.Linear(WIDTH, WIDTH, rngs=nnx.Rngs(key)), nnx.relu)]
    return lambda model, x: model(x), nnx.Sequential(*layers)


def in_equinox():
    layers = equinox.nn.MLP(WIDTH, WIDTH, WIDTH, DEPTH - 1, final_activation=jax.nn.relu, key=jax.random.key(0))
    return lambda model, x: jax.vmap(model)(x), layers


@pytest.mark.parametrize("make", [in_linen, in_nnx, in_equinox])
def test_deep_relu_networks(make):
    """N(0, 0.02) dies at the rate that theory gives and he_normal lives, in each of the three libraries."""
    apply, variables = make()

    found = signal(apply, variables, BATCH, compare={"normal": NORMAL, "he": HE}, seed=0)

    assert {label: each.alive for label, each in found.signals.items()} == {"normal": False, "he": True}
    for label, factor in (("normal", 0.02 * math.sqrt(WIDTH / 2)), ("he", 1.0)):
        layers = [row for row in found[label].layers if row.weight]
        assert len(layers) == DEPTH and all(row.fan_in == WIDTH for row in layers)
        assert (layers[0].gradient / layers[-1].gradient) ** (1 / (DEPTH - 1)) == pytest.approx(factor, rel=0.08)
        assert (layers[-1].rms / layers[0].rms) ** (1 / (DEPTH - 1)) == pytest.approx(factor, rel=0.08)
        assert layers[0].weight_std == pytest.approx(0.02 if label == "normal" else math.sqrt(2 / WIDTH), rel=0.03)


def test_figures_are_those_of_the_arrays():
    """rms, zeros, cosine and gradients are what a user computes by hand."""
    model = nnx.Sequential(nnx.Linear(64, 20, rngs=nnx.Rngs(0)), nnx.Linear(20, 10, rngs=nnx.Rngs(1)))
    target = jnp.arange(16) % 10

    def loss(output):
        return jnp.mean(jax.nn.logsumexp(output, -1) - output[jnp.arange(16), target])

    first, last, _ = signal(lambda model, x: model(x), model, BATCH, loss=loss).layers

    hidden = model.layers[0](BATCH)
    gradient = jax.grad(lambda hidden: loss(model.layers[1](hidden)))(hidden)
    by_weight = jax.grad(lambda kernel: loss(model.layers[1](BATCH @ kernel)))(model.layers[0].kernel[...])
    for value, array in ((first.rms, hidden), (first.gradient, gradient), (first.weight_gradient, by_weight)):
        assert value == pytest.approx(float(jnp.sqrt(jnp.mean(array**2))), rel=1e-4)
    cosine = jnp.vdot(hidden[0], hidden[1]) / jnp.linalg.norm(hidden[0]) / jnp.linalg.norm(hidden[1])
    assert first.cosine == pytest.approx(float(cosine), abs=1e-5) and first.ratio == pytest.approx(
        first.rms / float(jnp.sqrt(jnp.mean(BATCH**2))), rel=1e-4)
    assert 0.9 < first.weight_norm / float(jnp.linalg.norm(model.layers[0].kernel[...], 2)) < 1 + 1e-5
    assert last.rms == pytest.approx(float(jnp.sqrt(jnp.mean(model(BATCH)**2))), rel=1e-4)


@pytest.mark.parametrize("make", [in_linen, in_nnx, in_equinox])
def test_a_forward_pass_alone_has_the_same_figures(make):
    """grad=False gives what the pass with gradients gives, but for these, and says so; also under vmap."""
    apply, variables = make()

    both = signal(apply, variables, BATCH, rules=HE, seed=0)
    forward = signal(apply, variables, BATCH, rules=HE, seed=0, grad=False)

    assert forward.loss is None and "Forward only." in forward.to_text() and forward.alive
    assert len(forward.layers) == len(both.layers)
    for one, other in zip(forward.layers, both.layers):
        assert one.gradient is None and one.weight_gradient is None and other.gradient > 0
        assert one.title == other.title and one.weight_norm == other.weight_norm
        for field in ("rms", "ratio", "zeros", "dead", "cosine"):
            value, expected = getattr(one, field), getattr(other, field)
            assert value is expected is None or value == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_layers_that_only_have_numbers():
    """linen's Sequential names its layers "layers_0", which tells no type: weights are taken in JAX's layout."""
    network = linen.Sequential([linen.Dense(32), linen.relu, linen.Dense(3)])
    variables = network.init(jax.random.key(0), BATCH)

    found = signal(network.apply, variables, BATCH, grad=False)

    kernel = np.asarray(variables["params"]["layers_0"]["kernel"])
    assert [(row.layer, row.fan_in) for row in found.layers] == [("layers_0", 64.0), ("layers_2", 32.0), ("", None)]
    assert 0.85 < found.layers[0].weight_norm / np.linalg.norm(kernel, 2) < 1 + 1e-5


def test_dead_units_are_those_that_no_row_wakes():
    """The share of units that are zero in all rows; None under vmap, where no layer sees two rows."""
    model = nnx.Sequential(nnx.Linear(WIDTH, 8, rngs=nnx.Rngs(0)), Relu(), nnx.Linear(8, 3, rngs=nnx.Rngs(1)))
    model.layers[0].bias[...] = jnp.asarray([-100.0, -100.0] + [0.0] * 6)

    rows = signal(lambda model, x: model(x), model, BATCH).layers
    mapped = signal(lambda model, x: jax.vmap(model)(x), in_equinox()[1], BATCH).layers

    hidden = np.asarray(jax.nn.relu(model.layers[0](BATCH)))
    assert rows[1].dead == (hidden == 0).all(0).mean() >= 0.25 and rows[1].zeros == pytest.approx((hidden == 0).mean())
    assert all(row.dead is None and row.cosine is None for row in mapped)


class Relu(nnx.Module):
    def __call__(self, x):
        return nnx.relu(x)


def test_the_spectrum_is_that_of_the_weights_as_matrices():
    """All singular values of each weight, outputs by all else: an attention's, with two axes of outputs, included."""
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.attention = nnx.MultiHeadAttention(num_heads=2, in_features=8, qkv_features=6, decode=False, rngs=rngs)

        def __call__(self, x):
            return self.attention(x)

    model = Net(nnx.Rngs(0))

    found = signal(lambda model, x: model(x), model, BATCH.reshape(8, 16, 8), spectrum=True)

    kernel = np.asarray(model.attention.query.kernel[...])
    expected = np.linalg.svd(kernel.reshape(8, 6), compute_uv=False)
    assert found.spectra["attention.query.kernel"] == pytest.approx(expected.tolist(), rel=1e-4)
    query = next(row for row in found.layers if row.layer == "attention.query")
    assert query.weight_norm == pytest.approx(expected[0], rel=1e-3) and query.fan_in == 8


def test_layers_under_transformations():
    """A scanned layer has one row with its means, a rematerialized one its own, and nothing leaks out of a trace."""
    class Step(linen.Module):
        @linen.compact
        def __call__(self, x, _):
            return linen.relu(linen.Dense(WIDTH, kernel_init=linen.initializers.he_normal())(x)), None

    class Deep(linen.Module):
        @linen.compact
        def __call__(self, x):
            x, _ = linen.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=4)()(x, None)
            return linen.remat(linen.Dense)(10)(x)

    found = signal(jax.jit(Deep().apply), Deep().init(jax.random.key(0), BATCH), BATCH)

    assert [row.layer for row in found.layers] == ["ScanStep_0.Dense_0", "ScanStep_0", "CheckpointDense_0", ""]
    assert found.alive and all(row.gradient > 0 for row in found.layers)
    assert found.layers[0].rms == pytest.approx(math.sqrt(2), rel=0.15)
    forward = signal(Deep().apply, Deep().init(jax.random.key(0), BATCH), BATCH, grad=False)
    assert [(row.layer, row.rms) for row in forward.layers] == [
        (row.layer, pytest.approx(row.rms, rel=1e-4)) for row in found.layers]


def test_no_trace():
    """An nnx model's arrays, statistics, random streams and classes are what they were, with rules too."""
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.fc, self.norm = nnx.Linear(WIDTH, WIDTH, rngs=rngs), nnx.BatchNorm(WIDTH, rngs=rngs)
            self.drop, self.out = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(WIDTH, 3, rngs=rngs)

        def __call__(self, x):
            return self.out(self.drop(self.norm(self.fc(x))))

    model = Net(nnx.Rngs(0))
    calls = {kind: vars(kind)["__call__"] for kind in (Net, nnx.Linear, nnx.BatchNorm, nnx.Dropout)}
    before = [np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
              for leaf in jax.tree.leaves(nnx.state(model))]

    for rules in (None, {"*bias": "zeros", "*scale": "ones", "*": "he_normal"}):
        found = signal(lambda model, x: model(x), model, BATCH, rules=rules, seed=0)
        assert [row.layer for row in found.layers] == ["fc", "norm", "drop", "out", ""]

    after = [np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
             for leaf in jax.tree.leaves(nnx.state(model))]
    assert all(map(np.array_equal, before, after)) and len(before) == len(after)
    assert calls == {kind: vars(kind)["__call__"] for kind in calls}


def test_mutable_collections_and_partial():
    """What linen's apply needs besides goes through functools.partial."""
    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(3)(linen.BatchNorm(use_running_average=False)(x))

    variables = Net().init(jax.random.key(0), BATCH)

    found = signal(functools.partial(Net().apply, mutable=["batch_stats"]), variables, BATCH)

    assert found.model == "Net" and [row.kind for row in found.layers][:2] == ["BatchNorm", "Dense"]


@pytest.mark.parametrize(("arguments", "options", "message"), [
    ((lambda tree, x: x @ tree["w"], {"w": jnp.ones((64, 3))}, BATCH), {}, "must call layers"),
    ((*in_nnx(), BATCH), {"rules": HE, "compare": {"he": HE}}, "must not both"),
    ((*in_nnx(), BATCH), {"loss": lambda y: y}, "must give a scalar"),
    ((3, {}, BATCH), {}, "`apply` must be a function"),
])
def test_arguments_are_refused(arguments, options, message):
    """What can't be measured is named, with the remedy."""
    with pytest.raises(fanin.FaninError, match=message):
        signal(*arguments, **options)
