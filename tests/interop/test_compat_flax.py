"""`fanin.compat.flax` as `kernel_init=` and `bias_init=` of Flax modules, linen and nnx."""

import inspect

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fanin.compat import flax as ff

KEY = jax.random.key(3)
X = jnp.ones((2, 5, 4))


def equal(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: bool((np.asarray(x) == np.asarray(y)).all()), a, b))


def test_names_are_those_of_flax():
    """Every initializer of flax.nnx.initializers, with its parameters."""
    for name in dir(nnx.initializers):
        if callable(getattr(nnx.initializers, name)) and name[0].islower():
            ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (ff, nnx.initializers))
            assert list(ours.values()) == list(theirs.values()), name


class Net(nn.Module):
    """Layers of each kind, with the initializers of one module."""

    system: object

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(8, kernel_init=self.system.he_normal(), bias_init=self.system.zeros_init())(x)
        x = nn.Conv(4, (3,), kernel_init=self.system.lecun_normal(), bias_init=self.system.normal(0.1))(x)
        x = nn.DenseGeneral((2, 3), kernel_init=self.system.xavier_uniform())(x)
        x = nn.Dense(3, kernel_init=self.system.orthogonal())(x.reshape(*x.shape[:-2], 6))
        return nn.MultiHeadDotProductAttention(1, kernel_init=self.system.glorot_normal())(x, x)


@pytest.fixture(scope="module")
def plain():
    return Net(ff).init(KEY, X)


def test_linen_modules_get_the_parameters_that_jax_would_give(plain):
    """The same tree, within 1e-6 (the orthogonal one 1e-4)."""
    theirs = Net(nnx.initializers).init(KEY, X)
    differences = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), plain, theirs)

    assert jax.tree.structure(plain) == jax.tree.structure(theirs)
    assert max(jax.tree.leaves(differences)) < 1e-5


def test_linen_init_under_jit_vmap_and_eval_shape(plain):
    """Each gives the parameters, or the shapes and dtypes, of the plain call."""
    net, keys = Net(ff), jax.random.split(KEY, 2)
    shapes = jax.eval_shape(net.init, KEY, X)
    several = jax.vmap(net.init, (0, None))(keys, X)

    assert equal(jax.jit(net.init)(KEY, X), plain)
    assert jax.tree.map(lambda s: (s.shape, s.dtype), shapes) == jax.tree.map(lambda w: (w.shape, w.dtype), plain)
    assert equal(jax.tree.map(lambda w: w[1], several), net.init(keys[1], X))


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return nn.Dense(4, kernel_init=ff.he_uniform())(x), None


class Layers(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)()(x, None)


def test_linen_scan_gives_each_layer_its_own_parameters():
    """A scanned block is initialized inside the scan, with split keys; jit changes nothing."""
    params = Layers().init(KEY, X)
    (kernel,) = (w for w in jax.tree.leaves(params) if w.ndim == 3)

    assert kernel.shape == (3, 4, 4)
    assert len(np.unique(np.asarray(kernel))) == kernel.size
    assert equal(jax.jit(Layers().init)(KEY, X), params)


def linear(module):
    return nnx.Linear(4, 3, kernel_init=module.he_normal(), bias_init=module.constant(0.5), rngs=nnx.Rngs(0))


def test_nnx_modules_get_the_parameters_that_jax_would_give():
    """As JAX arrays, under jit and eval_shape too."""
    kernel = linear(ff).kernel[...]
    spec = nnx.eval_shape(lambda: linear(ff)).kernel

    assert isinstance(kernel, jax.Array)
    assert np.allclose(kernel, linear(nnx.initializers).kernel[...], rtol=3e-7)
    assert (nnx.jit(lambda: linear(ff))().kernel[...] == kernel).all()
    assert (spec.shape, spec.dtype) == ((4, 3), jnp.float32)


def test_nnx_vmap_and_scan_over_rngs():
    """An ensemble made in a vmap, and layers made in a scan, differ from each other."""
    @nnx.split_rngs(splits=5)
    @nnx.vmap(in_axes=0, out_axes=0)
    def ensemble(rngs):
        return nnx.Linear(4, 3, kernel_init=ff.lecun_normal(), rngs=rngs)

    @nnx.split_rngs(splits=5)
    @nnx.scan(in_axes=0, out_axes=0)
    def layers(rngs):
        return nnx.Linear(4, 3, kernel_init=ff.lecun_normal(), rngs=rngs)

    for kernel in (ensemble(nnx.Rngs(0)).kernel[...], layers(nnx.Rngs(0)).kernel[...]):
        assert kernel.shape == (5, 4, 3)
        assert len(np.unique(np.asarray(kernel))) == kernel.size


def test_param_dtype_is_followed():
    """A half-precision layer has half-precision parameters."""
    params = nn.Dense(3, param_dtype=jnp.bfloat16, kernel_init=ff.he_normal()).init(KEY, X)["params"]

    assert params["kernel"].dtype == jnp.bfloat16


def test_initializers_do_not_make_jit_trace_again():
    """Equal modules are equal and hash alike, because equal initializers do."""
    assert nn.Dense(3, kernel_init=ff.he_normal()) == nn.Dense(3, kernel_init=ff.he_normal())
    assert hash(nn.Dense(3, kernel_init=ff.he_normal())) == hash(nn.Dense(3, kernel_init=ff.he_normal()))
