"""`fanin.keras.signal` on Keras' torch, JAX and numpy backends: figures that are right, one verdict, and no trace.

A process has one backend, so each check is run once on each, in a process for the backend: this file, as a script.
"""

import json
import math

import numpy as np
import pytest

import fanin
import keras_backends
from keras_backends import BACKENDS, to_numpy

DEPTH, WIDTH = 12, 64
NORMAL = {"*bias": "zeros", "*": {"name": "normal", "std": 0.02}}
HE = {"*bias": "zeros", "*": "he_normal"}
FIELDS = ("rms", "ratio", "zeros", "dead", "cosine", "gradient", "weight_std", "weight_norm", "weight_gradient")


def noise(*shape):
    return fanin.Normal()(shape, seed=1, name="batch")


def gradients():
    """Whether the backend has them here."""
    import keras

    return keras.backend.backend() != "numpy"


def mlp(depth=DEPTH):
    import keras

    return keras.Sequential([keras.Input((WIDTH,)), *(keras.layers.Dense(WIDTH, "relu") for _ in range(depth))])


def convolutional():
    """Convolutions, statistics, a nested model that is called twice, recurrent layers with a mask, and two inputs."""
    import keras
    from keras import layers

    image, tokens = keras.Input((8, 8, 3)), keras.Input((6,), dtype="int32")
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(image))
    x = layers.GlobalAveragePooling2D()(layers.PReLU(shared_axes=[1, 2])(x))
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="tanh"), layers.Dense(8)])
    x = inner(inner(x))
    masked = keras.Sequential([keras.Input((6,), dtype="int32"), layers.Embedding(10, 8, mask_zero=True),
                               layers.Dense(8)])
    y = layers.LSTM(8)(masked(tokens))
    return keras.Model([image, tokens], layers.Dense(5, name="logits")(layers.Concatenate()([x, y])))


def batch():
    return noise(4, 8, 8, 3), np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 9], [1, 0, 0, 0, 0, 0], [2] * 6], "int32")


# -- checks: in the process of a backend ------------------------------------------------------------------------------


def check_deep_relu_networks():
    """N(0, 0.02) dies at the rate that theory gives and he_normal lives; he_normal is what the verdict advises."""
    from fanin.keras import signal

    found = signal(mlp(), noise(16, WIDTH), compare={"normal": NORMAL, "he": HE}, seed=0, grad=gradients())

    assert {label: each.alive for label, each in found.signals.items()} == {"normal": False, "he": True}
    words = found["normal"].verdict.words
    assert "dies" in words[0] and 'before ReLU ("he_normal")' in words[-1]
    for label, factor in (("normal", 0.02 * math.sqrt(WIDTH / 2)), ("he", 1.0)):
        layers = found[label].layers
        assert len(layers) == DEPTH and all(row.fan_in == WIDTH and row.kind == "Dense relu" for row in layers)
        assert abs((layers[-1].rms / layers[0].rms) ** (1 / (DEPTH - 1)) / factor - 1) < 0.08
        if gradients():
            assert abs((layers[0].gradient / layers[-1].gradient) ** (1 / (DEPTH - 1)) / factor - 1) < 0.08
        assert abs(layers[0].weight_std / (0.02 if label == "normal" else math.sqrt(2 / WIDTH)) - 1) < 0.03


def check_figures_are_those_of_the_arrays():
    """rms, zeros, dead units and cosine are what a user computes by hand."""
    import keras

    from fanin.keras import signal

    model, x = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(8), keras.layers.ReLU()]), noise(16, WIDTH)
    model.layers[0].bias.assign([-100.0, -100.0] + [0.0] * 6)

    dense, relu = signal(model, x, grad=False).layers

    hidden = x @ to_numpy(model.layers[0].kernel.value) + to_numpy(model.layers[0].bias.value)
    off = hidden <= 0
    assert abs(dense.rms / math.sqrt((hidden**2).mean()) - 1) < 1e-5
    assert abs(dense.ratio - dense.rms / math.sqrt((x**2).mean())) < 1e-3
    assert abs(relu.zeros - off.mean()) < 1e-6 and abs(relu.dead - off.all(0).mean()) < 1e-6 and relu.dead >= 0.25
    cosine = hidden[0] @ hidden[1] / np.linalg.norm(hidden[0]) / np.linalg.norm(hidden[1])
    assert abs(dense.cosine - cosine) < 1e-5
    assert dense.gradient is None and (dense.weight, dense.kind) == ("dense.kernel", "Dense")


def check_one_model_is_alike_on_all_backends(folder):
    """Rows and figures go to a file; what a forward pass alone measures is what the pass with gradients does."""
    import keras

    from fanin.keras import signal

    model = convolutional()
    rules = {"*bias": "zeros", "*gamma": "ones", "*beta": "zeros", "*alpha": "zeros", "*": "lecun_normal"}
    options = {"rules": rules, "seed": 3, "training": False}
    forward = signal(model, *batch(), grad=False, **options)
    rows = [row.layer for row in forward.layers]
    assert rows[:2] == ["conv2d", "batch_normalization"] and "logits" in rows and "sequential.dense" in rows
    assert [row.call for row in forward.layers if row.layer == "sequential.dense_1"] == [1, 2]
    assert forward.mode == "inference mode"
    if gradients():
        both = signal(model, *batch(), **options)
        for one, other in zip(forward.layers, both.layers):
            assert one.title == other.title and abs(one.rms - other.rms) <= 1e-5 * one.rms
        forward = both
    (folder / f"{keras.backend.backend()}.json").write_text(json.dumps([forward.to_dicts(), forward.verdict.words]))


