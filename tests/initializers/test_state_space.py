"""LogUniform, LogOfUniform and what state-space layers start from: their laws, bounds, matrices and edges."""

import math

import numpy as np
import pytest
from scipy import stats

from fanin import S4D, FaninError, HippoLegsA, HippoLegsB, LogOfUniform, LogUniform, MambaALog, MambaDtBias, Registry

N = 1 << 17


def softplus(x):
    return np.logaddexp(0, x)


# The scheme, and the distribution function of its elements.
LAWS = {
    "log-uniform": (LogUniform(0.001, 0.1), stats.loguniform(0.001, 0.1).cdf),
    "log-uniform, wide": (LogUniform(1e-8, 1e4), stats.loguniform(1e-8, 1e4).cdf),
    "log of a uniform": (LogOfUniform(1.0, 16.0), lambda x: stats.uniform(1, 15).cdf(np.exp(x))),
    "log of a uniform from 0": (LogOfUniform(0.0, 16.0), lambda x: stats.uniform(0, 16).cdf(np.exp(x))),
    "time steps": (MambaDtBias(), lambda x: stats.loguniform(0.001, 0.1).cdf(softplus(x))),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", LAWS)
def test_law(law, dtype):
    """Kolmogorov-Smirnov at p > 1e-4 (10 cases: 0.1 % false alarms), which values 1 % wider fail; so do mean and std at
    5 sigma."""
    scheme, cdf = LAWS[law]

    x = scheme(N, dtype, seed=11, name=law).astype(np.float64)
    plan = scheme.describe(N, dtype)

    assert stats.kstest(x, cdf).pvalue > 1e-4
    assert stats.kstest(plan.mean + 1.05 * (x - plan.mean), cdf).pvalue < 1e-4
    assert abs(x.mean() - plan.mean) < 5 * plan.std / math.sqrt(N)
    fourth = ((x - plan.mean) ** 4).mean()
    assert abs(x.var() - plan.std**2) < 5 * math.sqrt((fourth - plan.std**4) / N)


def test_time_steps_have_a_floor():
    """Where the floor binds the steps are the floor, and as many as the law says; a softplus gives them back."""
    scheme = MambaDtBias(1e-5, 0.1, floor=1e-3)

    steps = softplus(scheme(N, "float64", seed=1, name="dt"))

    assert steps.min() == pytest.approx(1e-3, rel=1e-9) and steps.max() < 0.1
    assert (steps < 1.0001e-3).mean() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(N))
    assert scheme.describe(N, "float64").mean == pytest.approx(np.log(np.expm1(steps)).mean(), abs=0.03)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_values_stay_inside(dtype):
    """Rounding takes no value out of the bounds."""
    x = LogUniform(0.3, 0.7)(N, dtype, seed=2).astype(np.float64)
    assert 0.3 <= x.min() < x.max() <= 0.7
    y = LogOfUniform(1.0, 3.0)(N, dtype, seed=2).astype(np.float64)
    assert 0.0 <= y.min() < y.max() <= math.log(3)


def test_mambas_a():
    """log 1, log 2, … along the axis of states, correctly rounded in float32, the same in each channel."""
    a_log = MambaALog()((3, 5, 16))
    assert (a_log == np.log(np.arange(1, 17)).astype(np.float32)).all()
    assert (MambaALog(axis=0)((16, 3)) == a_log[0, :3].T).all()
    assert MambaALog()((4, 0)).shape == (4, 0)


def test_hippo_as_published():
    """A and B of HiPPO-LegS, element by element as S4's equation 2 has them; each channel has the same."""
    n, k = np.indices((9, 9))
    published = np.where(n > k, -np.sqrt((2 * n + 1) * (2 * k + 1)), np.where(n == k, -(n + 1.0), 0.0))

    assert (HippoLegsA()((9, 9), "float64") == published).all()
    assert (HippoLegsA()((2, 9, 9)) == published.astype(np.float32)).all()
    assert (HippoLegsB()(9, "float64") == np.sqrt(2 * np.arange(9) + 1)).all()
    assert (HippoLegsB(axis=0)((9, 1))[:, 0] == HippoLegsB()(9)).all()


def test_hippo_projects_onto_legendre_polynomials():
    """The state of c' = (Ac + Bu)/t for u = t is its projection: u(x) = 1/2 P0 + 1/(2√3)·√3 P1 on [0, 1], no others."""
    a, b = HippoLegsA()((6, 6), "float64"), HippoLegsB()(6, "float64")
    # u(t) = t has c(t) = t·c(1), so that c(1) = A c(1) + B
    projection = np.linalg.solve(np.eye(6) - a, b)

    assert projection == pytest.approx([1 / 2, 1 / (2 * math.sqrt(3)), 0, 0, 0, 0], abs=1e-12)


