"""fanin.compat.keras without Keras: the names, signatures, defaults, results and errors of `keras.initializers`."""

import copy
import inspect
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from fanin import FaninError, Stream
from fanin._dtypes import as_dtype
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
    SIGNATURES,
    STRINGS,
    signature_of,
    without_keras,
)


@pytest.fixture(scope="module")
def initializers():
    with without_keras() as module:
        yield module


def public(module):
    return {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}


def test_the_module_has_keras_names_and_the_seed_generator(initializers):
    """No name of keras.initializers is missing, and the only other one is keras.random's SeedGenerator."""
    assert public(initializers) == {*SIGNATURES, *ALIASES, "SeedGenerator"}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(initializers, name):
    """Parameters and defaults are Keras'."""
    assert signature_of(getattr(initializers, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", CLASSES)
def test_instances_are_called_with_a_shape_and_a_dtype(initializers, name):
    """Every class draws by `(shape, dtype=None)`, and has a config and a docstring."""
    cls = getattr(initializers, name)

    assert signature_of(cls.__call__) == "(self, shape, dtype=None)"
    assert signature_of(cls.from_config) == "(config)"
    assert issubclass(cls, initializers.Initializer)
    assert len(inspect.getdoc(cls)) > 30


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "Initializer"])
def test_the_docstring_names_the_parameters_and_has_an_example(initializers, name):
    """A class documents each of its own parameters."""
    cls = getattr(initializers, name)
    text = inspect.getdoc(cls)

    assert [parameter for parameter in inspect.signature(cls).parameters if parameter not in text] == []
    assert ">>>" in text


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_the_class(initializers, alias):
    """keras.initializers.he_normal is keras.initializers.HeNormal, and so on."""
    assert getattr(initializers, alias) is getattr(initializers, ALIASES[alias])


@pytest.mark.parametrize("string", STRINGS)
def test_get_knows_every_string_of_keras(initializers, string):
    """A string gives a new instance of the class, with its defaults."""
    found = initializers.get(string)

    assert type(found) is getattr(initializers, STRINGS[string])
    assert found is not initializers.get(string)


