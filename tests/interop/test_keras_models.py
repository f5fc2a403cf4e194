"""fanin.keras with Keras on its numpy, JAX and torch backends: names, fans, values, and what is left alone.

A process has one backend, so each check is run once on each, in a process for the backend: this file, as a script.
"""

import hashlib
import json
import warnings

import numpy as np
import pytest

import keras_backends
from keras_backends import BACKENDS, run, to_numpy
from uncompilable import Uncompilable

RULES = [
    {"match": "*.bias", "layer": "LSTMCell", "init": {"name": "blocks", "inits": ["zeros", "ones", "zeros", "zeros"]}},
    {"match": "*attention_output.kernel", "init": {"name": "normal", "std": "=0.02/sqrt(2*layers)"}},
    {"match": "*bias", "init": "zeros"},
    {"match": "*", "rank": [0, 1], "init": "ones"},
    {"match": "*embeddings", "init": {"name": "normal", "std": 0.02}},
    {"match": "*", "init": "he_normal"},
]
TRANSFORMER = [
    "emb.embeddings",
    *(f"blocks.{i}.{name}" for i in (0, 1) for name in (
        "scales.0", "scales.1", "attention.query.kernel", "attention.query.bias", "attention.key.kernel",
        "attention.key.bias", "attention.value.kernel", "attention.value.bias", "attention.attention_output.kernel",
        "attention.attention_output.bias", "norm.gamma", "norm.beta", "mlp.0.kernel", "mlp.0.bias", "mlp.1.kernel",
        "mlp.1.bias")),
    "logits.kernel", "logits.bias", "extra.a.kernel", "extra.a.bias",
]
FANS = {  # of the functional model: by hand
    "conv2d.kernel": (3 * 3 * 2, 3 * 3 * 4),  # 4 channels to 8, 2 groups
    "depthwise_conv2d.kernel": (3 * 3, 3 * 3 * 2),  # each channel to 2
    "separable_conv2d.depthwise_kernel": (3 * 3, 3 * 3),
    "separable_conv2d.pointwise_kernel": (16, 8),
    "conv2d_transpose.kernel": (4 * 4 * 8, 4 * 4 * 6),
    "dense.kernel": (6, 4),
    "sequential.dense.kernel": (4, 4),
    "sequential.given.kernel": (4, 4),
    "bidirectional.forward_layer.cell.kernel": (2, 3),  # one gate's
    "bidirectional.forward_layer.cell.recurrent_kernel": (3, 3),
    "bidirectional.backward_layer.cell.kernel": (2, 3),
    "bidirectional.backward_layer.cell.recurrent_kernel": (3, 3),
    "gru.cell.kernel": (6, 3),
    "gru.cell.recurrent_kernel": (3, 3),
    "conv_lstm1d.cell.kernel": (2 * 3, 2 * 5),
    "conv_lstm1d.cell.recurrent_kernel": (2 * 5, 2 * 5),
    "time_distributed.layer.kernel": (3, 2),
    "einsum_dense.kernel": (2, 2 * 3),
    "embedding.embeddings": (7, 10),  # a row is an output
}


def assert_raises(error, words, function, *arguments, **parameters):
    try:
        function(*arguments, **parameters)
    except error as caught:
        assert words in str(caught) and "\n" not in str(caught), caught
        return
    raise AssertionError(f"{function} of {arguments} {parameters} raises no {error}")


# -- models ------------------------------------------------------------------------------------------------------------


