"""fanin.compat.keras with Keras on its numpy, JAX and torch backends, held to Keras itself and to each other.

A process has one backend, so each check is run once on each, in a process for the backend: this file, as a script.
"""

import hashlib
import inspect
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

from keras_api import (
    ALIASES,
    CLASSES,
    CONFIGS,
    DRAWS,
    EXAMPLES,
    RANDOM,
    REFUSED_ARGUMENTS,
    REFUSED_CALLS,
    REFUSED_IDENTIFIERS,
    REPEATED,
    SIGNATURES,
    STRINGS,
    signature_of,
)

TESTS = Path(__file__).parent.parent
BACKENDS = ["numpy", "jax", "torch"]
KEYED = {"seed": 7}


def assert_raises(error, function, *arguments, **parameters):
    try:
        function(*arguments, **parameters)
    except error as caught:
        return caught
    raise AssertionError(f"{function} of {arguments} {parameters} raises no {error}")


# -- checks: in the process of a backend ------------------------------------------------------------------------------


def check_keras_itself_has_this_interface():
    """The tables are Keras' own: names, signatures, strings, configs (but Identity's), errors."""
    import keras

    theirs = keras.initializers
    names = {name for name in dir(theirs) if not name.startswith("_") and not inspect.ismodule(getattr(theirs, name))}
    assert names == {*SIGNATURES, *ALIASES}
    for name, signature in SIGNATURES.items():
        assert signature_of(getattr(theirs, name)) == signature, name
    for alias, name in ALIASES.items():
        assert getattr(theirs, alias) is getattr(theirs, name)
    for string, name in STRINGS.items():
        if string not in ("Constant", "constant"):  # a KeyError there
            assert type(theirs.get(string)) is getattr(theirs, name)
    assert_raises(KeyError, theirs.get, "constant")
    for name, arguments, config in CONFIGS:
        assert getattr(theirs, name)(**arguments).get_config() == config, name
    for name, arguments, error in REFUSED_ARGUMENTS:
        assert_raises(error, getattr(theirs, name), **arguments)
    for name, arguments, shape, dtype, error in REFUSED_CALLS:
        assert_raises(error, getattr(theirs, name)(**arguments), shape, dtype)
    for identifier, error in REFUSED_IDENTIFIERS:
        assert_raises(error, theirs.get, identifier)
    assert len(CLASSES) == 17


def check_our_interface_is_the_same():
    """The same tables hold for ours, whose classes are registered subclasses of Keras' Initializer."""
    import keras

    import fanin.compat.keras as ours
    from fanin import FaninError

    for name, signature in SIGNATURES.items():
        assert signature_of(getattr(ours, name)) == signature, name
    for alias, name in ALIASES.items():
        assert getattr(ours, alias) is getattr(ours, name)
    assert ours.Initializer is keras.initializers.Initializer
    assert ours.SeedGenerator is keras.random.SeedGenerator
    for name in CLASSES[1:]:
        cls = getattr(ours, name)
        assert issubclass(cls, keras.initializers.Initializer)
        assert cls is not getattr(keras.initializers, name)
        assert keras.saving.get_registered_name(cls) == f"fanin>{name}"
        assert keras.saving.get_registered_object(f"fanin>{name}") is cls
    for string, name in STRINGS.items():
        assert type(ours.get(string)) is getattr(ours, name)
    for name, arguments, config in CONFIGS:
        assert getattr(ours, name)(**arguments).get_config() == config, name
    for name, arguments, error in REFUSED_ARGUMENTS:
        assert_raises(error, getattr(ours, name), **arguments)
    for name, arguments, shape, dtype, error in REFUSED_CALLS:
        assert isinstance(assert_raises(error, getattr(ours, name)(**arguments), shape, dtype), FaninError)
    for identifier, error in REFUSED_IDENTIFIERS:
        assert isinstance(assert_raises(error, ours.get, identifier), FaninError)


