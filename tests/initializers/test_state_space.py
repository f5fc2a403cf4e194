"""LogUniform, LogOfUniform and what state-space layers start from: their laws, bounds and edges."""

import math

import numpy as np
import pytest
from scipy import stats

from fanin import FaninError, LogOfUniform, LogUniform, MambaALog, MambaDtBias

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
])
def test_refused(make, message):
    """What is no such law is an error that names the parameter."""
    with pytest.raises(FaninError, match=message):
        make()