def transformer():
    """A subclassed model: attributes, a list, a dict, a given name, two variables without names of their own."""
    import keras
    from keras import layers

    class Block(layers.Layer):
        def __init__(self, size):
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 4)
            self.norm = layers.LayerNormalization()
            self.mlp = [layers.Dense(2 * size), layers.Dense(size)]
            self.size = size

        def build(self, shape):
            self.scales = [self.add_weight(shape=(self.size,)) for _ in range(2)]
            self.attention.build(shape, shape)
            self.norm.build(shape)
            self.mlp[0].build(shape)
            self.mlp[1].build((*shape[:-1], 2 * self.size))

        def call(self, x):
            x = self.norm(x + self.attention(x, x))
            return x + self.scales[0] * self.mlp[1](self.mlp[0](self.scales[1] * x))

    class Transformer(keras.Model):
        def __init__(self):
            super().__init__()
            self.emb = layers.Embedding(20, 8)
            self.blocks = [Block(8) for _ in range(2)]
            self.head = layers.Dense(20, name="logits")
            self.all = [self.head, self.emb]
            self.extra = {"a": layers.Dense(3)}

        def call(self, tokens):
            x = self.emb(tokens)
            for block in self.blocks:
                x = block(x)
            return self.head(x), self.extra["a"](x)

    model = Transformer()
    model(np.zeros((1, 5), "int32"))
    return model


def functional():
    """Every kind of kernel, a Sequential that is used twice, wrappers, normalization and dropout."""
    import keras
    from keras import layers

    image = keras.Input((16, 16, 4))
    x = layers.Conv2D(8, 3, groups=2)(image)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.SeparableConv2D(8, 3)(x)
    x = layers.Conv2DTranspose(6, 4)(x)
    x = layers.GlobalAveragePooling2D()(layers.PReLU(shared_axes=[1, 2])(x))
    inner = keras.Sequential([layers.Dense(4), layers.Dense(4, name="given"), layers.Dropout(0.5)])
    x = inner(inner(layers.Dense(4)(x)))
    x = layers.Reshape((2, 2))(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.GRU(3, return_sequences=True)(x)
    x = layers.Reshape((1, 2, 3))(x)
    x = layers.ConvLSTM1D(5, 2, padding="same")(x)
    x = layers.TimeDistributed(layers.Dense(2))(layers.Dense(3)(x))
    x = layers.EinsumDense("abc,cde->abde", (None, 2, 3))(x)
    tokens = keras.Input((4,), dtype="int32")
    return keras.Model([image, tokens], [x, layers.Embedding(10, 7)(tokens)])


def values(model):
    """What the model's variables hold, as float32."""
    import keras

    return {place.name: to_numpy(keras.ops.cast(place.variable.value, "float32")) for place in _places(model)}


def _places(model):
    from fanin.keras._names import places

    return places(model)


# -- checks: in the process of a backend ------------------------------------------------------------------------------


def check_names_are_those_of_the_model():
    """Attributes, list indices, dict keys and given names; else a class, counted in its container, not the process."""
    import keras

    from fanin.keras import parameters

    for _ in range(3):
        keras.Sequential([keras.layers.Dense(2), keras.layers.LSTM(2)])
    assert [each.name for each in parameters(transformer())] == TRANSFORMER
    first, second = functional(), functional()
    names = [each.name for each in parameters(first)]
    assert names == [each.name for each in parameters(second)]
    assert first.layers[1].name != second.layers[1].name
    assert {*FANS} < {*names} and len(names) == len({*names})
    assert {"batch_normalization.gamma", "dense_1.kernel", "p_re_lu.alpha"} < {*names}
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    assert [each.name for each in parameters(dense)] == ["kernel", "bias"]


def check_names_that_are_given_are_kept():
    """Also where they look like another layer's automatic one, or stand in a list twice."""
    import keras
    from keras import layers

    from fanin import FaninValueError
    from fanin.keras import parameters

    model = keras.Sequential([keras.Input((3,)), layers.Dense(3), layers.LayerNormalization(name="dense"),
                              layers.Dense(3, name="last"), layers.Dense(3)])
    assert [each.name for each in parameters(model)] == [
        "dense_1.kernel", "dense_1.bias", "dense.gamma", "dense.beta", "last.kernel", "last.bias", "dense_2.kernel",
        "dense_2.bias"]

    class Twice(layers.Layer):
        def __init__(self):
            super().__init__()
            self.list = [layers.Dense(1, name="x", use_bias=False), layers.Dense(1, name="x", use_bias=False)]

        def build(self, shape):
            for each in self.list:
                each.build(shape)

    twice = Twice()
    twice.build((None, 2))
    assert [each.name for each in parameters(twice)] == ["x.kernel", "x_1.kernel"]

    if keras.backend.backend() != "torch":  # which allows no dot in a name
        inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="b")], name="a")
        dotted = keras.Sequential([inner, layers.Dense(3, name="a.b")])
        assert_raises(FaninValueError, "'a.b.kernel'", parameters, dotted)