def check_draws_are_of_the_same_type_shape_and_dtype():
    """For each row of the table, ours and Keras' give the same kind of tensor; constants also the same values."""
    import keras

    import fanin.compat.keras as ours

    backend = keras.backend.backend()
    for row in DRAWS:
        name, arguments, shape, dtype = row
        if backend == "torch" and shape == 3 and name in RANDOM:
            continue  # an int as shape is an error there
        seed = KEYED if name in RANDOM else {}
        mine = getattr(ours, name)(**arguments, **seed)(shape, dtype)
        theirs = getattr(keras.initializers, name)(**arguments, **seed)
        assert keras.ops.is_tensor(mine), row
        if backend == "jax" and name in RANDOM:
            import jax

            theirs = jax.eval_shape(lambda theirs=theirs, row=row: theirs(*row[2:]))  # compiling takes 20 s in all
        else:
            theirs = theirs(shape, dtype)
            # numpy makes scalars of products of rank 0
            assert type(mine) is type(theirs) or backend == "numpy" and shape == (), row
        if (backend, name, dtype) == ("numpy", "Identity", "bfloat16"):
            theirs = keras.ops.cast(theirs, dtype)  # a product with a Python float, of float32 there
        assert tuple(mine.shape) == tuple(theirs.shape), row
        assert mine.dtype == theirs.dtype, row
        if name not in RANDOM:
            mine, theirs = (keras.ops.convert_to_numpy(keras.ops.cast(x, "complex64")) for x in (mine, theirs))
            assert np.array_equal(mine, theirs) or name == "STFT" and np.abs(mine - theirs).max() <= 1e-6, row


def check_floatx_is_the_default_dtype():
    """A dtype of None is keras.config.floatx()."""
    import keras

    import fanin.compat.keras as ours

    keras.config.set_floatx("float16")
    try:
        assert keras.backend.standardize_dtype(ours.HeNormal()((3, 3)).dtype) == "float16"
    finally:
        keras.config.set_floatx("float32")


def check_stft_is_keras():
    """Each side, window and scaling is Keras' to its own accuracy: float64 on torch, elsewhere a float32 pi."""
    import keras

    import fanin.compat.keras as ours

    for side in ("real", "imag"):
        for window in ("hann", "hamming", "blackman", "cosine", None, [float(k + 1) for k in range(16)]):
            for scaling in ("density", "spectrum", None):
                for periodic in (False, True):
                    made = [module.STFT(side, window, scaling, periodic) for module in (ours, keras.initializers)]
                    for dtype in ("float32", "float64"):
                        if dtype == "float64" and keras.backend.backend() != "torch":
                            continue  # JAX has no float64 by default, and numpy's backend takes pi in float32
                        mine, theirs = (keras.ops.convert_to_numpy(each((16, 1, 9), dtype)) for each in made)
                        phase = 15 * np.pi
                        tolerance = 1e-15 * phase if dtype == "float64" else 1e-7 * phase
                        assert np.abs(mine - theirs).max() <= tolerance * np.abs(theirs).max()


def check_documented_examples():
    """Both halves of each documented example run: standalone, and as a layer's kernel_initializer."""
    import keras

    import fanin.compat.keras as ours

    for expression in EXAMPLES.values():
        initializer = eval(expression, vars(ours))
        assert tuple(initializer(shape=(2, 2)).shape) == (2, 2)
        layer = keras.layers.Dense(3, kernel_initializer=initializer)
        layer.build((None, 5))
        expected = keras.ops.convert_to_numpy(initializer((5, 3)))
        assert np.array_equal(keras.ops.convert_to_numpy(layer.kernel), expected), expression
    assert tuple(ours.STFTInitializer("real", "hann", "density", False)(shape=(128, 1, 513)).shape) == (128, 1, 513)
    assert type(ours.get("Ones")) is ours.Ones
    tensor = keras.ops.ones(shape=(5, 5))
    assert keras.ops.convert_to_numpy(ours.get(tensor)((5, 5), "int32")).tolist() == np.ones((5, 5)).tolist()


def model_of_all_classes():
    """A model whose kernels are drawn by every class, with int, generator and absent seeds."""
    import keras

    import fanin.compat.keras as ours

    inputs = x = keras.Input((6,))
    for name in [name for name in CLASSES if name not in ("Initializer", "STFT")]:
        cls = getattr(ours, name)
        arguments = {"Constant": {"value": 0.25}, "Identity": {"gain": 2.5}}.get(name, {})
        for seed in ([3, None, ours.SeedGenerator(5)] if name in RANDOM else [...]):
            given = arguments if seed is ... else {"seed": seed}
            x = keras.layers.Dense(6, kernel_initializer=cls(**given), bias_initializer=ours.Constant(0.5))(x)
    kernel = ours.STFT(window=[0.5, 1.0, 0.5])
    x = keras.layers.Conv1D(4, 3, kernel_initializer=kernel)(keras.layers.Reshape((6, 1))(x))
    return keras.Model(inputs, x)