@pytest.mark.parametrize(("name", "arguments", "config"), CONFIGS)
def test_config(initializers, name, arguments, config):
    """The config is Keras', JSON holds it, and from_config, clone, get and deserialize make the same of it."""
    made = getattr(initializers, name)(**arguments)

    assert made.get_config() == config
    read = json.loads(json.dumps(initializers.serialize(made)))
    assert set(read) == {"module", "class_name", "config", "registered_name"}
    for again in (type(made).from_config(made.get_config()), made.clone(), initializers.get(read),
                  initializers.deserialize(read), initializers.get({"class_name": name, "config": config}),
                  pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert type(again) is type(made)
        assert again.get_config() == config


@pytest.mark.parametrize(("name", "arguments", "shape", "dtype"), DRAWS)
def test_draw(initializers, name, arguments, shape, dtype):
    """A draw is a numpy array of the shape and dtype asked for, float32 by default, with finite values."""
    drawn = getattr(initializers, name)(**arguments)(shape, dtype)

    assert type(drawn) is np.ndarray
    assert drawn.shape == ((shape,) if isinstance(shape, int) else tuple(shape))
    assert drawn.dtype == as_dtype(dtype or "float32")
    assert np.isfinite(drawn.astype(complex)).all() or arguments == {"value": float("inf")}


@pytest.mark.parametrize(("name", "arguments", "error"), REFUSED_ARGUMENTS)
def test_refused_arguments(initializers, name, arguments, error):
    """A wrong argument raises what Keras raises, when the initializer is made."""
    with pytest.raises(error):
        getattr(initializers, name)(**arguments)


@pytest.mark.parametrize(("name", "arguments", "shape", "dtype", "error"), REFUSED_CALLS)
def test_refused_calls(initializers, name, arguments, shape, dtype, error):
    """A call that nothing can be drawn for raises what Keras raises, and one of fanin's errors."""
    initializer = getattr(initializers, name)(**arguments)

    with pytest.raises(error) as caught:
        initializer(shape, dtype)
    assert isinstance(caught.value, FaninError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("identifier", "error"), REFUSED_IDENTIFIERS)
def test_refused_identifiers(initializers, identifier, error):
    """`get` raises what Keras' raises."""
    with pytest.raises(error) as caught:
        initializers.get(identifier)
    assert isinstance(caught.value, FaninError)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_random_numbers_are_floating(initializers, name, dtype):
    """An integer dtype is refused, as on the JAX backend; on numpy's Keras rounds everything to 0."""
    with pytest.raises(ValueError, match="`dtype` must be a floating-point type"):
        getattr(initializers, name)()((2, 2), dtype)


@pytest.mark.parametrize(("arguments", "word"), [
    ({"stddev": -0.1}, "stddev"), ({"mean": float("nan")}, "mean"), ({"stddev": "a"}, "stddev"),
])
@pytest.mark.parametrize("name", ["RandomNormal", "TruncatedNormal"])
def test_messages_have_keras_words(initializers, name, arguments, word):
    """An error names the argument as the caller wrote it, at construction."""
    with pytest.raises(FaninError, match=f"`{word}` must be"):
        getattr(initializers, name)(**arguments)


def test_a_uniform_whose_ends_are_swapped_is_refused(initializers):
    """minval > maxval raises, as on Keras' numpy backend; its torch backend draws, JAX's makes a constant."""
    with pytest.raises(ValueError, match="`minval` must be <= `maxval`"):
        initializers.RandomUniform(0.05, -0.05)


@pytest.mark.parametrize("name", EXAMPLES)
def test_documented_example(initializers, name):
    """The standalone example of Keras' documentation runs."""
    values = eval(EXAMPLES[name], vars(initializers))(shape=(2, 2))

    assert values.shape == (2, 2)


def test_documented_examples_of_get(initializers):
    """The examples of Keras' `get`: a name, a config, a function, an array; and what `Initializer` documents."""
    assert isinstance(initializers.get("Ones"), initializers.Ones)
    assert isinstance(initializers.get({"class_name": "Ones", "config": {}}), initializers.Ones)

    def ones(shape, dtype=None):
        return np.ones(shape, dtype)

    assert initializers.get(ones) is ones
    assert np.array_equal(initializers.get(np.ones((5, 5)))((5, 5)), np.ones((5, 5)))
    config = initializers.RandomUniform(-1, 1).get_config()
    assert initializers.RandomUniform.from_config(config).minval == -1

    class ExampleRandomNormal(initializers.Initializer):
        def __init__(self, mean, stddev):
            self.mean, self.stddev = mean, stddev

        def __call__(self, shape, dtype=None):
            return np.full(shape, self.mean, dtype)

        def get_config(self):
            return {"mean": self.mean, "stddev": self.stddev}

    made = ExampleRandomNormal(2.0, 1.0)
    assert made.clone().get_config() == {"mean": 2.0, "stddev": 1.0}
    read = initializers.deserialize(initializers.serialize(made), {"ExampleRandomNormal": ExampleRandomNormal})
    assert read.get_config() == made.get_config()


def test_get_of_none_a_class_an_instance(initializers):
    """None is None, a class is made, an instance is itself."""
    made = initializers.HeNormal(seed=1)

    assert initializers.get(None) is None
    assert initializers.serialize(None) is None
    assert initializers.deserialize(None) is None
    assert initializers.get(made) is made
    assert type(initializers.get(initializers.HeNormal)) is initializers.HeNormal
    assert initializers.deserialize("fanin>HeNormal").get_config() == initializers.HeNormal().get_config()


def test_get_of_an_array_copies_it_in_the_dtype_asked_for(initializers):
    """An array stands for its own values: cast, integers without fractions, in its own shape only."""
    array = np.array([[1.5, -2.5]])
    initializer = initializers.get(array)

    drawn = initializer((1, 2))
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn, array)
    assert not np.shares_memory(drawn, array)
    assert np.array_equal(initializer((1, 2), "int32"), [[1, -2]])
    assert initializers.get(np.float32(2.0))(()) == 2.0
    with pytest.raises(ValueError, match="`shape` must be that of the array"):
        initializer((2, 1))