def check_fans_are_those_of_the_layers():
    """Groups, depth multipliers, transposition, equations and gates count."""
    from fanin.keras import parameters

    found = {each.name: tuple(each.fans("*io")) for each in parameters(functional()) if each.layer.layout}
    assert {name: fans for name, fans in found.items() if not name.startswith("dense_")} == \
        {name: fans for name, fans in FANS.items()}
    attention = {each.name: tuple(each.fans()) for each in parameters(transformer()) if "attention" in each.name
                 and each.name.endswith("kernel") and each.name.startswith("blocks.0")}
    assert [*attention.values()] == [(8, 8)] * 4


def check_norms_start():
    """Norms start from one and zero, moving averages too where they are asked for."""
    import keras

    from fanin.keras import init_model

    starts = [{"match": "*", "init": "start"}, {"match": "*", "init": "keep"}]
    for kind in ("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization"):
        model = keras.Sequential([keras.Input((32,)), getattr(keras.layers, kind)()])
        table = init_model(model, starts, seed=0, buffers=True, dry_run=True)
        found = {row.parameter.name.rpartition(".")[2]: row.scheme.value for row in table.drawn}
        assert len(found) == len(table), table
        assert found == {name: 0.0 if name in ("beta", "moving_mean") else 1.0 for name in found}


def check_fans_keep_the_variance():
    """lecun_normal passes unit variance through each kind of layer (2000 outputs or more, within 15 %)."""
    import keras
    from keras import layers

    from fanin.keras import init_model

    if keras.backend.backend() != "torch":
        return  # fans are the same on all of them; JAX takes a second to compile each layer
    image = np.random.default_rng(0).standard_normal((4, 14, 14, 32), np.float32)
    for layer in (layers.Conv2D(64, 3, groups=4), layers.DepthwiseConv2D(3, depth_multiplier=2),
                  layers.SeparableConv2D(64, 3), layers.Conv2DTranspose(64, 3), layers.Dense(64),
                  layers.EinsumDense("abcd,def->abcef", (None, None, 8, 8))):
        layer.build(image.shape)
        init_model(layer, {"*bias": "zeros", "*": "lecun_normal"}, seed=1)
        out = to_numpy(layer(image))[:, 2:-2, 2:-2]  # where nothing is cut
        assert out.size > 2000 and 0.85 < out.var() < 1.15, (layer, out.var())


def check_values_are_the_schemes(folder):
    """Each variable holds scheme(shape, dtype, seed=seed, name=name); digests of all go to a file."""
    import keras

    from fanin.keras import init_model

    digests, tables = {}, []
    for model in (transformer(), functional()):
        table = init_model(model, RULES, seed=7)
        tables.append(table.to_text(unfold=True, width=1000))
        held = values(model)
        assert len(table) == len(held)
        for row in table.drawn:
            parameter = row.parameter
            expected = row.scheme(parameter.shape, parameter.dtype, seed=7, name=parameter.name)
            assert np.array_equal(held[parameter.name], expected), parameter.name
            digests[parameter.name] = hashlib.sha256(held[parameter.name].tobytes()).hexdigest()
    assert np.array_equal(held["bidirectional.forward_layer.cell.bias"], [0] * 3 + [1] * 3 + [0] * 6)
    assert 0.0096 < table_std(tables[0], "blocks.1.attention.attention_output.kernel") < 0.0104  # 0.02/sqrt(4)
    backend = keras.backend.backend()
    (folder / f"{backend}.json").write_text(json.dumps([digests, tables]))