def initializers_of(model):
    return [layer.kernel_initializer for layer in model.layers if hasattr(layer, "kernel_initializer")]


def assert_reloaded(model, weights):
    """A loaded model has the weights that were saved, and initializers of ours with all that makes their values."""

    import fanin.compat.keras as ours

    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))
    loaded = initializers_of(model)
    assert {type(each) for each in loaded} == {getattr(ours, name) for name in CLASSES[1:]}
    assert [each.gain for each in loaded if type(each) is ours.Identity] == [2.5]
    assert [list(each.window) for each in loaded if type(each) is ours.STFT] == [[0.5, 1.0, 0.5]]
    seeds = [each.get_config()["seed"] for each in loaded if type(each) is ours.GlorotUniform]
    assert seeds[:2] == [3, None]
    assert seeds[2]["class_name"] == "SeedGenerator"
    assert seeds[2]["config"]["seed"] == 5
    # a built model's seeded kernels can be drawn again, but for those of a generator that went on
    for initializer, kernel in zip(loaded, weights[::2], strict=False):
        if getattr(initializer, "_init_seed", 0) in (0, 3):
            assert np.array_equal(np.asarray(initializer(kernel.shape, "float32")), kernel)


def check_models_survive_saving_and_loading(folder):
    """A .keras file holds every class; its weights and initializers come back in this process."""
    import keras

    model = model_of_all_classes()
    weights = model.get_weights()
    path = folder / f"{keras.backend.backend()}.keras"
    model.save(path)
    np.savez(folder / f"{keras.backend.backend()}.npz", *weights)

    assert_reloaded(keras.models.load_model(path), weights)
    for copy in (keras.models.clone_model(model), keras.models.model_from_json(model.to_json())):
        assert [repr(each) for each in initializers_of(copy)] == [repr(each) for each in initializers_of(model)]


def check_files_of_the_other_backends_load(folder):
    """What any backend saved, this one loads."""
    import keras

    import fanin.compat.keras  # noqa: F401  registers the classes

    for path in sorted(folder.glob("*.keras")):
        with np.load(path.with_suffix(".npz")) as saved:
            assert_reloaded(keras.models.load_model(path), [saved[name] for name in saved.files])


def check_keras_layers_take_copies():
    """Layers that need several kernels clone the initializer: unseeded, the copies differ, as with Keras' own."""
    import keras

    import fanin.compat.keras as ours

    layer = keras.layers.MultiHeadAttention(2, 4, kernel_initializer=ours.GlorotUniform())
    layer.build((None, 3, 8), (None, 3, 8))
    query, key = (keras.ops.convert_to_numpy(part.kernel) for part in (layer.query_dense, layer.key_dense))
    assert not np.array_equal(query, key)
    for made in (keras.layers.LSTM(3, kernel_initializer=ours.HeNormal(), recurrent_initializer=ours.Orthogonal()),
                 keras.layers.GRU(3, recurrent_initializer=ours.Orthogonal(), bias_initializer=ours.Zeros())):
        made.build((None, 2, 4))
    embedding = keras.layers.Embedding(10, 4, embeddings_initializer=ours.RandomUniform(seed=1))
    embedding.build()
    expected = keras.ops.convert_to_numpy(ours.RandomUniform(seed=1)((10, 4)))
    assert np.array_equal(keras.ops.convert_to_numpy(embedding.embeddings), expected)


