"""The normal law on the host, in float64, the same bits on every machine.

Parameters made here decide the bits of a draw, and C libraries differ in the last digit of exp, log and erf, numpy in
that of its vectorized functions, LAPACK in the order of its sums. So these functions use what IEEE 754 rounds exactly:
+ - * / and the square root, on Python's floats. Relative errors stay below 5e-15.
"""

import math

LN2 = 0.6931471805599453
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first has 32 bits: k·LN2_HIGH is exact
SQRT_TWO_PI = 2.5066282746310002
SERIES = 1.5  # up to here the tail is 1/2 minus a power series, beyond it a continued fraction
_FACTORIALS = [1 / math.factorial(n) for n in range(15, 1, -1)]
_ODD = [1 / n for n in range(23, 1, -2)]


def exp(x: float, lost: float = 0.0) -> float:
    """e**(x + lost), where `lost` is far below x."""
    if x < -760:
        return 0.0
    k = math.floor(x / LN2 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW + lost
    series = 0.0
    for c in _FACTORIALS:
        series = series * r + c
    return math.ldexp(1.0 + (r + r * r * series), k)


def exponential_law(t: float) -> float:
    """1 - e**-t, the probability that a standard exponential number is below t >= 0."""
    if t > 0.5:
        return 1.0 - exp(-t)
    series = 0.0
    for n in range(16, 0, -1):
        series = (1.0 - series) * t / n
    return series


def log(x: float) -> float:
    """The natural logarithm of x > 0."""
    m, k = math.frexp(x)
    if m < 0.7071067811865476:
        m, k = 2 * m, k - 1
    s = (m - 1) / (m + 1)  # log(m) = 2·atanh(s)
    z = s * s
    series = 0.0
    for c in _ODD:
        series = series * z + c
    return k * LN2_HIGH + (k * LN2_LOW + (2 * s + 2 * s * z * series))


def mills(z: float) -> float:
    """S(z)/φ(z), Mills' ratio, for z >= 0; S is the upper tail."""
    if z < SERIES:
        square, lost = product(z, z)
        return exp(square / 2, lost / 2) * SQRT_TWO_PI * (0.5 - _centre(z))
    # Laplace's continued fraction 1/(z + 1/(z + 2/(z + 3/(z + ...)))); n terms leave about exp(-1.35·z·sqrt(2n))
    value = z
    for n in range(12 + int(420 / z / z), 0, -1):
        value = z + n / value
    return 1 / value


def survival(z: float) -> float:
    """P(Z > z) for a standard normal Z."""
    if abs(z) < SERIES:
        return 0.5 - _centre(z)
    if z < 0:
        return 1 - survival(-z)
    if z > 38:
        return 0.0
    square, lost = product(z, z)
    return exp(-square / 2, -lost / 2) / SQRT_TWO_PI * mills(z)


def within(z: float) -> float:
    """P(|Z| < |z|) with the sign of z, which is 2·Φ(z) - 1."""
    if abs(z) < 3:
        return 2 * _centre(z)
    return 1 - 2 * survival(z) if z > 0 else 2 * survival(-z) - 1


def between(a: float, b: float) -> float:
    """Φ(b) - Φ(a) for a < b. Bounds on the same side of the mean, close together, lose digits."""
    if a >= 0:
        return survival(a) - survival(b)
    return survival(-b) - survival(-a) if b <= 0 else (within(b) - within(a)) / 2


def log_drop(d: float, span: float) -> float:
    """log(S(d)/S(d + span)) for d >= 0, to an absolute error of 1e-15."""
    if span == math.inf:
        return math.inf
    return d * span + span * span / 2 - log(mills(d + span) / mills(d))


def _centre(z: float) -> float:
    """Φ(z) - 1/2 for |z| <= 3: φ(z)·(z + z³/3 + z⁵/15 + ...), whose terms all have the sign of z."""
    square = z * z
    term = total = z
    n = 1
    while abs(term) > 1e-17 * abs(total):
        n += 2
        term *= square / n
        total += term
    return exp(-square / 2) / SQRT_TWO_PI * total


def product(x: float, y: float) -> tuple[float, float]:
    """x·y rounded, and what the rounding lost (Dekker)."""
    p = x * y
    x_high, y_high = 134217729.0 * x, 134217729.0 * y
    x_high, y_high = x_high - (x_high - x), y_high - (y_high - y)
    x_low, y_low = x - x_high, y - y_high
    return p, x_low * y_low - (((p - x_high * y_high) - x_low * y_high) - x_high * y_low)
