"""The Haar-distributed matrices of fanin._drawing.haar: exact laws, orthonormality, blocks, memory.

False alarms: seeds are fixed, so a test passes or fails for good; a fresh seed would fail a statistical check of an
exact sampler with probability below 1e-5 (each of about 100 z-scores is held to 5.5, each KS p-value to 1e-7).
"""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fanin._drawing import haar as _orthogonal
from fanin._drawing.haar import PANEL, TILE, haar

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
SHAPES = [(1, 1), (2, 2), (5, 5), (300, 300), (500, 200), (200, 500), (1, 9), (9, 1), (700, 3), (3, 700)]


def tolerance(dtype):
    return 1e-5 if np.finfo(dtype).bits == 32 else 1e-13


def gaussian(rows, columns, dtype, seed=0):
    rng = np.random.default_rng(seed)
    shape = min(rows, columns), max(rows, columns)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = (x + 1j * rng.standard_normal(shape)) / np.sqrt(2)
    return x.astype(dtype)


def reader(x):
    """The callback that serves blocks of a ready matrix."""

    def normals(k, i, block):
        block[...] = x[k, i]

    return normals


def draw(rows, columns, dtype=np.float32, seed=0, **options):
    return haar(rows, columns, reader(gaussian(rows, columns, dtype, seed)), dtype, **options)


def gram_error(q):
    """The largest entry of |Q^H Q - I| for the smaller side, evaluated in double precision."""
    q = q.astype(np.promote_types(q.dtype, np.float64))
    gram = q.conj().T @ q if q.shape[0] >= q.shape[1] else q @ q.conj().T
    return np.abs(gram - np.eye(len(gram))).max()


def by_definition(x):
    """The product of the n reflectors, one matrix after the other, in double precision."""
    n, m = x.shape
    q = np.eye(m, dtype=np.promote_types(x.dtype, np.float64))
    d = np.ones(n, q.dtype)
    for k in range(n):
        v = np.zeros(m, q.dtype)
        v[k:] = x[k, k:]
        sign = v[k] / abs(v[k])
        v[k] += sign * np.linalg.norm(v)
        q = q - np.outer(q @ v, v.conj()) * (2 / np.vdot(v, v).real)
        d[k] = -sign
    return q[:, :n] * d


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_smaller_side_is_orthonormal(shape, dtype):
    """Q^H Q = I when tall, Q Q^H = I when wide, to the contract's bound."""
    q = draw(*shape, dtype)

    assert (q.shape, q.dtype) == (shape, dtype)
    assert gram_error(q) < tolerance(dtype)


@pytest.mark.parametrize(("n", "dtype"), [(512, d) for d in DTYPES] + [(2048, np.float32), (2048, np.float64)])
def test_large_squares_are_orthonormal(n, dtype):
    """The error of the Gram matrix doesn't grow with the number of reflectors."""
    assert gram_error(draw(n, n, dtype)) < tolerance(dtype) / 5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("panel", [1, 3, 64])
def test_panels_equal_the_product_of_single_reflectors(monkeypatch, panel, dtype):
    """Reflectors in panels of any width give the definition; a wide matrix is the transpose of the tall one."""
    monkeypatch.setattr(_orthogonal, "PANEL", panel)
    x = gaussian(40, 23, dtype)
    expected = by_definition(x)

    np.testing.assert_allclose(haar(40, 23, reader(x), dtype), expected, atol=tolerance(dtype), rtol=0)
    np.testing.assert_allclose(haar(23, 40, reader(x), dtype), expected.T, atol=tolerance(dtype), rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_the_factor_of_a_gaussian_matrix(dtype):
    """LAPACK's factorization of Q R gives Q back when R has a positive diagonal."""
    q = draw(30, 12, dtype)
    r = np.triu(gaussian(12, 12, dtype, seed=1), 1) + np.diag(np.arange(1, 13)).astype(dtype)
    q2, r2 = np.linalg.qr(q @ r)
    signs = np.diag(r2) / np.abs(np.diag(r2))

    np.testing.assert_allclose(q2 * signs, q, atol=tolerance(dtype), rtol=0)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_zero_sizes_are_empty(shape):
    """No normals are asked for."""

    def normals(k, i, block):
        raise AssertionError

    assert haar(*shape, normals, np.float32).shape == shape
    assert haar(4, 4, normals, np.float32, row_index=np.arange(0)).shape == (0, 4)


def test_one_by_one_is_the_sign_of_its_normal():
    """Exactly 1, -1, or the phase."""
    for value in (2.5, -0.3, 1e-30, -3e38):
        assert haar(1, 1, reader(np.full((1, 1), value, np.float32)), np.float32) == np.sign(value)
    assert haar(1, 1, reader(np.full((1, 1), -3 + 4j)), np.complex128) == pytest.approx(-0.6 + 0.8j, abs=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors_of_zeros_still_give_an_orthonormal_matrix(dtype):
    """The impossible draw is no NaN."""
    x = gaussian(8, 6, dtype)
    x[2] = 0
    x[4, 4] = 0

    assert gram_error(haar(8, 6, reader(x), dtype)) < tolerance(dtype)
    np.testing.assert_array_equal(haar(3, 2, reader(np.zeros((2, 3), dtype)), dtype), np.eye(3, 2))


@pytest.mark.parametrize("gain", [0.0, -1.0, 1.4142, 1e-30, 3e38])
def test_gain_scales_at_the_end(gain):
    """Every element is the plain one times the gain, rounded once; no intermediate overflows."""
    plain = draw(40, 30)

    np.testing.assert_array_equal(draw(40, 30, gain=gain), plain * np.float32(gain))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(420, 300), (300, 420)])