def check_seeds():
    """set_random_seed repeats unseeded ones, a SeedGenerator and a Stream give fanin's streams, errors take nothing."""
    import keras

    import fanin
    import fanin.compat.keras as ours

    def values(initializer):
        return keras.ops.convert_to_numpy(initializer((5,)))

    keras.utils.set_random_seed(4)
    first = [values(ours.RandomNormal()) for _ in range(3)]
    keras.utils.set_random_seed(4)
    assert np.array_equal(first, [values(ours.RandomNormal()) for _ in range(3)])
    assert not np.array_equal(first[0], first[1])
    repeating = ours.RandomNormal()
    assert np.array_equal(values(repeating), values(repeating))

    large = 2**32 - 5 if keras.backend.backend() != "torch" else -5  # the same 32 bits, in torch's int32
    for seed, stream in [(9, fanin.Stream(9)), (large, fanin.Stream(2**32 - 5))]:
        generator = ours.SeedGenerator(seed)
        initializer = ours.RandomNormal(stddev=1.0, seed=generator)
        for _ in range(3):
            assert np.array_equal(values(initializer), fanin.Normal()((5,), seed=stream))
        assert_raises(ValueError, initializer, (5,), "int32")
        assert_raises(ValueError, initializer, (-5,))
        assert keras.ops.convert_to_numpy(generator.state.value)[1] == 3
    again = ours.get(json.loads(json.dumps(ours.serialize(initializer))))
    assert again.seed.get_config() == generator.get_config()


REPEATED_CASES = [
    *((name, {}) for name in REPEATED),
    ("RandomUniform", {"minval": -0.3, "maxval": 1.7}),
    ("RandomNormal", {"mean": 0.5, "stddev": 2.0}),
    ("TruncatedNormal", {"mean": 0.5, "stddev": 2.0}),
    ("VarianceScaling", {"scale": 0.3, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform", "input_axes": [0], "output_axes": [1]}),
]


def check_backend_repeats_keras_own_numbers():
    """With `backend=` every bit is Keras' on its backend: each class, seed, shape and real dtype; on JAX float32."""
    import keras

    import fanin.compat.keras as ours

    backend = keras.backend.backend()
    dtypes = ["float32"] if backend == "jax" else ["float32", "float64", "float16", "bfloat16"]

    def values(tensor):
        return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float64" if backend != "jax" else "float32"))

    for name, arguments in REPEATED_CASES:
        vectors = [] if "input_axes" in arguments else [((), 7), ((5,), 7), ((0, 3), 7)]
        for shape, seed in [((2, 3), 0), ((2, 3), 2**32 - 1), ((300, 256), 7), ((3, 3, 17, 9), 7), *vectors]:
            for dtype in dtypes:
                theirs = getattr(keras.initializers, name)(**arguments, seed=seed)(shape, dtype)
                mine = getattr(ours, name)(**arguments, seed=seed, backend=backend)(shape, dtype)
                assert mine.dtype == theirs.dtype
                assert np.array_equal(values(mine), values(theirs)), (name, arguments, shape, seed, dtype)
        both = [getattr(module, name)(**arguments, seed=keras.random.SeedGenerator(5), **given)
                for module, given in ((keras.initializers, {}), (ours, {"backend": backend}))]
        for _ in range(3):
            theirs, mine = (values(each((4, 33))) for each in both)
            assert np.array_equal(mine, theirs), name


def check_parameters_may_be_tensors():
    """A scalar tensor is taken for its number; an array of the backend is a constant."""
    import keras

    import fanin.compat.keras as ours

    made = ours.RandomNormal(mean=keras.ops.convert_to_tensor(0.5), stddev=keras.ops.convert_to_tensor(2.0), seed=1)
    assert made.get_config() == {"mean": 0.5, "stddev": 2.0, "seed": 1}
    constant = ours.Constant(keras.ops.convert_to_tensor([1.0, 2.0]))
    assert keras.ops.convert_to_numpy(constant.clone()((2, 2))).tolist() == [[1, 2], [1, 2]]


def check_custom_objects_win():
    """What a user registered or put into scope is found by our `get` and `deserialize`, before Keras' names."""
    import keras

    import fanin.compat.keras as ours

    @keras.saving.register_keras_serializable("mine")
    class Sevens(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.ops.full(shape, 7.0, dtype)

    @keras.saving.register_keras_serializable("mine")
    def eights(shape, dtype=None):
        return keras.ops.full(shape, 8.0, dtype)

    assert type(ours.get("mine>Sevens")) is Sevens
    assert type(ours.get(ours.serialize(Sevens()))) is Sevens
    assert ours.get(ours.serialize(eights)) is eights
    assert type(ours.deserialize({"class_name": "S", "config": {}}, {"S": Sevens})) is Sevens
    with keras.saving.custom_object_scope({"HeNormal": Sevens}):
        assert type(ours.get("HeNormal")) is Sevens
    with keras.saving.custom_object_scope({"GlorotUniform": ours.GlorotUniform}):
        assert type(keras.layers.Dense(2, kernel_initializer="GlorotUniform").kernel_initializer) is ours.GlorotUniform
    assert type(keras.initializers.get("he_normal")) is keras.initializers.HeNormal
    assert type(keras.initializers.get("fanin>HeNormal")) is ours.HeNormal


def check_symbolic_builds():
    """Layers that are built while Keras traces their call draw the same values, and stay usable."""
    import keras

    import fanin.compat.keras as ours

    class Inner(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(4, kernel_initializer=ours.HeNormal(seed=2))
            self.other = keras.layers.Dense(4, kernel_initializer=ours.HeNormal(seed=ours.SeedGenerator(2)))

        def call(self, x):
            return self.dense(x) + self.other(x)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, Inner()(inputs))
    expected = keras.ops.convert_to_numpy(ours.HeNormal(seed=2)((4, 4)))
    weights = model.get_weights()
    assert np.array_equal(weights[0], expected)
    assert np.isfinite(weights[2]).all()
    assert tuple(model(np.ones((2, 4), "float32")).shape) == (2, 4)


def check_training(folder):
    """A model drawn by us is compiled and trained (numpy's backend only predicts)."""
    import keras

    import fanin.compat.keras as ours

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer=ours.HeNormal(seed=1))])
    x = np.ones((8, 3), "float32")
    if keras.backend.backend() == "numpy":
        assert model.predict(x, verbose=0).shape == (8, 2)
        return
    before = model.get_weights()[0]
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((8, 2), "float32"), epochs=2, verbose=0)
    assert not np.array_equal(model.get_weights()[0], before)


