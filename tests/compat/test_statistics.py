"""The law of each random function, at n = 1e6: mean, std and bounds within 5 sigma of the exact values.

An assertion of one test rejects a right draw with a probability below 1e-6 (5 sigma of a mean: 5.7e-7; the extreme of
a uniform draw 14 mean spacings inside its bound: e^-14 = 8e-7); all together below 1e-3, once, since seeds are fixed.
"""

import importlib
import math
from typing import NamedTuple

import numpy as np
import pytest
import scipy.stats

from compat.interfaces import NEW, SYSTEMS, functions

N = 10**6
SIGMA = 5
SPACINGS = 14

MATRIX = (500, 2000)
KERNEL = (50, 100, 10, 20)  # fan_in 20 000, fan_out 10 000
IN, OUT = {MATRIX: 2000, KERNEL: 20_000}, {MATRIX: 500, KERNEL: 10_000}


class Law(NamedTuple):
    """What the values are to be like: the bounds, where there are any, with the density at each."""

    std: float
    mean: float = 0.0
    bounds: tuple | None = None
    density: tuple | None = None


def uniform(half_width, mean=0.0):
    return Law(half_width / math.sqrt(3), mean, (mean - half_width, mean + half_width), (0.5 / half_width,) * 2)


def scaled(kind, scale, fan):
    std = math.sqrt(scale / fan)
    return uniform(std * math.sqrt(3)) if kind == "uniform" else Law(std)


def truncated(std, low, high):
    """The normal distribution with mean 0 on [low, high]."""
    law = scipy.stats.truncnorm(low / std, high / std, scale=std)
    return Law(law.std(), law.mean(), (low, high), (law.pdf(low), law.pdf(high)))


def torch_family(system, kaiming, xavier):
    """The rows that torch, torch03, flint and storch share, given how they spell the names."""
    for kind in ("uniform", "normal"):
        for shape in (MATRIX, KERNEL):
            average = (IN[shape] + OUT[shape]) / 2
            yield system, xavier[kind], {}, shape, scaled(kind, 1, average)
            yield system, xavier[kind], {"gain": 3.0}, shape, scaled(kind, 9, average)
            yield system, kaiming[kind], {}, shape, scaled(kind, 2, IN[shape])
            yield system, kaiming[kind], {"a": math.sqrt(5)}, shape, scaled(kind, 1 / 3, IN[shape])


def torch_names(ending):
    return ({kind: f"kaiming_{kind}{ending}" for kind in ("uniform", "normal")},
            {kind: f"xavier_{kind}{ending}" for kind in ("uniform", "normal")})


def modes(system, names, out="fan_out", **gains):
    """fan_out, and nonlinearities with the scales (squared gains) that they stand for."""
    for kind, name in names.items():
        yield system, name, {"mode": out}, KERNEL, scaled(kind, 2, OUT[KERNEL])
        for nonlinearity, scale in gains.items():
            yield system, name, {"mode": out, "nonlinearity": nonlinearity}, KERNEL, scaled(kind, scale, OUT[KERNEL])


_GAINS = {"relu": 2, "tanh": 25 / 9, "linear": 1, "leaky_relu": 2}
_STORCH = importlib.import_module("fanin.compat.storch")
_STORCH_NAMES = ({"uniform": "kaimingUniform_", "normal": "kaimingNormal_"},
                 {"uniform": "xavierUniform_", "normal": "xavierNormal_"})

LAWS = [
    *(row for system in ("torch", "flint") for row in torch_family(system, *torch_names("_"))),
    *torch_family("torch03", *torch_names("")),
    *torch_family("storch", *_STORCH_NAMES),
    *modes("torch", torch_names("_")[0], "FAN_OUT", selu=9 / 16, **_GAINS),
    *modes("torch03", torch_names("")[0]),
    *modes("flint", torch_names("_")[0], "Fan_Out", selu=9 / 16, **_GAINS),
    *modes("jittor", torch_names("_")[0], "FAN_out", **_GAINS),
    *(("storch", name, {"mode": _STORCH.Mode.FanOut, "nonlinearity": nonlinearity}, KERNEL,
       scaled(kind, scale, OUT[KERNEL]))
      for kind, name in _STORCH_NAMES[0].items()
      for nonlinearity, scale in ((_STORCH.NonLinearity.ReLU, 2), (_STORCH.NonLinearity.Conv3D, 1))),
    *((system, name, {}, MATRIX, uniform(0.5, 0.5))
      for system, name in (("torch", "uniform_"), ("torch03", "uniform"), ("flint", "uniform_"),
                           ("storch", "uniform_"), ("jittor", "uniform"), ("jittor", "uniform_"),
                           ("jittor", "random_"))),
    *((system, name, {"a": -3.0, "b": 1.0}, (N,), uniform(2.0, -1.0))
      for system, name in (("torch", "uniform_"), ("torch03", "uniform"), ("flint", "uniform_"),
                           ("storch", "uniform_"))),
    *(("jittor", name, {"low": low, "high": high}, (N,), uniform(2.0, -1.0))
      for name in ("uniform", "uniform_") for low, high in ((-3.0, 1.0), (1.0, -3.0))),
    *((system, name, {}, MATRIX, Law(1.0))
      for system, name in (("torch", "normal_"), ("torch03", "normal"), ("flint", "normal_"), ("jittor", "gauss"),
                           ("jittor", "gauss_"), ("jittor", "normal_"))),
    *((system, name, {"mean": 3.0, "std": 0.5}, (N,), Law(0.5, 3.0))
      for system, name in (("torch", "normal_"), ("torch03", "normal"), ("flint", "normal_"), ("storch", "normal_"),
                           ("jittor", "gauss"), ("jittor", "gauss_"))),
    ("jittor", "gauss", {"mean": 3.0, "std": -0.5}, (N,), Law(0.5, 3.0)),
    *((system, "trunc_normal_", {}, MATRIX, truncated(1.0, -2.0, 2.0)) for system in ("torch", "jittor")),
    *((system, "trunc_normal_", {"std": 0.02, "a": 0.0, "b": 0.02}, (N,),
       truncated(0.02, 0.0, 0.02)) for system in ("torch", "jittor")),
    *(("flint", f"lecun_{kind}_", {}, KERNEL, scaled(kind, 1, IN[KERNEL])) for kind in ("uniform", "normal")),
    *(("jittor", f"invariant_uniform{form}", {"mode": mode}, KERNEL, scaled("uniform", 1 / 3, fan[KERNEL]))
      for form in ("", "_") for mode, fan in (("fan_in", IN), ("fan_out", OUT))),
    *(("jittor", f"relu_invariant_gauss{form}", {"mode": mode}, KERNEL, scaled("normal", 2, fan[KERNEL]))
      for form in ("", "_") for mode, fan in (("fan_in", IN), ("fan_out", OUT))),
    *(("jittor", f"xavier_{name}{form}", {"gain": gain}, KERNEL, scaled(name, gain**2, 15_000))
      for form in ("", "_") for name in ("uniform", "gauss") for gain in (1.0, -2.0)),
    *(("jittor", f"kaiming_{kind}_", {"a": True}, KERNEL, scaled(kind, 1, IN[KERNEL]))
      for kind in ("uniform", "normal")),
]