def check_the_output_is_the_model_s_own():
    """Measuring changes nothing that is measured: masks reach the layers that need them."""
    from fanin.keras import signal

    model = convolutional()
    output = to_numpy(model([*batch()], training=False))

    for grad in {False, gradients()}:
        last = signal(model, *batch(), grad=grad, training=False).layers[-1]
        assert abs(last.rms / math.sqrt((output**2).mean()) - 1) < 1e-4


def check_it_leaves_no_trace():
    """Variables, generators' states, attributes and classes are what they were, also when the model raises."""
    import keras
    from keras import layers

    from fanin.keras import signal

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.fc, self.norm, self.drop = layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.5)
            self.calls, self.fail = 0, False

        def call(self, x, training=False):
            self.calls += 1
            self.seen = x
            x = self.drop(self.norm(self.fc(x), training=training), training=training)
            if self.fail:
                raise ValueError("the model's own")
            return x

    model = Net()
    model(noise(4, 8))
    call = keras.Operation.__call__

    def state():
        held = {each.path: (id(each), getattr(each.value, "_version", 0), to_numpy(each.value).tobytes())
                for each in model.variables}
        return held, [{name: id(value) for name, value in vars(each).items()} for each in model._flatten_layers()]

    before = state()
    for options in ({}, {"rules": {"*bias": "zeros", "*gamma": "ones", "*beta": "zeros", "*": "he_normal"}}):
        found = signal(model, noise(16, 8), grad=gradients(), seed=0, **options)
        assert [row.layer for row in found.layers] == ["fc", "norm", "drop"] and found.mode == "training mode"
        assert abs(found.layers[1].rms - 1) < 0.01  # by the batch's statistics
        assert state() == before
    model.fail = True
    before = state()
    try:
        signal(model, noise(16, 8), grad=False)
    except ValueError as error:
        assert "the model's own" in str(error)
    else:
        raise AssertionError("the model's error is lost")
    assert state() == before and keras.Operation.__call__ is call


def check_a_loss():
    """The loss is a function of the output, and its gradients are the weights' own."""
    import keras

    from fanin.keras import signal

    if not gradients():
        return
    model, x = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(10)]), noise(16, WIDTH)

    found = signal(model, x, rules=HE, seed=0, spectrum=True, loss=lambda output: keras.ops.mean(output**2))

    kernel = fanin.Registry.get("he_normal", layout="*io")((WIDTH, 10), seed=0, name="dense.kernel")
    output = x @ kernel
    assert abs(found.loss.value / (output**2).mean() - 1) < 1e-4
    expected = x.T @ (2 * output / output.size)
    assert abs(found.layers[0].weight_gradient / math.sqrt((expected**2).mean()) - 1) < 1e-4
    assert np.allclose(found.spectra["dense.kernel"], np.linalg.svd(kernel, compute_uv=False), rtol=1e-4)


def check_arguments_are_refused():
    """What can't be measured is named, with the remedy."""
    import keras

    from fanin.keras import signal

    model, x = mlp(1), noise(4, WIDTH)
    cases = [((model, x), {"rules": HE, "compare": {"he": HE}}, "must not both"), ((model,), {}, "must hold a batch"),
             ((model, x), {"compare": {"mine": {"*": "bogus"}}}, "`compare` at 'mine'"), ((3, x), {}, "keras.Model"),
             ((model, x), {"loss": 3}, "must be a function"), ((model, x[:0]), {}, "must have elements"),
             ((keras.Sequential([keras.layers.Dense(2)]), x), {}, "must be built"),
             ((model, x), {"training": 1}, "`training`")]
    if gradients():
        cases.append(((model, x), {"loss": lambda y: y}, "average it"))
    else:
        cases.append(((model, x), {}, "`grad` must be False on Keras' numpy backend"))
    for arguments, options, message in cases:
        try:
            signal(*arguments, **options)
        except fanin.FaninError as error:
            assert message in str(error), (message, str(error))
        else:
            raise AssertionError(message)


CHECKS = keras_backends.checks(globals())


# -- tests: this file as a script on each backend ----------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", CHECKS)
def test_with_keras(keras_outcomes, backend, check):
    """What the check's docstring says holds on the backend."""
    assert keras_outcomes[backend][check] is None, keras_outcomes[backend][check]


def test_figures_are_the_same_on_all_backends(keras_outcomes, keras_folder):
    """One model, one seed: the rows of torch, JAX and numpy agree, and so do the verdicts of torch and JAX.

    A recurrent layer's cell has a row for each step on torch, and one with their means on JAX.
    """
    found = {backend: json.loads((keras_folder / f"{backend}.json").read_text()) for backend in BACKENDS}
    rows = {backend: {(row["layer"], row["call"]): row for row in each[0] if not row["layer"].endswith(".cell")}
            for backend, each in found.items()}

    for other in ("jax", "numpy"):
        assert {*rows[other]} <= {*rows["torch"]} and len(rows[other]) >= 12
        for key, row in rows[other].items():
            for field in FIELDS if other == "jax" else FIELDS[:5]:
                value, expected = row[field], rows["torch"][key][field]
                same = value is expected is None or value == pytest.approx(expected, rel=2e-3, abs=1e-6)
                assert same, (other, key, field)
    assert "zero weights" not in " ".join(found["torch"][1])  # of PReLU, whose alpha is no matrix
    assert found["torch"][1][0].split(":")[0] == found["jax"][1][0].split(":")[0]


if __name__ == "__main__":
    keras_backends.report(CHECKS)