def test_blocks_equal_the_whole(monkeypatch, shape, dtype):
    """Rows, columns and blocks, few and many, agree with the whole matrix."""
    monkeypatch.setattr(_orthogonal, "PANEL", 24)
    whole = draw(*shape, dtype)
    rng = np.random.default_rng(1)
    for rows in (None, np.arange(3, 20), np.arange(shape[0])[::-2]):
        for columns in (None, rng.permutation(shape[1])[:30], np.arange(0, shape[1], 2)):
            expected = whole[slice(None) if rows is None else rows][:, slice(None) if columns is None else columns]

            block = draw(*shape, dtype, row_index=rows, column_index=columns)

            np.testing.assert_allclose(block, expected, atol=tolerance(dtype), rtol=0)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.data())
def test_any_block_equals_the_whole_across_panels(data):
    """Index sets in any order, with repeats, for shapes of many panels and chunks."""
    shape = data.draw(st.sampled_from([(90, 90), (97, 40), (40, 97), (300, 5), (1, 6)]))
    dtype = data.draw(st.sampled_from([np.float64, np.complex64]))
    indices = [
        data.draw(st.none() | st.lists(st.integers(0, n - 1), max_size=2 * n, unique=data.draw(st.booleans())))
        for n in shape
    ]
    indices = [None if i is None else np.array(i, np.int64) for i in indices]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_orthogonal, "PANEL", 7)
        whole = draw(*shape, dtype, gain=3.0)
        block = draw(*shape, dtype, gain=3.0, row_index=indices[0], column_index=indices[1])
    rows, columns = (slice(None) if i is None else i for i in indices)

    np.testing.assert_allclose(block, whole[rows][:, columns], atol=3 * tolerance(dtype), rtol=0)