def draw(system, name, arguments, shape):
    function = getattr(importlib.import_module(f"fanin.compat.{system}"), name)
    if SYSTEMS[system][name][1] is NEW:
        return function(shape, **arguments, generator=1)
    w = np.empty(shape, np.float32)
    function(w, **arguments, generator=1)
    return w


def assert_law(w, law):
    x = w.astype(np.float64).ravel()
    square = (x - law.mean) ** 2
    assert abs(x.mean() - law.mean) < SIGMA * law.std / math.sqrt(N)
    assert abs(square.mean() - law.std**2) < SIGMA * square.std() / math.sqrt(N)
    if law.bounds is not None:
        inside = np.array([x.min() - law.bounds[0], law.bounds[1] - x.max()])
        assert (inside >= -(2**-22) * np.abs(law.bounds)).all()  # a bound rounded to float32
        assert (inside < SPACINGS / (N * np.array(law.density))).all()


@pytest.mark.parametrize(("system", "name", "arguments", "shape", "law"), LAWS,
                         ids=[f"{row[0]}.{row[1]}-{number}" for number, row in enumerate(LAWS)])
def test_laws(system, name, arguments, shape, law):
    """The values have the mean, the std and the bounds of the system's documented law."""
    assert_law(draw(system, name, arguments, shape), law)


def test_every_random_function_has_a_law():
    """Besides those of the table: orthogonal and sparse matrices, which have tests of their own below."""
    random = {(system, name) for system, name, row in functions() if "generator" in row[0]}

    assert {(row[0], row[1]) for row in LAWS} | {pair for pair in random if "orth" in pair[1] or "sparse" in pair[1]} \
        == random


@pytest.mark.parametrize(("name", "arguments", "law"), [
    ("normal_", {}, Law(1.0)), ("uniform_", {"a": -1.0}, uniform(1.0)),
    ("trunc_normal_", {}, truncated(1.0, -2.0, 2.0)),
])
def test_power(name, arguments, law):
    """The same assertions reject values that are 1 % too large, or moved by 1 % of their std."""
    w = draw("torch", name, arguments, MATRIX)
    assert_law(w, law)
    for wrong in (w * np.float32(1.01), w + np.float32(0.01 * law.std)):
        with pytest.raises(AssertionError):
            assert_law(wrong, law)


@pytest.mark.parametrize(("system", "name"), [("torch", "orthogonal_"), ("torch03", "orthogonal"),
                                              ("storch", "orthogonal_")])
@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (40, 40), (8, 4, 3, 3)])
def test_orthogonal(system, name, shape):
    """Rows, or columns where there are more rows, are orthonormal times the gain, and none of them is padding."""
    w = draw(system, name, {"gain": 2.0}, shape).reshape(shape[0], -1).astype(np.float64)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 4.0 * np.eye(len(gram)), atol=4e-5)
    assert (w != 0).any(axis=0).all() and (w != 0).any(axis=1).all()


@pytest.mark.parametrize(("system", "name"), [("torch", "sparse_"), ("torch03", "sparse"), ("storch", "sparse_")])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.25, 1.0])
def test_sparse(system, name, sparsity):
    """Each column has ceil(sparsity·rows) zeros, at rows of their own; the others are N(0, std²)."""
    rows, columns = 403, 5000
    w = draw(system, name, {"sparsity": sparsity, "std": 0.5}, (rows, columns))
    zeros = math.ceil(sparsity * rows)
    assert ((w == 0).sum(axis=0) == zeros).all()
    x = w[w != 0].astype(np.float64)
    assert zeros == rows or abs(np.mean(x**2) - 0.25) < SIGMA * 0.25 * math.sqrt(2 / x.size)
    per_row = (w == 0).sum(axis=1)  # each row is a zero with probability zeros/rows, column by column
    expected = columns * zeros / rows
    assert (abs(per_row - expected) <= (SIGMA + 2) * math.sqrt(expected * (1 - zeros / rows)) + 1e-9).all()