def table_std(text, name):
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def check_what_is_no_parameter_is_left_alone():
    """Moving averages, generators' states and what rules keep stay; buffers are asked for by name, or all."""

    from fanin.keras import init_model, parameters

    model = functional()
    generators = [variable for variable in model.variables if "seed_generator" in variable.path]
    assert generators
    before, states = values(model), [to_numpy(each.value) for each in generators]
    table = init_model(model, [{"match": "dense.*", "init": "keep"}, {"match": "*", "init": "normal"}], seed=0)
    after = values(model)
    left = {row.parameter.name: row.note for row in table if row.scheme is None}
    assert left == {"batch_normalization.moving_mean": "buffer, left as it is",
                    "batch_normalization.moving_variance": "buffer, left as it is",
                    "dense.kernel": "left as it is: a rule says so", "dense.bias": "left as it is: a rule says so"}
    assert {name for name in after if np.array_equal(before[name], after[name])} == {*left}
    init_model(model, {"*moving_mean": "ones", "*": "normal"}, buffers=["*.moving_mean"], seed=0)
    assert (values(model)["batch_normalization.moving_mean"] == 1).all()
    assert (values(model)["batch_normalization.moving_variance"] == 1).all()
    assert len(parameters(model, buffers=True)) == len(parameters(model)) + 2
    for variable, state in zip(generators, states):
        assert np.array_equal(to_numpy(variable.value), state)
    model.layers[1].trainable = False  # frozen, but a parameter
    assert init_model(model, {"*": "ones"}).rows[0].parameter.name == "conv2d.kernel"
    assert (values(model)["conv2d.kernel"] == 1).all()


def check_what_is_shared_is_drawn_once():
    """A layer in two places, and a variable in two layers, belong to the first."""
    import keras
    from keras import layers

    from fanin.keras import init_model

    class Head(layers.Layer):
        def __init__(self, embedding):
            super().__init__()
            self.embedding = embedding
            self.kernel = embedding.embeddings

        def call(self, x):
            return keras.ops.matmul(x, keras.ops.transpose(self.kernel))

    embedding = layers.Embedding(6, 3)
    embedding.build()
    tokens = keras.Input((2,), dtype="int32")
    model = keras.Model(tokens, Head(embedding)(embedding(tokens)))
    table = init_model(model, {"*": "normal"}, seed=0)
    assert [(row.parameter.name, row.note) for row in table] == [
        ("embedding.embeddings", ""), ("head.embeddings", "tied to embedding.embeddings")]


def check_a_tied_name_is_a_sibling():
    """A bias may take the fans of a weight that belongs to another layer, and nothing has to match that name."""
    import keras
    from keras import layers

    from fanin.keras import init_model

    class Head(layers.Layer):
        def __init__(self, dense):
            super().__init__()
            self.kernel = dense.kernel
            self.bias = self.add_weight(shape=(3,), name="bias")

        def call(self, x):
            return keras.ops.matmul(x, self.kernel) + self.bias

    dense = layers.Dense(3)
    dense.build((None, 6))
    x = keras.Input((6,))
    model = keras.Model(x, [dense(x), Head(dense)(x)])
    table = init_model(model, [{"match": "head.bias", "fans_of": "kernel", "init": "lecun_normal"},
                               {"match": "dense.*", "init": "ones"}], seed=0)
    found = {row.parameter.name: row for row in table}
    assert found["head.kernel"].note == "tied to dense.kernel"
    assert found["head.bias"].plan.fan_in == 6


