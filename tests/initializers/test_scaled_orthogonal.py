"""ScaledOrthogonal: all singular values are gain·max(at_least, √(out/in)), in every layout."""

import math

import numpy as np
import pytest

from fanin import FaninValueError, Orthogonal, Registry, ScaledOrthogonal


@pytest.mark.parametrize("at_least", [0.0, 1.0])
@pytest.mark.parametrize(("layout", "shape", "rows", "columns", "ratio"), [
    ("oi*", (30, 20), (0,), (1,), 30 / 20), ("oi*", (20, 30, 2, 3), (0,), (1, 2, 3), 20 / 30),
    ("*io", (3, 5, 8, 40), (3,), (0, 1, 2), 40 / 8), ("ioo", (12, 2, 3), (1, 2), (0,), 6 / 12)])
def test_singular_values(layout, shape, rows, columns, ratio, at_least):
    """Of the matrix of outputs by inputs and kernel places, within 1e-12 in float64; the plan's std is theirs."""
    scheme = ScaledOrthogonal(-1.5, at_least, layout)
    w = scheme(shape, "float64", seed=0, name="w")
    matrix = w.transpose(*rows, *columns).reshape(math.prod(shape[d] for d in rows), -1)
    expected = 1.5 * max(at_least, math.sqrt(ratio))

    assert np.linalg.svd(matrix, compute_uv=False) == pytest.approx(np.full(min(matrix.shape), expected), rel=1e-12)
    assert math.sqrt((w**2).mean()) == pytest.approx(scheme.describe(shape).std)


def test_a_square_one_is_orthogonal():
    """Where out is in, the matrix is Orthogonal's; the name and the activation's gain; layouts that don't do."""
    assert (ScaledOrthogonal()((9, 9), seed=1) == Orthogonal()((9, 9), seed=1)).all()
    assert Registry.get("scaled_orthogonal", nonlinearity="relu") == ScaledOrthogonal(math.sqrt(2))
    for layout in ("boi", "o*", "i"):
        with pytest.raises(FaninValueError, match="`layout`"):
            ScaledOrthogonal(layout=layout)