def check_jax_tracing():
    """Under jax.jit a draw is a constant, also with a SeedGenerator; a traced state is refused with the way out."""
    import keras

    import fanin
    import fanin.compat.keras as ours

    if keras.backend.backend() != "jax":
        return
    import jax

    generator = ours.SeedGenerator(3)
    seen = []

    def draw(x):
        for seed in (3, generator, generator):
            seen.append(ours.HeNormal(seed=seed)((4, 4)))
        return x + sum(seen)

    result = jax.jit(draw)(np.zeros((4, 4), "float32"))
    assert [type(drawn) for drawn in seen] == [type(result)] * 3
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])
    assert keras.ops.convert_to_numpy(generator.state.value).tolist() == [3, 2]
    shaped = jax.eval_shape(lambda: ours.Orthogonal(seed=1)((4, 3), "bfloat16"))
    assert (shaped.shape, shaped.dtype) == ((4, 3), jax.numpy.bfloat16)

    def draw_from(state):
        with keras.StatelessScope([(generator.state, state)]):
            return ours.HeNormal(seed=generator)((4, 4))

    error = assert_raises(fanin.FaninRuntimeError, jax.jit(draw_from), generator.state.value)
    assert "SeedGenerator" in str(error)
    assert keras.ops.convert_to_numpy(generator.state.value).tolist() == [3, 2]


def check_jax_sharded_variables():
    """A variable with a layout over two devices gets the values of an undistributed one."""
    import keras

    import fanin.compat.keras as ours

    if keras.backend.backend() != "jax":
        return
    mesh = keras.distribution.DeviceMesh((2,), ["model"], keras.distribution.list_devices("cpu"))
    layouts = keras.distribution.LayoutMap(mesh)
    layouts[".*kernel"] = (None, "model")
    keras.distribution.set_distribution(keras.distribution.ModelParallel(layout_map=layouts))
    try:
        layer = keras.layers.Dense(8, kernel_initializer=ours.GlorotUniform(seed=6))
        layer.build((None, 4))
    finally:
        keras.distribution.set_distribution(None)
    assert len(layer.kernel.value.sharding.device_set) == 2
    assert np.array_equal(layer.kernel.value, ours.GlorotUniform(seed=6)((4, 8)))


