"""`fanin.jax.init_model`: flax nnx, linen and equinox models, plain pytrees. Over devices: jax_on_eight_devices.py."""

import subprocess
import sys
from typing import NamedTuple

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import fanin
import fanin.jax
from fanin import FaninError, Initializer, Normal, Registry
from fanin.rules import Rules
from uncompilable import Uncompilable

KEY = jax.random.key(0)
# These rules serve many models; what fanin says about that is tested in tests/rules/test_warnings.py.
pytestmark = pytest.mark.filterwarnings("ignore::fanin.FaninWarning")

RULES = Rules([("*bias*", "zeros"), ("*.scale", "ones"), {"match": "*", "layer": "LayerNorm", "init": "ones"},
               {"match": "*", "layer": "BatchNorm", "init": "ones"}, ("*", "he_normal")])


def rows(table):
    return {row.parameter.name: row for row in table}


def arrays(model, *without):
    """All parameters of a model by name."""
    if isinstance(model, nnx.Module):
        return {name: np.asarray(each.get_value()) for path, each in nnx.to_flat_state(nnx.state(model, nnx.Param))
                if (name := ".".join(map(str, path))) not in without}
    return {jax.tree_util.keystr(path): np.asarray(each) for path, each in jax.tree_util.tree_leaves_with_path(model)
            if isinstance(each, jax.Array) and each.dtype == jnp.float32}


def equal(one, two):
    one, two = arrays(one), arrays(two)
    return one.keys() == two.keys() and all((one[name] == two[name]).all() for name in one)


@pytest.fixture
def draws(monkeypatch):
    """The names that were drawn."""
    made, shard = [], Initializer.shard
    monkeypatch.setattr(Initializer, "shard", lambda self, *args, **kwargs: made.append(kwargs["name"]) or shard(
        self, *args, **kwargs))
    return made


# -- nnx --------------------------------------------------------------------------------------------------------------