@pytest.mark.parametrize(("name", "arguments"), [
    ("Identity", {"gain": 2.5}),
    ("Constant", {"value": np.arange(3.0)}),
    ("Constant", {"value": np.arange(3, dtype="int16")}),
    ("STFT", {"window": [0.0, 1.0, 0.5, 0.25]}),
    ("STFT", {"window": np.array([0.0, 1.0, 0.5, 0.25])}),
])
def test_what_keras_loses_in_a_config_is_kept(initializers, name, arguments):
    """Identity's gain, and arrays, survive JSON (Keras: gain 2.5 comes back as 1, a window as a dict)."""
    made = getattr(initializers, name)(**arguments)
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(made))))
    shape = {"Identity": (2, 3), "Constant": (2, 3), "STFT": (4, 1, 3)}[name]

    assert np.array_equal(again(shape), made(shape))
    assert again.get_config() == made.get_config()


def test_keras_configs_are_read(initializers):
    """What Keras itself serialized becomes the class of the same name, seeds and arrays too."""
    read = initializers.deserialize({
        "module": "keras.initializers", "class_name": "HeNormal", "registered_name": None,
        "config": {"seed": {"module": "keras.random", "class_name": "SeedGenerator",
                            "config": {"seed": 3, "name": "mine"}, "registered_name": None}},
    })
    assert isinstance(read.seed, initializers.SeedGenerator)
    assert read.seed.get_config() == {"seed": 3, "name": "mine"}
    constant = {"value": {"class_name": "__tensor__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}}
    assert np.array_equal(initializers.Constant.from_config(constant)((2,)), [1.0, 2.0])


def test_unknown_names_get_close_matches(initializers):
    """A name that is nearly right is answered with the right one."""
    with pytest.raises(ValueError, match="did you mean.*'HeNormal'"):
        initializers.get("HeNormall")


def test_unknown_parameters_name_the_known_ones(initializers):
    """A config with a parameter that the class doesn't have is a TypeError that lists those it has."""
    with pytest.raises(TypeError, match="which are seed, input_axes, output_axes, backend .*'sed'"):
        initializers.deserialize({"class_name": "HeNormal", "config": {"sed": 1}})


def test_only_initializers_are_serialized(initializers):
    """Without Keras, functions have no config."""
    with pytest.raises(TypeError, match="with a get_config"):
        initializers.serialize(np.ones)


def test_repr_rebuilds(initializers):
    """An instance prints as the expression that makes it."""
    made = initializers.VarianceScaling(0.5, "fan_out", seed=3)

    assert repr(made) == ("VarianceScaling(seed=3, scale=0.5, mode='fan_out', distribution='truncated_normal', "
                          "input_axes=None, output_axes=None)")
    assert eval(repr(made), vars(initializers)).get_config() == made.get_config()


def test_a_stream_becomes_its_seed_and_position(initializers):
    """The config of a Stream goes on where the stream is."""
    stream = Stream(5, position=2)
    made = initializers.RandomNormal(seed=stream)
    made((3,))
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(made))))

    assert made.get_config()["seed"] == {"seed": 5, "position": 3}
    assert again.seed == stream
    assert np.array_equal(again((3,)), made((3,)))


def test_importing_without_keras_loads_no_framework():
    """The module needs numpy alone until something is drawn."""
    code = ("import sys; sys.modules['keras'] = None; import fanin.compat.keras as k; k.get('he_normal'); "
            "print({name.split('.')[0] for name in sys.modules} & {'torch', 'jax', 'tensorflow', 'numba', 'scipy'})")

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