def check_digests_of_values(folder):
    """The bytes of draws in every floating dtype, for a comparison of backends."""
    import keras

    import fanin.compat.keras as ours

    digests = {}
    for name in CLASSES[1:]:
        for dtype in ("float16", "bfloat16", "float32"):
            shape = (16, 1, 9) if name == "STFT" else (33, 17)
            for seed in (["int", "generator"] if name in RANDOM else [None]):
                given = {"int": {"seed": 7}, "generator": {"seed": ours.SeedGenerator(7)}}.get(seed, {})
                initializer = getattr(ours, name)(**given)
                initializer(shape, dtype)
                drawn = keras.ops.convert_to_numpy(keras.ops.cast(initializer(shape, dtype), "float32"))
                digests[f"{name} {dtype} {seed}"] = hashlib.sha256(drawn.tobytes()).hexdigest()
    (folder / f"{keras.backend.backend()}.digests.json").write_text(json.dumps(digests))


CHECKS = {name: value for name, value in globals().items() if name.startswith("check_")}
LATER = "check_files_of_the_other_backends_load"  # once all have been saved


# -- tests: each looks at what its check found in the process of its backend -----------------------------------------


def run(backend, *arguments):
    env = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
           "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, *map(str, arguments)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="module")
def outcomes(folder):
    """Backend -> check -> the traceback, or None where the check passed."""
    found = {backend: json.loads(run(backend, __file__, folder, *sorted({*CHECKS} - {LATER}))) for backend in BACKENDS}
    found["numpy"] |= json.loads(run("numpy", __file__, folder, LATER))
    return found


@pytest.mark.parametrize(("backend", "check"), [(backend, check) for backend in BACKENDS for check in CHECKS
                                                if check != LATER or backend == "numpy"])
def test_with_keras(outcomes, backend, check):
    """What the check's docstring says holds on the backend."""
    assert outcomes[backend][check] is None, outcomes[backend][check]


def test_values_are_the_same_on_all_backends(outcomes, folder):
    """Every class gives the same bits on numpy, JAX and torch, in three dtypes, with an int and a SeedGenerator."""
    numpy, *others = (json.loads((folder / f"{backend}.digests.json").read_text()) for backend in BACKENDS)

    assert len(numpy) == 3 * (5 + 2 * 11)
    assert all(other == numpy for other in others)


def test_without_fanin_a_file_loads_with_keras_classes(outcomes, folder):
    """A process that doesn't import fanin reads the file: the same weights, Keras' own initializers."""
    code = f"""
import keras, numpy, sys
keras.initializers.STFT.from_config = classmethod(lambda cls, config: cls(window=None))  # it can't read an array
model = keras.models.load_model({str(folder / "jax.keras")!r})
saved = numpy.load({str(folder / "jax.npz")!r})
assert all(numpy.array_equal(a, saved[b]) for a, b in zip(model.get_weights(), saved.files, strict=True))
kinds = [type(layer.kernel_initializer) for layer in model.layers if hasattr(layer, "kernel_initializer")]
assert all(kind.__module__.startswith("keras.") for kind in kinds)
assert not any(name.split(".")[0] == "fanin" for name in sys.modules)
print(len(kinds))
"""
    assert run("numpy", "-c", code) == f"{4 + 3 * 11 + 1}\n"


def test_a_keras_that_cannot_be_imported_counts_as_absent():
    """Keras without a backend gives no import error here; only mixing such a state with a Keras that works does."""
    code = """
import os, sys
sys.modules["tensorflow"] = None
import fanin.compat.keras as k
print(type(k.HeNormal(seed=1)((2, 2))).__name__, k.HeNormal.__mro__[-2].__module__)
os.environ["KERAS_BACKEND"] = "numpy"
import keras
try:
    k.HeNormal(seed=1)((2, 2))
except RuntimeError as error:
    print(error)
"""
    printed = run("tensorflow", "-c", code).splitlines()

    assert printed[0] == "ndarray fanin.compat.keras"
    assert "set KERAS_BACKEND" in printed[1]


if __name__ == "__main__":
    results = {}
    for check in sys.argv[2:]:
        arguments = [Path(sys.argv[1])] if inspect.signature(CHECKS[check]).parameters else []
        try:
            results[check] = CHECKS[check](*arguments)
        except Exception:
            results[check] = traceback.format_exc()
    sys.stdout.write(json.dumps(results))