def check_dtypes_follow_the_policy():
    """Variables of "mixed_bfloat16" are float32; those of "bfloat16" and "float16" are drawn in that type."""
    import keras

    from fanin import Normal
    from fanin.keras import init_model

    for policy, dtype in (("mixed_bfloat16", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16")):
        dense = keras.layers.Dense(5, dtype=policy)
        dense.build((None, 4))
        row = init_model(dense, {"*": "normal"}, seed=3).rows[0]
        assert row.parameter.dtype.name == dtype
        expected = Normal()((4, 5), dtype, seed=3, name="kernel").astype("float32")
        assert np.array_equal(values(dense)["kernel"], expected)
        assert keras.backend.standardize_dtype(dense.kernel.dtype) == dtype


def check_wrong_models_and_rules_assign_nothing():
    """Errors say what to do next, and every value stays."""
    import keras
    from keras import layers

    from fanin import FaninTypeError, FaninValueError, Stream
    from fanin.keras import init_model, parameters

    assert_raises(FaninValueError, "model.build(input_shape)", init_model, keras.Sequential([layers.Dense(2)]),
                  {"*": "normal"})
    dense = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    assert_raises(FaninTypeError, "text_of must be made of", init_model, dense,
                  {"*.kernel": "ones", "*.bias": Uncompilable()})
    assert not (to_numpy(dense.layers[0].kernel) == 1).all()

    class Half(keras.Model):
        def __init__(self):
            super().__init__()
            self.used, self.forgotten = layers.Dense(2), layers.Dense(2)

        def call(self, x):
            return self.used(x)

    half = Half()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of just that
        half(np.zeros((1, 2), "float32"))
    assert_raises(FaninValueError, "its layer 'forgotten', a Dense, has no variables yet", init_model, half,
                  {"*": "normal"})
    model, stream = functional(), Stream(5)
    before = values(model)
    assert_raises(FaninValueError, "dense.bias", init_model, model, {"*kernel": "he_normal"}, seed=stream)
    assert_raises(FaninValueError, "bias", init_model, model, {"*": "he_normal"}, seed=stream)  # no fans
    assert_raises(FaninTypeError, "`model` must be", init_model, [model], {"*": "normal"})
    assert_raises(FaninTypeError, "`buffers` must be", parameters, model, buffers=3)
    assert_raises(FaninTypeError, "`dry_run` must be", init_model, model, {"*": "normal"}, dry_run=1)
    assert_raises(FaninValueError, "`seed` must be", init_model, model, {"*": "normal"}, seed=-1)
    planned = init_model(model, RULES, seed=stream, dry_run=True)
    after = values(model)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert init_model(model, RULES, seed=stream) == planned
    assert stream == Stream(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers that can't be quantized
        small = keras.Sequential([layers.Dense(2)])
        small.build((None, 3))
        small.quantize("int8")
    assert_raises(FaninValueError, "quantize it then", init_model, small, {"*": "normal"})
    normed = keras.Sequential([keras.Input((3,)), layers.SpectralNormalization(layers.Dense(2))])
    before = [to_numpy(weight.value).copy() for weight in normed.weights]
    assert_raises(FaninTypeError, "got a SpectralNormalization at 'spectral_normalization'", init_model, normed,
                  {"*": "normal"})
    assert all(map(np.array_equal, before, [to_numpy(weight.value) for weight in normed.weights]))


def check_a_saved_model_loads_and_keeps_its_names(folder):
    """A .keras file holds the values; the model that it loads as has the same names, and so gets the same values."""
    import keras

    from fanin.keras import init_model

    model, path = functional(), folder / f"{keras.backend.backend()}.keras"
    init_model(model, RULES, seed=7)
    expected = values(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model.save(path)
        loaded = keras.models.load_model(path)
    again = values(loaded)
    assert [*again] == [*expected] and all(np.array_equal(again[name], expected[name]) for name in expected)
    init_model(loaded, {"*": "zeros"})
    init_model(loaded, RULES, seed=7)
    again = values(loaded)
    assert all(np.array_equal(again[name], expected[name]) for name in expected)


def check_training_goes_on_from_the_values():
    """After a step of training a model starts anew from the same values, and trains again."""
    import keras

    from fanin.keras import init_model

    if keras.backend.backend() == "numpy":
        return  # which doesn't train
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    data = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    losses, starts = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's and Keras' own
        for _ in range(2):
            init_model(model, {"*.bias": "zeros", "*": "he_normal"}, seed=1)
            starts.append(values(model))
            model.reset_metrics()  # Keras 3.5 reports a running mean
            losses.append([float(model.train_on_batch(*data)) for _ in range(2)])
    assert losses[0] == losses[1] and losses[0][1] < losses[0][0]
    assert all(np.array_equal(starts[0][name], starts[1][name]) for name in starts[0])


def check_what_is_drawn_is_found_again():
    """`verify_model` finds every bit of a draw, and one element that is changed; its table has the draw's mark."""
    from fanin.keras import init_model, verify_model

    model = functional()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the rules are made for two models
        table = init_model(model, RULES, seed=7)

    comparison = verify_model(model, RULES, seed=7)
    assert comparison.ok and comparison.table.fingerprint() == table.fingerprint()
    dense = next(layer for layer in model.layers if layer.name.startswith("dense"))
    changed = to_numpy(dense.kernel).copy()
    changed[1, 2] = 5
    dense.kernel.assign(changed)
    (difference,) = verify_model(model, RULES, seed=7).differences
    assert (difference.name, difference.first, difference.found) == ("dense.kernel", (1, 2), 5)
    assert not verify_model(model, RULES, seed=8).ok


def check_memory_stays_where_it_is():
    """torch: the same storage, a changed version. JAX: the layout over devices that a distribution gives."""
    import keras

    from fanin.keras import init_model

    if keras.backend.backend() == "torch":
        dense = keras.layers.Dense(5)
        dense.build((None, 4))
        place, version = dense.kernel.value.data_ptr(), dense.kernel.value._version
        init_model(dense, {"*": "normal"})
        assert dense.kernel.value.data_ptr() == place and dense.kernel.value._version > version
    if keras.backend.backend() == "jax":
        mesh = keras.distribution.DeviceMesh((4,), ["model"], keras.distribution.list_devices())
        layout = keras.distribution.LayoutMap(mesh)
        layout[".*kernel"] = (None, "model")
        with keras.distribution.ModelParallel(layout_map=layout).scope():
            dense = keras.layers.Dense(8)
            dense.build((None, 4))
        init_model(dense, {"*": "normal"}, seed=0)
        assert {shard.data.shape for shard in dense.kernel.value.addressable_shards} == {(4, 2)}
        from fanin import Normal

        assert np.array_equal(values(dense)["kernel"], Normal()((4, 8), seed=0, name="kernel"))


CHECKS = keras_backends.checks(globals())


# -- tests: this file as a script on each backend ----------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", CHECKS)
def test_with_keras(keras_outcomes, backend, check):
    """What the check's docstring says holds on the backend."""
    assert keras_outcomes[backend][check] is None, keras_outcomes[backend][check]


def test_values_and_tables_are_the_same_on_all_backends(keras_outcomes, keras_folder):
    """Names, rules and bits of both models are equal on numpy, JAX and torch."""
    numpy, *others = (json.loads((keras_folder / f"{backend}.json").read_text()) for backend in BACKENDS)

    assert len(numpy[0]) > 70
    assert all(other == numpy for other in others)


def test_without_keras_the_error_says_what_to_install():
    """The feature, the package and the command."""
    code = """
import sys
sys.modules["keras"] = None
import fanin
try:
    import fanin.keras
except fanin.FaninImportError as error:
    print(error)
"""
    assert "fanin.keras" in (printed := run("numpy", "-c", code))
    assert "pip install 'fanin[keras]'" in printed


if __name__ == "__main__":
    keras_backends.report(CHECKS)