def test_a_sampler_that_does_not_compile_shows_before_anything_is_written():
    """nnx modules are written in place: where one parameter's sampler fails in the compiler, no other has changed."""
    model = nnx.Linear(3, 4, rngs=nnx.Rngs(0))
    before = np.asarray(model.bias.get_value()).copy()

    with pytest.raises(fanin.FaninTypeError, match="text_of must be made of"):
        fanin.jax.init_model(model, {"bias": "ones", "kernel": Uncompilable()}, seed=0)

    assert np.array_equal(np.asarray(model.bias.get_value()), before)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(50, 8, rngs=rngs)
        self.conv = nnx.Conv(8, 16, (3, 5), feature_group_count=2, rngs=rngs)
        self.up = nnx.ConvTranspose(16, 8, (4,), rngs=rngs)
        self.turned = nnx.ConvTranspose(16, 8, (4,), transpose_kernel=True, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, qkv_features=12, rngs=rngs)
        self.experts = nnx.LinearGeneral((2, 3), (4, 5), axis=(-2, -1), batch_axis={0: 7}, rngs=rngs)
        self.cell = nnx.OptimizedLSTMCell(8, 4, rngs=rngs)
        self.einsum = nnx.Einsum("bnd,ndhk->bnhk", (3, 8, 2, 4), (2, 4), rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.stack = nnx.split_rngs(splits=3)(nnx.vmap(lambda rngs: nnx.Linear(8, 6, rngs=rngs)))(rngs)
        self.across = nnx.split_rngs(splits=3)(nnx.vmap(lambda rngs: nnx.Linear(8, 6, rngs=rngs), out_axes=1))(rngs)
        self.layers = nnx.List([nnx.Linear(8, 6, rngs=rngs) for _ in range(12)])
        self.head = nnx.Linear(8, 50, use_bias=False, rngs=rngs)
        self.tied = self.embed.embedding
        self.again = self.head
        self.own = nnx.Param(jnp.ones((3, 4)))
        self.count = nnx.Variable(jnp.zeros(3))
        self.steps = nnx.Param(jnp.zeros(2, int))


FANS = {
    "embed.embedding": (8, 50), "conv.kernel": (60, 120), "up.kernel": (64, 32), "turned.kernel": (64, 32),
    "attention.query.kernel": (8, 12), "attention.out.kernel": (12, 8), "experts.kernel": (6, 20),
    "cell.dense_i.kernel": (8, 16), "einsum.kernel": (8, 8), "stack.kernel": (8, 6), "across.kernel": (8, 6),
    "layers.11.kernel": (8, 6), "again.kernel": (8, 50), "own": (3, 4),
}


def shapes_of(make):
    return nnx.eval_shape(lambda: make(nnx.Rngs(0)))


def test_nnx_layers():
    """The fans are the layer's, also under axes that vmap added; the table says what is no parameter, and why."""
    found = rows(fanin.jax.init_model(shapes_of(Net), RULES, seed=4, dry_run=True).table)
    for name, (fan_in, fan_out) in FANS.items():
        plan = found[name].plan
        assert (plan.fan_in, plan.fan_out) == (fan_in, fan_out), name
    assert found["conv.kernel"].parameter.layer.types[0] == "Conv" and found["conv.bias"].scheme == fanin.Constant(0.0)
    assert found["layers.2.kernel"].scheme.layout == "io"
    assert {name: row.note for name, row in found.items() if row.scheme is None} == {
        "norm.mean": "left as it is: BatchStat", "norm.var": "left as it is: BatchStat",
        "dropout.rngs.key": "left as it is: RngKey", "dropout.rngs.count": "left as it is: RngCount",
        "count": "left as it is: Variable", "steps": "left as it is: not a floating-point array",
        "tied": "tied to embed.embedding", "head.kernel": "tied to again.kernel"}


class Small(nnx.Module):
    def __init__(self, rngs):
        self.linear, self.norm = nnx.Linear(8, 6, rngs=rngs), nnx.BatchNorm(6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(8, 6, rngs=rngs)
        self.head.kernel = self.linear.kernel


STARTS = [{"match": "*", "init": "start"}, {"match": "*", "init": "keep"}]


def test_norms_start():
    """Norms start from one and zero, batch statistics too where they are asked for, in nnx and equinox."""
    rngs = nnx.Rngs(0)
    for norm in (nnx.LayerNorm(8, rngs=rngs), nnx.RMSNorm(8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs),
                 nnx.GroupNorm(8, 4, rngs=rngs), nnx.InstanceNorm(8, rngs=rngs), eqx.nn.LayerNorm(8),
                 eqx.nn.RMSNorm(8), eqx.nn.GroupNorm(4, 8), nnx.Linear(8, 8, rngs=rngs)):
        table = fanin.jax.init_model(norm, STARTS, seed=0, buffers=True, dry_run=True).table
        found = {row.parameter.name: row.scheme.value for row in table.drawn}
        assert found == ({} if isinstance(norm, nnx.Linear) else
                         {row.parameter.name: 0.0 if row.parameter.name in ("bias", "mean") else 1.0 for row in table})


def test_nnx_in_place(draws):
    """Every Param gets its rule's draw under its path, tied ones once; the model is the same object, the rest of it
    too."""
    model = Small(nnx.Rngs(0))
    before = jax.random.key_data(model.dropout.rngs.key.get_value())

    made, table = fanin.jax.init_model(model, RULES, seed=4)

    assert made is model and draws == ["head.bias", "head.kernel", "linear.bias", "norm.bias", "norm.scale"]
    for row in table.drawn:
        layer, field = row.parameter.name.split(".")
        array = getattr(getattr(model, layer), field).get_value()
        assert (np.asarray(array) == row.scheme(array.shape, seed=4, name=row.parameter.name)).all()
    assert model.head.kernel is model.linear.kernel
    assert {row.parameter.name: row.note for row in table}["linear.kernel"] == "tied to head.kernel"
    assert (jax.random.key_data(model.dropout.rngs.key.get_value()) == before).all()
    assert (model.norm.var.get_value() == 1).all() and (model.norm.mean.get_value() == 0).all()


def test_a_tied_name_is_a_sibling():
    """A bias may take the fans of a weight that is drawn under another name, and nothing has to match that name."""
    table = fanin.jax.init_model(shapes_of(Small), [
        {"match": "linear.bias", "fans_of": "kernel", "init": "lecun_normal"},
        {"match": "re:head.*|norm.*", "init": "zeros"}], seed=0, dry_run=True).table

    assert rows(table)["linear.kernel"].note == "tied to head.kernel"
    assert rows(table)["linear.bias"].plan.fan_in == 8


def test_nnx_abstract(draws):
    """A model made by nnx.eval_shape gets the same values, and its memory only now; other Variables stay shapes."""
    model, abstract = Small(nnx.Rngs(0)), shapes_of(Small)
    fanin.jax.init_model(model, RULES, seed=4)
    assert fanin.jax.init_model(abstract, RULES, seed=4).model is abstract
    assert draws[:5] == draws[5:] and abstract.head.kernel is abstract.linear.kernel
    assert equal(model, abstract)
    left = jax.tree.leaves(nnx.state(abstract, nnx.Not(nnx.Param)))
    assert len(left) == 4 and all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in left)


def test_nnx_buffers():
    """Other Variables count if they are asked for: so a model of shapes with batch statistics is made whole."""
    rules = [("*.mean", "zeros"), ("*.var", "ones"), *RULES.get_config()["rule"]]
    for buffers in (True, ["*.mean", "*.var"], "norm.*"):
        model = shapes_of(Small)
        assert len(fanin.jax.init_model(model, rules, seed=4, buffers=buffers).table.drawn) == 7
        assert (model.norm.var.get_value() == 1).all() and (model.norm.mean.get_value() == 0).all()
        nnx.reseed(model, dropout=0, default=0)
        assert model.norm(model.dropout(model.linear(jnp.ones((2, 8))))).shape == (2, 6)
    names = [each.name for each in fanin.jax.parameters(model)]
    assert names == ["head.bias", "head.kernel", "linear.bias", "norm.bias", "norm.scale"]
    assert [each.name for each in fanin.jax.parameters(model, buffers="*.var")][-1] == "norm.var"


def test_nnx_whole():
    """A larger abstract model: each array is its row's draw."""
    model = shapes_of(Net)
    table = fanin.jax.init_model(model, RULES, seed=4).table
    made, found = arrays(model, "steps"), rows(table)
    assert set(made) == {row.parameter.name for row in table.drawn}
    for name, array in made.items():
        assert (array == found[name].scheme(array.shape, seed=4, name=name)).all(), name
    assert np.unique(made["stack.kernel"]).size == 3 * 8 * 6


def test_a_dry_run_and_an_unmatched_parameter_change_nothing(draws):
    """The table comes without a draw; an error lists what no rule matches."""
    model = Small(nnx.Rngs(0))
    before = arrays(model)
    made, table = fanin.jax.init_model(model, RULES, dry_run=True)
    assert made is model and table == fanin.jax.init_model(model, RULES, seed=1, dry_run=True).table
    with pytest.raises(FaninError, match="add one for .*norm.scale"):
        fanin.jax.init_model(model, {"*.bias": "zeros"}, seed=4)
    assert draws == []
    assert all((array == before[name]).all() for name, array in arrays(model).items())


def test_modules_in_dicts_and_states():
    """Several models are one with their names in front; a State is set as the model that it came from."""
    linear, both = nnx.Linear(4, 3, rngs=nnx.Rngs(0)), {"a": nnx.Linear(4, 3, rngs=nnx.Rngs(0)), "b": [
        nnx.Linear(3, 3, rngs=nnx.Rngs(0))]}
    table = fanin.jax.init_model(both, RULES, seed=1).table
    assert list(rows(table)) == ["a.bias", "a.kernel", "b.0.bias", "b.0.kernel"]
    assert (both["b"][0].kernel[...] == Registry.get("jax:he_normal")((3, 3), seed=1, name="b.0.kernel")).all()

    state = nnx.state(linear)
    fanin.jax.init_model(state, RULES, seed=1)
    nnx.update(linear, state)
    assert (linear.kernel[...] == Registry.get("jax:he_normal")((4, 3), seed=1, name="kernel")).all()


def test_a_module_that_holds_its_parent():
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    model.child = nnx.Linear(3, 3, rngs=nnx.Rngs(0))
    model.child.parent = model
    assert [row.parameter.name for row in fanin.jax.init_model(model, RULES, seed=1).table.drawn] == [
        "bias", "child.bias", "child.kernel", "kernel"]


def test_depth_rules_count_a_models_own_layers():
    """1/√(2·layers) by the names."""
    model = shapes_of(Net)
    rules = [("layers.*.kernel", {"name": "normal", "std": "=0.02/sqrt(2*layers)"}), ("*", Normal(std=0.02))]
    found = rows(fanin.jax.init_model(model, rules, dry_run=True).table)
    assert found["layers.3.kernel"].plan.std == pytest.approx(0.02 / 24**0.5)


def test_a_param_of_several_arrays_is_refused():
    model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    model.pair = nnx.Param({"a": jnp.ones(2), "b": jnp.ones(2)})
    with pytest.raises(FaninError, match="`model` .*'pair'"):
        fanin.jax.init_model(model, RULES, seed=1)


# -- equinox ----------------------------------------------------------------------------------------------------------

class Modules(eqx.Module):
    conv: eqx.nn.Conv2d
    up: eqx.nn.ConvTranspose1d
    layers: list
    cell: eqx.nn.LSTMCell
    gru: eqx.nn.GRUCell
    norm: eqx.nn.BatchNorm
    constant: np.ndarray
    dropout: eqx.nn.Dropout
    embedding: eqx.nn.Embedding
    stack: eqx.nn.Linear
    attention: eqx.nn.MultiheadAttention
    scalar: eqx.nn.Linear
    own: jax.Array
    steps: jax.Array

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(4, 8, 3, groups=2, key=key)
        self.up = eqx.nn.ConvTranspose1d(8, 4, 4, groups=2, key=key)
        self.layers = [eqx.nn.MLP(4, 6, 8, 2, key=key), eqx.nn.LayerNorm(4)]
        self.cell, self.gru = eqx.nn.LSTMCell(4, 8, key=key), eqx.nn.GRUCell(4, 8, key=key)
        self.norm = eqx.nn.BatchNorm(4, "batch", mode="ema")
        self.constant = np.ones(3, np.float32)
        self.dropout = eqx.nn.Dropout(0.1)
        self.embedding = eqx.nn.Embedding(10, 4, key=key)
        self.stack = eqx.filter_vmap(lambda key: eqx.nn.Linear(4, 6, key=key))(jax.random.split(key, 3))
        self.attention = eqx.nn.MultiheadAttention(2, 4, key=key)
        self.scalar = eqx.nn.Linear("scalar", 5, key=key)
        self.own, self.steps = jnp.ones((3, 4)), jnp.zeros(2, int)


EQUINOX_FANS = {
    "conv.weight": (18, 36), "up.weight": (16, 8), "layers.0.layers.2.weight": (8, 6), "cell.weight_ih": (4, 32),
    "cell.weight_hh": (8, 32), "gru.weight_ih": (4, 24), "embedding.weight": (4, 10), "stack.weight": (4, 6),
    "attention.query_proj.weight": (4, 4), "scalar.weight": (1, 5), "own": (4, 3),
}


def test_equinox_layers():
    """The fans are the layer's, also under axes that filter_vmap added; states are no parameters."""
    shapes = eqx.filter_eval_shape(Modules, KEY)
    rules = [("constant", "keep"), *RULES.get_config()["rule"]]  # filter_eval_shape makes a shape of a numpy array too
    made, table = fanin.jax.init_model(shapes, rules, seed=4)

    found = rows(table)
    for name, (fan_in, fan_out) in EQUINOX_FANS.items():
        plan = found[name].plan
        assert (plan.fan_in, plan.fan_out) == (fan_in, fan_out), name
    assert found["conv.weight"].parameter.layer.types == ("Conv2d", "Conv")
    expected = found["conv.weight"].scheme((8, 2, 3, 3), seed=4, name="conv.weight")
    assert isinstance(made, Modules) and (np.asarray(made.conv.weight) == expected).all()
    assert (made.layers[1].weight == 1).all()
    assert {name: row.note for name, row in found.items() if row.scheme is None} == {
        "norm.ema_first_time_index.init": "left as it is: state", "norm.ema_state_index.init.0": "left as it is: state",
        "norm.ema_state_index.init.1": "left as it is: state", "constant": "left as it is: a rule says so",
        "steps": "left as it is: not a floating-point array"}


class Tied(eqx.Module):
    shared: eqx.nn.Shared
    constant: np.ndarray

    def __init__(self, key):
        self.shared = eqx.nn.Shared((eqx.nn.Embedding(10, 4, key=key), eqx.nn.Linear(4, 10, key=key)),
                                    lambda pair: pair[1].weight, lambda pair: pair[0].weight)
        self.constant = np.ones(3, np.float32)


def test_equinox_gives_a_new_module(draws):
    """The given one is as it was, and so are numpy's constants; of two that are shared one is drawn."""
    model = Tied(KEY)
    before = model.shared.pytree[0].weight
    made, table = fanin.jax.init_model(model, RULES, seed=4)

    assert draws == ["shared.pytree.0.weight", "shared.pytree.1.bias"]
    assert model.shared.pytree[0].weight is before and jax.tree.structure(made) == jax.tree.structure(model)
    embedding, linear = made.shared()
    assert embedding.weight is linear.weight and not (embedding.weight == before).any()
    assert made.constant is model.constant
    assert rows(table)["constant"].note == "left as it is: a numpy array, which equinox doesn't train"


# -- linen and plain pytrees ------------------------------------------------------------------------------------------

class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.MultiHeadDotProductAttention(2, qkv_features=12)(nn.Embed(20, 8)(x))
        x = nn.Conv(6, (3,), feature_group_count=2)(nn.BatchNorm(True)(x))
        return nn.Dense(3, name="head", kernel_init=nn.with_partitioning(nn.initializers.ones, (None, "x")))(x)


LINEN_FANS = {
    "Embed_0.embedding": (8, 20), "MultiHeadDotProductAttention_0.query.kernel": (8, 12),
    "MultiHeadDotProductAttention_0.out.kernel": (12, 8), "Conv_0.kernel": (12, 18), "head.kernel": (6, 3),
}


def test_linen():
    """Variables, or the params in them, of arrays or shapes: the same names, values and tree."""
    inputs = jnp.ones((2, 5), int)
    shapes = jax.eval_shape(Linen().init, KEY, inputs)

    filled, table = fanin.jax.init_model(shapes, RULES, seed=4)

    found = rows(table)
    for name, (fan_in, fan_out) in LINEN_FANS.items():
        assert (found[name].plan.fan_in, found[name].plan.fan_out) == (fan_in, fan_out), name
    assert found["Conv_0.kernel"].parameter.layer.types == ("Conv",)
    assert found["batch_stats.BatchNorm_0.mean"].note == "left as it is: of the collection batch_stats"
    assert isinstance(filled["batch_stats"]["BatchNorm_0"]["mean"], jax.ShapeDtypeStruct)
    assert filled["params"]["head"]["kernel"].names == (None, "x")

    whole = fanin.jax.init_model(shapes, [("*.mean", "zeros"), ("*.var", "ones"), *RULES.get_config()["rule"]], seed=4,
                                 buffers=True).model
    assert (whole["batch_stats"]["BatchNorm_0"]["var"] == 1).all() and equal(whole["params"], filled["params"])
    for again in (fanin.jax.init_model(whole, RULES, seed=4).model["params"],
                  fanin.jax.init_model(shapes["params"], RULES, seed=4).model):
        assert jax.tree.structure(again) == jax.tree.structure(filled["params"])
        assert equal(again, filled["params"])
    assert jax.jit(Linen().apply)(whole, inputs).shape == (2, 5, 3)


class Pair(NamedTuple):
    left: object
    right: object


def test_any_pytree():
    """Dicts, lists, tuples, named tuples and numpy arrays; numbers, None and functions are no arrays."""
    tree = {"blocks": [Pair(np.ones((4, 3), np.float32), jnp.ones((3, 2), jnp.bfloat16)), (jnp.ones((2, 5)), None)],
            "rate": 0.5, "act": jax.nn.relu, "ids": jnp.arange(3), "key": KEY, "small": jnp.ones(2, jnp.float8_e5m2)}
    made, table = fanin.jax.init_model(tree, Registry.get("jax:he_normal"), seed=4)
    assert [row.parameter.name for row in table.drawn] == ["blocks.0.left", "blocks.0.right", "blocks.1.0"]
    assert {name: row.note for name, row in rows(table).items() if row.note} == {
        "ids": "left as it is: not a floating-point array", "key": "left as it is: key<fry> is not drawn",
        "small": "left as it is: float8_e5m2 is not drawn"}
    assert isinstance(made["blocks"][0], Pair) and made["blocks"][0].right.dtype == jnp.bfloat16
    assert (made["blocks"][1][0] == Registry.get("jax:he_normal")((2, 5), seed=4, name="blocks.1.0")).all()
    assert made["rate"] == 0.5 and made["act"] is jax.nn.relu


def test_stacked_layers_of_a_pytree():
    """What scans stack is told by a layout in the rule."""
    tree = {"layers": {"kernel": jnp.ones((6, 4, 3))}}
    row, = fanin.jax.init_model(tree, {"layers.*": {"name": "he_normal", "layout": "bio"}}, seed=4).table
    assert (row.plan.fan_in, row.plan.fan_out) == (4, 3)


def test_inside_of_jit_it_is_refused():
    """A draw there would become a constant, under vmap the same one for each."""
    def make():
        model = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
        fanin.jax.init_model(model, RULES, seed=0)
        return model

    with pytest.raises(FaninError, match="`model` .*outside of jit"):
        nnx.jit(make)()


REFUSED = {
    "a linen module": (lambda: (Linen(), "torch"), "`model` .*eval_shape"),
    "nothing": (lambda: ({}, "torch"), "`model`"),
    "a name twice": (lambda: ({"a.b": jnp.ones(2), "a": {"b": jnp.ones(2)}}, {"*": "zeros"}), "'a.b' twice"),
    "wide": (lambda: ({"w": np.ones((2, 2))}, {"*": "zeros"}), "'w': .*jax_enable_x64"),
    "buffers": (lambda: ({"w": jnp.ones((2, 2))}, {"*": "zeros"}, 3), "`buffers`"),
    "rules": (lambda: ({"w": jnp.ones((2, 2))}, 3), "`rules`"),
    "fans": (lambda: ({"w": jnp.ones(2)}, {"*": "he_normal"}), "'w': `shape`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, why = REFUSED[case]
    with pytest.raises(FaninError, match=why) as caught:
        model, rules, *buffers = make()
        fanin.jax.init_model(model, rules, seed=0, buffers=buffers[0] if buffers else False)
    assert "\n" not in str(caught.value)


def test_no_seed_and_streams():
    """The default stream's seed, or a stream's, with the names: no stream moves."""
    tree, stream = {"w": jnp.ones((4, 3))}, fanin.Stream(9)
    fanin.seed(9)
    one, two, three = (fanin.jax.init_model(tree, {"*": "normal"}, seed=seed).model for seed in (None, stream, 9))
    assert equal(one, two) and equal(two, three) and stream.position == 0


def test_neither_flax_nor_equinox_is_imported():
    """Plain pytrees need JAX alone."""
    code = ("import sys, jax, fanin; made = fanin.jax.init_model({'w': jax.ShapeDtypeStruct((4, 3), 'float32')}, "
            "{'*': 'he_normal'}, seed=0); assert made.model['w'].shape == (4, 3); "
            "print({'flax', 'equinox', 'torch', 'keras'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("make", "kind"), [
    (lambda: eqx.nn.Sequential([eqx.nn.WeightNorm(eqx.nn.Linear(3, 4, key=jax.random.key(0)))]), "WeightNorm"),
    (lambda: eqx.nn.make_with_state(eqx.nn.SpectralNorm)(eqx.nn.Linear(3, 4, key=jax.random.key(0)), "weight",
                                                         key=jax.random.key(1))[0], "SpectralNorm"),
    (lambda: nnx.WeightNorm(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0)), "WeightNorm"),
    (lambda: nnx.SpectralNorm(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0)), "SpectralNorm"),
], ids=["equinox, weight", "equinox, spectral", "nnx, weight", "nnx, spectral"])
def test_layers_that_normalize_anothers_weights_are_refused(make, kind):
    """What they keep follows from the weights, and would be stale: the error says what to do."""
    with pytest.raises(FaninError, match=rf"`model` must hold plain layers \(got a {kind}.*before it is wrapped"):
        fanin.jax.init_model(make(), {"*": "zeros"}, seed=0)


def test_what_any_place_of_a_tie_knows_counts():
    """A convolution's kernel that its parent holds, too, keeps its fans, though the parent's name comes first."""
    class Parent(nnx.Module):
        def __init__(self):
            self.up = nnx.Conv(8, 16, (3,), feature_group_count=4, rngs=nnx.Rngs(0))
            self.again = self.up.kernel

    (held,) = (each for each in fanin.jax.parameters(Parent()) if each.name == "again")
    assert held.fans() == (6, 12)
    assert "Conv" in held.layer.types
