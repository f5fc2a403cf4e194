"""ConvolutionOrthogonal: signals keep their norm, in every dimension and layout; its parts, laws and edges."""

import itertools
import math

import numpy as np
import pytest

from fanin import ConvolutionOrthogonal
from fanin._drawing.convolution import convolve

BOUNDS = {"float32": 1e-5, "float64": 1e-13, "complex64": 1e-5, "complex128": 1e-13}
KERNELS = [(1,), (2,), (3,), (8,), (3, 3), (2, 5), (1, 4), (3, 3, 3), (2, 1, 3)]
KEY = {"seed": 7, "name": "kernel"}


def circular(kernel, signal):
    """y[o, t] = Σ K[o, i, s]·x[i, t + s], the convolution of torch's layout with circular padding and stride 1."""
    axes = tuple(range(1, signal.ndim))
    return sum(np.tensordot(kernel[(slice(None), slice(None), *place)], np.roll(signal, [-s for s in place], axes), 1)
               for place in np.ndindex(kernel.shape[2:]))


def signal_of(channels, dims, dtype):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(channels, *dims)) + 1j * rng.normal(size=(channels, *dims))
    return x if dtype.startswith("complex") else x.real


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("dims", KERNELS, ids=str)
@pytest.mark.parametrize(("outs", "ins"), [(6, 4), (5, 5), (3, 1), (1, 1), (2, 2)])
def test_the_norm_of_a_signal_is_kept(outs, ins, dims, dtype):
    """|conv(x)| = |gain|·|x| for a random x, whose sides are longer and shorter than the kernel's."""
    kernel = ConvolutionOrthogonal(-1.5)((outs, ins, *dims), dtype, **KEY)

    for longer in (0, 1, 4):
        x = signal_of(ins, [dim + longer for dim in dims], dtype)
        y = circular(kernel.astype(x.dtype), x)
        assert np.linalg.norm(y) == pytest.approx(1.5 * np.linalg.norm(x), rel=BOUNDS[dtype])


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("outs", "ins", "dims"), [(64, 64, (3, 3)), (96, 33, (7,)), (16, 16, (3, 4, 5))], ids=str)
def test_all_sums_are_within_the_bound(outs, ins, dims, dtype):
    """Σ_s K[s]ᴴ K[s + t] is gain²·I for t = 0 and zero for other shifts, evaluated in float64."""
    kernel = ConvolutionOrthogonal(2.0)((outs, ins, *dims), dtype, **KEY)
    wide = kernel.astype(np.result_type(dtype, np.float64))
    padded = np.pad(wide, [(0, 0), (0, 0), *[(dim, dim) for dim in dims]])

    for shift in itertools.product(*[range(1 - dim, dim) for dim in dims]):
        shifted = padded[(..., *[slice(dim + t, 2 * dim + t) for dim, t in zip(dims, shift)])]
        gram = np.tensordot(wide.conj(), shifted, [[0, *range(2, wide.ndim)]] * 2)
        assert np.abs(gram - (0 if any(shift) else 4 * np.eye(ins))).max() < 4 * BOUNDS[dtype]


def test_strides_share_the_norm():
    """A strided convolution keeps a part of the norm: the outputs at all offsets of the stride together keep all."""
    kernel = ConvolutionOrthogonal()((8, 3, 3, 3), "float64", **KEY)
    x = signal_of(3, (12, 12), "float64")
    y = circular(kernel, x)

    parts = [np.linalg.norm(y[:, a::2, b::3]) for a in range(2) for b in range(3)]

    assert math.hypot(*parts) == pytest.approx(np.linalg.norm(x), rel=1e-13)
    assert max(parts) < 0.7 * np.linalg.norm(x)


def test_the_papers_blocks():
    """In two dimensions the first step is [[PQ, P(I - Q)], [(I - P)Q, (I - P)(I - Q)]], P and Q of rank ⌊c/2⌋."""
    rng = np.random.default_rng(2)
    bases = [np.linalg.qr(rng.normal(size=(5, 2)))[0] for _ in range(2)]
    p, q = (basis @ basis.T for basis in bases)
    one = np.eye(5)

    kernel = convolve(one, (2, 2), lambda number: bases[number - 1], np.zeros, np.dtype("float64"))

    for (i, j), block in np.ndenumerate(np.array([["pq", "pQ"], ["Pq", "PQ"]])):
        factors = {"p": p, "P": one - p, "q": q, "Q": one - q}
        assert kernel[:, i, j] == pytest.approx(factors[block[0]] @ factors[block[1]], abs=1e-14)


