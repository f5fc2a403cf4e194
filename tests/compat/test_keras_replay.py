"""fanin.compat.keras with `backend=` and without Keras: numbers that Keras drew, and what is refused.

tests/interop compares with Keras itself, over classes, shapes, seeds and dtypes.
"""

import numpy as np
import pytest

from fanin import FaninError, Stream
from keras_api import REPEATED, without_keras

BACKENDS = ["jax", "torch", "numpy"]

# (class, backend) -> the elements of Keras 3.15's draw of shape (2, 3), float32, seed 7.
DRAWN = {
    ("GlorotUniform", "jax"):
        "-0x1.7bcb8ap-2 -0x1.f29a18p-2 0x1.b32e8p-3 0x1.fbcc9ep-2 -0x1.dba7ccp-1 -0x1.dc079ep-3",
    ("RandomNormal", "jax"):
        "-0x1.66c4eap-6 -0x1.e2f084p-6 0x1.925338p-7 0x1.ecfdf6p-6 -0x1.256d4ep-4 -0x1.b8f8fp-7",
    ("TruncatedNormal", "jax"):
        "-0x1.55708ap-6 -0x1.ca728ap-6 0x1.7fac1ep-7 0x1.d3e014p-6 -0x1.0c17fcp-4 -0x1.a4736p-7",
    ("HeNormal", "jax"):
        "-0x1.e534b2p-2 -0x1.45bd8cp-1 0x1.109c4cp-2 0x1.4c707p-1 -0x1.7cfa1ap+0 -0x1.2abe1cp-2",
    ("GlorotUniform", "torch"):
        "0x1.39642p-4 -0x1.51ddp-1 0x1.652fd8p-2 0x1.5ffa98p-2 -0x1.2bc55cp-1 -0x1.503ec8p-3",
    ("RandomNormal", "torch"):
        "-0x1.e104a8p-8 0x1.4200e4p-5 0x1.83d172p-5 -0x1.c86f7p-5 0x1.5a4618p-4 -0x1.6e858p-5",
    ("TruncatedNormal", "torch"):
        "-0x1.4fed56p-5 -0x1.119b36p-7 -0x1.5bb686p-5 -0x1.0ae616p-4 -0x1.63004p-5 0x1.c0bffp-5",
    ("HeNormal", "torch"):
        "-0x1.dd5f4cp-1 -0x1.84cf88p-3 -0x1.ee1ee4p-1 -0x1.7b4768p+0 -0x1.f87a34p-1 0x1.3ed996p+0",
    ("GlorotUniform", "numpy"):
        "0x1.18a5ecp-2 0x1.bd91a6p-1 0x1.353f1cp-1 -0x1.343eb4p-1 -0x1.c0523ep-2 0x1.a3073cp-1",
    ("RandomNormal", "numpy"):
        "0x1.01fb5cp-14 0x1.e976f6p-7 -0x1.c125cp-7 -0x1.6cc952p-5 -0x1.74776p-6 -0x1.962daep-5",
    ("TruncatedNormal", "numpy"):
        "0x1.01fb5cp-14 0x1.e976f6p-7 -0x1.c125cp-7 -0x1.6cc952p-5 -0x1.74776p-6 -0x1.962daep-5",
    ("HeNormal", "numpy"):
        "0x1.6e9b82p-10 0x1.5bc774p-2 -0x1.3f21eep-2 -0x1.033108p+0 -0x1.08a5f8p-1 -0x1.209a0ep+0",
}


@pytest.fixture(scope="module")
def initializers():
    with without_keras() as module:
        yield module


@pytest.mark.parametrize(("name", "backend"), DRAWN)
def test_numbers_are_those_that_keras_drew(initializers, name, backend):
    """Without Keras and its backends, the bits are Keras' own."""
    drawn = getattr(initializers, name)(seed=7, backend=backend)((2, 3))

    assert drawn.ravel().tolist() == [float.fromhex(value) for value in DRAWN[name, backend].split()]


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_config_keeps_the_backend(initializers, name, backend):
    """A copy from the config, by name or by class, draws the same; without a backend the config is Keras'."""
    made = getattr(initializers, name)(seed=7, backend=backend)

    copy = initializers.get(initializers.serialize(made))

    assert copy.get_config() == made.get_config()
    assert made.get_config()["backend"] == backend
    assert np.array_equal(copy((4, 5)), made((4, 5)))
    assert "backend" not in getattr(initializers, name)(seed=7).get_config()


@pytest.mark.parametrize("backend", BACKENDS)
def test_seeds(initializers, backend):
    """An int and None repeat; a SeedGenerator draws other values each time, a new one of its seed the same again."""
    def drawn(seed, times=2):
        made = initializers.RandomNormal(seed=seed, backend=backend)
        return [made((3,)).tolist() for _ in range(times)]

    generated = drawn(initializers.SeedGenerator(7))

    assert drawn(7)[0] == drawn(7)[1] == generated[0] != generated[1]
    assert drawn(None)[0] != drawn(None)[0]
    assert drawn(initializers.SeedGenerator(7)) == generated


@pytest.mark.parametrize(("arguments", "dtype", "words"), [
    ({"backend": "tensorflow"}, "float32", "`backend` must be"),
    ({"backend": "jax", "seed": 2**32}, "float32", "`seed` must be an int in"),
    ({"backend": "jax", "seed": Stream(1)}, "float32", "leave out `backend`"),
    ({"backend": "jax", "seed": 1}, "bfloat16", "`dtype` must be one that backend='jax' repeats: float32"),
    ({"backend": "torch", "seed": 1}, "complex64", "`dtype` must be one that backend='torch' repeats"),
    ({"backend": "numpy", "seed": 1}, "int32", "`dtype` must be a floating-point type"),
])
def test_what_cannot_be_repeated_is_refused(initializers, arguments, dtype, words):
    """A backend, seed or dtype without numbers to repeat is an error that says which there are."""
    with pytest.raises(FaninError, match=words.replace("(", r"\(")) as caught:
        initializers.HeNormal(**arguments)((3, 4), dtype)
    assert isinstance(caught.value, ValueError)