def test_s4d():
    """Lin, Inv and Real as the paper has them, N twice the states that are kept; their logarithms are Mamba's A."""
    n, states = np.arange(8), 16
    imaginary = {"lin": np.pi * n, "inv": states / np.pi * (states / (2 * n + 1) - 1), "real": 0 * n}
    real = {"lin": -0.5 + 0 * n, "inv": -0.5 + 0 * n, "real": -(n + 1.0)}

    for variant in imaginary:
        assert S4D(variant, "imag")((3, 8), "float64") == pytest.approx(np.tile(imaginary[variant], (3, 1)), rel=1e-15)
        assert (real[variant] == S4D(variant, "real", axis=0)((8, 2), "float64").T).all()
        assert S4D(variant, "log")(8, "float64") == pytest.approx(np.log(-real[variant]), rel=1e-15)
    assert (S4D("real", "log")((2, 8)) == MambaALog()((2, 8))).all()


def test_s4d_approximates_hippo():
    """S4D-Inv's frequencies follow those of HiPPO-LegS' normal part over three powers of ten, within a third."""
    states = 64
    a = HippoLegsA()((states, states), "float64")
    p = np.sqrt(np.arange(states) + 0.5)
    frequencies = np.sort(np.linalg.eigvals(a + np.outer(p, p)).imag)[::-1][:states // 2]

    assert frequencies[0] > 1000 * frequencies[-1]
    assert np.abs(np.log(S4D("inv")(states // 2, "float64") / frequencies)).max() < 1 / 3


def test_s4d_time_steps():
    """The preset of their logarithms draws between log 0.001 and log 0.1."""
    steps = np.exp(Registry.get("s4d_log_dt")(N, "float64", seed=3, name="log_dt"))
    assert stats.kstest(steps, stats.loguniform(0.001, 0.1).cdf).pvalue > 1e-4


def test_a_span_of_more_than_the_range():
    """The quotient of the bounds may overflow where their logarithms don't."""
    x = LogUniform(1e-200, 1e200)(N, "float64", seed=4)
    assert stats.kstest(np.log10(x), stats.uniform(-200, 400).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("scheme", "value"), [
    (LogUniform(0.5, 0.5), 0.5), (LogOfUniform(2.0, 2.0), math.log(2)),
    (MambaDtBias(0.01, 0.01), math.log(math.expm1(0.01))), (MambaDtBias(1e-6, 1e-5, 1e-3), math.log(math.expm1(1e-3))),
])
def test_equal_bounds_give_the_constant(scheme, value):
    """An interval of one number is a constant, and the plan says so."""
    assert scheme(4, "float64", seed=0) == pytest.approx([value] * 4)
    assert scheme.describe(4).std == 0


@pytest.mark.parametrize(("make", "message"), [
    (lambda: LogUniform(0.0, 1.0), r"`low` must be > 0 and <= `high` \(got low=0.0, high=1.0\)"),
    (lambda: LogUniform(2.0, 1.0), "`low` must be > 0"),
    (lambda: LogOfUniform(-1.0, 1.0), "`low` must be finite and >= 0"),
    (lambda: LogOfUniform(0.0, 0.0), "`high` must be > 0 and >= `low`"),
    (lambda: MambaDtBias(floor=-1.0), "`floor` must be finite and >= 0"),
    (lambda: MambaDtBias(0.1, 0.01), "`low` must be > 0"),
    (lambda: MambaALog(2)((3, 4)), "`axis` must be between -2 and 1"),
    (lambda: MambaALog()(()), "`axis` must be between"),
    (lambda: LogUniform()(3, "int32"), "`dtype` must be a floating-point"),
    (lambda: HippoLegsA()((3, 4)), r"`shape` must end in two equal dimensions for HippoLegsA \(got \(3, 4\)\)"),
    (lambda: HippoLegsA()(3), "`shape` must end in two equal dimensions"),
    (lambda: HippoLegsA()((3, 3), "complex64"), "`dtype` must be real for HippoLegsA"),
    (lambda: HippoLegsA().describe((40_000, 40_000), "float16"), "`shape`: values must stay within the range"),
    (lambda: HippoLegsB()(()), "`axis` must be between"),
    (lambda: S4D("linear"), r"`variant` must be one of .lin., .inv., .real. \(got .linear.\)"),
    (lambda: S4D(part="imaginary"), "`part` must be one of"),
    (lambda: S4D()(3, "complex64"), "`dtype` must be real for S4D"),
])
def test_refused(make, message):
    """What is no such law is an error that names the parameter."""
    with pytest.raises(FaninError, match=message):
        make()