def test_projections_have_half_the_rank():
    """A kernel of two places is Q P and Q (I - P): ranks ⌊c/2⌋ and the rest, the ranges orthogonal to each other."""
    first, second = np.moveaxis(ConvolutionOrthogonal()((7, 7, 2), "float64", **KEY), 2, 0)

    assert np.linalg.matrix_rank(first) == 3 and np.linalg.matrix_rank(second) == 4
    assert np.abs(first @ second.T).max() < 1e-13


def test_std_and_mean_are_those_of_the_plan():
    """Over 200 kernels: mean 0 and variance 1/(out·places) at every place of a 2 x 2 kernel's box, within 5 sigma."""
    scheme, count = ConvolutionOrthogonal(), 200
    plan = scheme.describe((6, 4, 2, 2))
    kernels = np.array([scheme((6, 4, 2, 2), seed=seed, name="k") for seed in range(count)], np.float64)

    assert np.mean(kernels**2) == pytest.approx(plan.std**2, rel=1e-6)  # each row has norm 1, whatever is drawn
    for place in np.ndindex(2, 2):
        values = kernels[(..., *place)].reshape(count, -1)
        assert abs(values.mean()) < 5 * values.std() / math.sqrt(values.size)
        shares = (values**2).sum(axis=1) / (4 * 6 * 4) / plan.std**2  # P has rank 3 of 6, so a quarter for each place
        assert abs(shares.mean() - 0.25) < 5 * shares.std() / math.sqrt(count)


@pytest.mark.parametrize("dtype", BOUNDS)
def test_shards(dtype):
    """Any part is the whole's, within the bound: channels, places, steps, single elements."""
    scheme, shape = ConvolutionOrthogonal(), (9, 6, 3, 2)
    whole = scheme(shape, dtype, **KEY)

    for index in [slice(2, 5), (slice(None), 3), (slice(None, None, -2), slice(1, None, 2), 1), (8, 5, 2, 1),
                  (..., slice(1, 2)), (0, slice(None), slice(None, None, -1), 0), (slice(3, 3),)]:
        part = scheme.shard(shape, index, dtype, **KEY)
        assert part.shape == whole[index].shape
        assert part == pytest.approx(whole[index], abs=BOUNDS[dtype])


def test_layouts():
    """A layout moves the axes of the same kernel; strided memory holds it too; half types are it, rounded."""
    torchs = ConvolutionOrthogonal()((8, 4, 3, 5), **KEY)

    assert ConvolutionOrthogonal(layout="*io")((3, 5, 4, 8), **KEY).transpose(3, 2, 0, 1) == pytest.approx(torchs)
    assert ConvolutionOrthogonal(layout="o*i")((8, 3, 5, 4), **KEY).transpose(0, 3, 1, 2) == pytest.approx(torchs)
    assert ConvolutionOrthogonal(layout="ioo*")((4, 2, 4, 3, 5), **KEY).reshape(4, 8, 3, 5).swapaxes(0, 1) == \
        pytest.approx(torchs)
    memory = np.full((5, 3, 8, 8), np.nan, np.float32)
    ConvolutionOrthogonal()((8, 4, 3, 5), out=memory[..., ::2].T.swapaxes(0, 1), **KEY)
    assert memory[..., ::2].T.swapaxes(0, 1) == pytest.approx(torchs)
    assert np.isnan(memory[..., 1::2]).all()
    assert (ConvolutionOrthogonal()((8, 4, 3, 5), "float16", **KEY) == torchs.astype(np.float16)).all()


def test_a_gain_of_zero_and_names():
    """Zeros for a gain of 0; other seeds and names are other kernels."""
    assert not ConvolutionOrthogonal(0.0)((4, 4, 3)).any()
    kernels = [ConvolutionOrthogonal()((4, 4, 3), seed=seed, name=name) for seed in (0, 1) for name in ("a", "b")]
    for one, other in itertools.combinations(kernels, 2):
        assert np.abs(one - other).max() > 0.1
