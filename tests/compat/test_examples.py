"""The examples of each system's documentation run, with an array where they have a tensor of the same shape."""

import importlib

import numpy as np
import pytest

W35, W_CONV, LINEAR = (3, 5), (3, 16, 5, 5), (2, 2)

# (system, shape of `w`, what the documentation has below its import)
EXAMPLES = [
    ("torch", None, "gain = init.calculate_gain('leaky_relu', 0.2)"),
    ("torch", W35, "init.uniform_(w)"),
    ("torch", W35, "init.normal_(w)"),
    ("torch", W35, "init.trunc_normal_(w)"),
    ("torch", W35, "init.constant_(w, 0.3)"),
    ("torch", W35, "init.ones_(w)"),
    ("torch", W35, "init.zeros_(w)"),
    ("torch", W35, "init.eye_(w)"),
    ("torch", W_CONV, "init.dirac_(w)"),
    ("torch", (3, 24, 5, 5), "init.dirac_(w, 3)"),
    ("torch", W35, "init.xavier_uniform_(w, gain=init.calculate_gain('relu'))"),
    ("torch", W35, "init.xavier_normal_(w)"),
    ("torch", W35, "init.kaiming_uniform_(w, mode='fan_in', nonlinearity='relu')"),
    ("torch", W35, "init.kaiming_normal_(w, mode='fan_out', nonlinearity='relu')"),
    ("torch", W35, "init.kaiming_uniform_(w.T)"),
    ("torch", W35, "init.orthogonal_(w)"),
    ("torch", W35, "init.sparse_(w, sparsity=0.1)"),
    ("torch03", None, "gain = init.calculate_gain('leaky_relu')"),
    ("torch03", W35, "init.uniform(w)"),
    ("torch03", W35, "init.normal(w)"),
    ("torch03", W35, "init.constant(w, 0.3)"),  # the document's has no value
    ("torch03", W35, "init.eye(w)"),
    ("torch03", W_CONV, "init.dirac(w)"),
    ("torch03", W35, "init.xavier_uniform(w, gain=2 ** 0.5)"),
    ("torch03", W35, "init.xavier_normal(w)"),
    ("torch03", W35, "init.kaiming_uniform(w, mode='fan_in')"),
    ("torch03", W35, "init.kaiming_normal(w, mode='fan_out')"),
    ("torch03", W35, "init.orthogonal(w)"),
    ("torch03", W35, "init.sparse(w, sparsity=0.1)"),
    ("jittor", None, "assert init.eye(2).tolist() == [[1, 0], [0, 1]]"),
    ("jittor", None, "assert init.eye((2, 3), 'float32').tolist() == [[1, 0, 0], [0, 1, 0]]"),
    ("jittor", LINEAR, "init.eye_(w); assert w.tolist() == [[1, 0], [0, 1]]"),
    ("jittor", None, "assert init.constant(2).tolist() == [0, 0]"),
    ("jittor", None, "assert init.constant((2, 3), value=1.).tolist() == [[1, 1, 1], [1, 1, 1]]"),
    ("jittor", None, "assert (init.constant((2, 3), 'float32', 3.8) == np.float32(3.8)).all()"),
    ("jittor", LINEAR, "init.constant_(w); assert w.tolist() == [[0, 0], [0, 0]]"),
    ("jittor", None, "assert init.zero(2).tolist() == [0, 0] and init.zero((2, 3)).shape == (2, 3)"),
    ("jittor", LINEAR, "init.zero_(w); assert w.tolist() == [[0, 0], [0, 0]]"),
    ("jittor", None, "assert init.one(2).tolist() == [1, 1] and init.one((2, 3)).shape == (2, 3)"),
    ("jittor", LINEAR, "init.one_(w); assert w.tolist() == [[1, 1], [1, 1]]"),
    ("jittor", None, "a = init.uniform(5); assert a.shape == (5,)"),
    ("jittor", None, "a = init.uniform((2, 3), low=-1, high=1); assert a.shape == (2, 3)"),
    ("jittor", LINEAR, "init.uniform_(w, -1.0, 1.0)"),
    ("jittor", None, "a = init.gauss((2, 2), 'float32', 0.0, 1.0); assert a.shape == (2, 2)"),
    ("jittor", LINEAR, "init.gauss_(w, 0.0, 1.0)"),
    # the document's calls invariant_uniform_ with a shape, which fails
    ("jittor", None, "a = init.invariant_uniform((2, 2)); assert a.shape == (2, 2)"),
    ("jittor", LINEAR, "init.invariant_uniform_(w)"),
    ("jittor", None, "a = init.relu_invariant_gauss((2, 2)); assert a.shape == (2, 2)"),
    ("jittor", LINEAR, "init.relu_invariant_gauss_(w)"),
    ("jittor", LINEAR, "init.kaiming_uniform_(w)"),
    ("jittor", LINEAR, "init.kaiming_normal_(w)"),
    ("jittor", None, "a = init.xavier_uniform((2, 2), gain=init.calculate_gain('relu')); assert a.shape == (2, 2)"),
    ("jittor", LINEAR, "init.xavier_uniform_(w, init.calculate_gain('relu'))"),
    ("jittor", LINEAR, "init.xavier_gauss_(w, init.calculate_gain('relu'))"),
    ("jittor", None, "gain = init.calculate_gain('leaky_relu', 0.2)"),
    ("jittor", LINEAR, "init.trunc_normal_(w, std=.02)"),
    # flint's and storch's have no examples: how their own layers and models call them
    ("flint", (64, 32), "init.kaiming_uniform_(w, a=5 ** 0.5)"),
    ("flint", (32,), "init.uniform_(w, -1 / 32 ** 0.5, 1 / 32 ** 0.5)"),
    ("flint", (64, 32, 3, 3), "init.kaiming_normal_(w, mode='fan_out', nonlinearity='relu')"),
    ("storch", (64, 32, 3, 3), "init.kaimingNormal_(w, mode=init.Mode.FanOut, nonlinearity=init.NonLinearity.ReLU)"),
    ("storch", (64,), "init.constant_(w, 1)"),
]


@pytest.mark.parametrize(("system", "shape", "example"), EXAMPLES, ids=[f"{row[0]}: {row[2]}" for row in EXAMPLES])
def test_documented_examples(system, shape, example):
    """The example runs; an array that it fills holds other, finite numbers afterwards."""
    init = importlib.import_module(f"fanin.compat.{system}")
    names = {"init": init, "np": np}
    if shape is not None:
        names["w"] = np.full(shape, 9.5, np.float32)
    exec(example, names)
    if shape is not None:
        assert np.isfinite(names["w"]).all() and (names["w"] != 9.5).all()
    if "gain = " in example:
        assert names["gain"] == pytest.approx((2 / (1 + (0.2 if "0.2" in example else 0.01) ** 2)) ** 0.5)