@pytest.mark.parametrize("shape", [(80, 50), (50, 80)])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[: a.shape[0] // 2, : a.shape[1] // 2],
        lambda a: a[::2, ::2],
        lambda a: a[::-2, a.shape[1] // 2 :],
        lambda a: np.asfortranarray(a[::2, ::2]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, np.dtype(">f4")])
def test_out_is_written_whatever_its_layout(shape, view, dtype):
    """`out` is returned with the values, and memory around it is untouched; what was in it doesn't matter."""
    base = np.full((2 * shape[0], 2 * shape[1]), np.nan, dtype)
    out = view(base)

    assert draw(*shape, out=out) is out
    np.testing.assert_allclose(out.astype(np.float32), draw(*shape).astype(dtype).astype(np.float32), atol=1e-6)
    if np.shares_memory(base, out):
        assert np.isnan(base.astype(np.float32)).sum() == base.size - out.size


def test_the_whole_asks_for_each_needed_normal_once():
    """Panels start at the diagonal, and the shape of every request is that of its block."""
    asked = np.zeros((300, 400), int)
    x = gaussian(400, 300, np.float32)

    def normals(k, i, block):
        assert block.flags.c_contiguous and block.dtype == np.float32
        asked[k, i] += 1
        block[...] = x[k, i]

    haar(400, 300, normals, np.float32)

    assert asked.max() == 1
    assert np.all(np.triu(asked) == np.triu(np.ones_like(asked)))
    assert asked.sum() < 1.2 * np.triu(asked).sum()


@pytest.mark.parametrize("shape", [(2048, 2048), (1024, 4096)])
def test_the_whole_takes_one_copy_and_a_few_panels(shape):
    """Given `out`, nothing as large as the matrix is allocated."""
    x = reader(gaussian(*shape, np.float32))
    out = np.empty(shape, np.float32)
    tracemalloc.start()
    haar(*shape, x, np.float32, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < out.nbytes / 2
    assert peak < 3.5 * PANEL * max(shape) * out.itemsize + TILE


def test_a_shard_takes_memory_for_itself():
    """Sixteen rows of many cost a slab of rows, not the matrix."""
    x = reader(gaussian(2048, 2048, np.float32))
    tracemalloc.start()
    haar(2048, 2048, x, np.float32, row_index=np.arange(16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2048 * 2048


def assert_haar(q, z=5.5, p=1e-7):
    """The first two moments of |q_ij|^2, of traces and of the determinant, and the laws of the four corner entries.

    Orthogonal: q_ij^2 ~ Beta(1/2, (n-1)/2), E tr Q = 0, E (tr Q)^2 = 1, E tr Q^2 = 1, det = +-1 evenly.
    Unitary: |q_ij|^2 ~ Beta(1, n-1), phases uniform, E |tr Q|^2 = 1, E tr Q^2 = 0, E |tr Q^2|^2 = 2, det uniform.
    """
    n = q.shape[-1]
    unitary = q.dtype.kind == "c"
    square = np.abs(q) ** 2
    trace, trace2 = np.einsum("kii->k", q), np.einsum("kij,kji->k", q, q)
    determinant = np.linalg.det(q)
    laws = [
        (q, 0),
        (square, 1 / n),
        (square**2, 2 / (n * (n + 1)) if unitary else 3 / (n * (n + 2))),
        (trace, 0),
        (np.abs(trace) ** 2, 1),
        (trace2, 0 if unitary else 1),
        (determinant, 0),
    ]
    if unitary:
        laws.append((np.abs(trace2) ** 2, 2))
    for values, mean in laws:
        for part in (values.real, values.imag) if values.dtype.kind == "c" else (values,):
            expected = mean if part is not values.imag else 0
            score = (part.mean(axis=0) - expected) * np.sqrt(len(q)) / (part.std(axis=0) + 1e-9)
            assert np.abs(score).max() < z
    for i in (0, n - 1):
        for j in (0, n - 1):
            entry = q[:, i, j]
            if unitary:
                assert stats.kstest(np.abs(entry) ** 2, stats.beta(1, n - 1).cdf).pvalue > p
                assert stats.kstest(np.angle(entry), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > p
            else:
                assert stats.kstest((entry + 1) / 2, stats.beta((n - 1) / 2, (n - 1) / 2).cdf).pvalue > p


def sample(n, dtype, draws=8000):
    """Many square matrices, and their normals."""
    rng = np.random.default_rng(n)
    x = rng.standard_normal((draws, n, n))
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(x.shape)
    return np.stack([haar(n, n, reader(each), dtype) for each in x]), x


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("n", [3, 4, 5])
def test_square_matrices_are_haar_distributed(n, dtype):
    """Entries, traces and determinants have the exact laws; near misses of the algorithm don't.

    Power: a factorization without the sign fix, rotations alone (determinant 1), one column with its sign fixed by an
    entry, one column normalized but not orthogonalized.
    """
    q, x = sample(n, dtype)
    rotations = q.copy()
    rotations[:, :, -1] /= np.linalg.det(q)[:, None]
    fixed = q.copy()
    fixed[:, :, 1] *= (q[:, 1, 1].conj() / np.abs(q[:, 1, 1]))[:, None]
    oblique = q.copy()
    oblique[:, :, -1] = x[:, :, -1] / np.linalg.norm(x[:, :, -1], axis=1)[:, None]

    assert_haar(q)
    for wrong in (np.linalg.qr(x)[0], rotations, fixed, oblique):
        with pytest.raises(AssertionError):
            assert_haar(wrong)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_the_law_does_not_depend_on_the_basis(dtype):
    """U Q V is distributed like Q for fixed U and V."""
    q, _ = sample(4, dtype)
    u, v = draw(4, 4, dtype, seed=5), draw(4, 4, dtype, seed=6)

    assert_haar(u @ q @ v)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4)])
def test_entries_of_rectangles_have_the_law_of_the_sphere(shape):
    """Each column of a tall matrix and row of a wide one is uniform on the sphere in 4 dimensions, not in 3."""
    x = np.random.default_rng(3).standard_normal((8000, 2, 4))
    q = np.stack([haar(*shape, reader(each), np.float64) for each in x])
    for i, j in ((0, 0), (-1, -1), (0, -1), (-1, 0)):
        entry = (q[:, i, j] + 1) / 2

        assert stats.kstest(entry, stats.beta(1.5, 1.5).cdf).pvalue > 1e-7
        assert stats.kstest(entry, stats.beta(1, 1).cdf).pvalue < 1e-7
