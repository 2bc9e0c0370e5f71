"""exp, log, sigmoid, tanh, erf and softplus of vectors, made of sums, products, one division and the bits of a float.

NaN comes out wherever it goes in. Two things see to it. A bound is applied as `bound > x ? bound : x`, which is x when
the comparison fails. And whole numbers are taken from floats by adding 1.5 * 2^(mantissa bits): the sum's last bits
are the number, and if they are rubbish because x is NaN, they only scale another NaN.

The sides are chosen so that a result below the smallest normal number comes out as 0 (kernels run with denormals
flushed) and one beyond the largest as infinity, with no test for either: the exponent field runs to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .coefficients import TABLES, Table

if TYPE_CHECKING:
    from .vec import Vec, VecFunctions

__all__ = ["erf", "exp", "log", "sigmoid", "softplus", "tanh"]


def exp(F: VecFunctions, x: Vec) -> Vec:
    t = TABLES[F.lanes.dtype]
    return _exp(F, t, F.minimum(t.overflows, F.maximum(t.vanishes, x)))


def _exp(F: VecFunctions, t: Table, x: Vec) -> Vec:
    """2^n exp(r) with n = floor(x / ln 2): then exp(r) is in [1, 2], and n in [-bias, bias + 1] is every exponent.

    x: between t.vanishes and t.overflows, or NaN.
    """
    n = F.call("floor", x * t.log2e)
    r = F.fma(n, -t.ln2_low, F.fma(n, -t.ln2_high, x))
    return _polynomial(F, t.exp_above, r) * _power(F, t, n + t.to_exponent)


def sigmoid(F: VecFunctions, a: Vec) -> Vec:
    """1 / (1 + exp(-a)): exp may be infinity, and 1 / infinity is the 0 that is wanted.

    n is rounded to nearest here, which costs one operation less than `_exp`; the sign of a is in the coefficients.
    """
    t = TABLES[F.lanes.dtype]
    a = F.minimum(t.sigmoid_high, F.maximum(t.sigmoid_low, a))
    shifted = F.fma(a, -t.log2e, t.to_exponent)
    n = shifted - t.to_exponent
    r = F.fma(n, t.ln2_low, F.fma(n, t.ln2_high, a))
    return 1.0 / F.fma(_polynomial(F, t.exp_of_minus, r), _power(F, t, shifted), 1.0)


def tanh(F: VecFunctions, a: Vec) -> Vec:
    """2 t / (1 + t^2) with t = tanh(a / 2) = n / q, a rational function: 2 n q / (q^2 + n^2), one division.

    The doubling forgives: near 1 an error of t hardly moves the result, so half the degree will do, and no rounding
    brings it above 1. Far out it is 1 exactly: a (1 + tanh(a)) must vanish there.
    """
    bound, above, below = TABLES[F.lanes.dtype].tanh_of_half
    a = F.minimum(bound, F.maximum(-bound, a))
    z = a * a
    n, q = a * _polynomial(F, above, z), _polynomial(F, below, z)
    return (n + n) * q / F.fma(n, n, q * q)


def erf(F: VecFunctions, a: Vec) -> Vec:
    """A rational function, held within [-1, 1], which it reaches: 1 + erf(a) must vanish far out."""
    bound, above, below = TABLES[F.lanes.dtype].erf
    a = F.minimum(bound, F.maximum(-bound, a))
    z = a * a
    return F.minimum(1.0, F.maximum(-1.0, a * _polynomial(F, above, z) / _polynomial(F, below, z)))


def softplus(F: VecFunctions, a: Vec) -> Vec:
    """max(a, 0) + log(1 + e), e = exp(-|a|), with log(1 + e) = 2 artanh(e / (2 + e)): e keeps its digits when small."""
    t = TABLES[F.lanes.dtype]
    e = _exp(F, t, F.maximum(t.vanishes, -F.abs(a)))
    s = e / (2.0 + e)
    z = s * s
    s2 = s + s
    return F.maximum(0.0, a) + F.fma(s2 * z, _polynomial(F, t.artanh_to_third, z), s2)


def log(F: VecFunctions, x: Vec) -> Vec:
    """k ln 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and log(1 + f) = 2 artanh(s), s = f / (2 + f).

    2 s = f - s f, so that the rounding of s meets only a small correction of f.
    """
    t = TABLES[F.lanes.dtype]
    b, whole = F.builder, F.lanes.integer

    def integer(number: int) -> Any:
        return whole([number] * F.lanes.count)

    bits = b.add(b.bitcast(F.raw(x), whole), integer(t.one_bits - t.root_half_bits))
    biased = b.lshr(bits, integer(t.mantissa))
    fraction = b.add(b.and_(bits, integer((1 << t.mantissa) - 1)), integer(t.root_half_bits))
    # The exponent as a float: put under 1.5 * 2^mantissa, from which the same is taken away again.
    k = F.vec(b.bitcast(b.add(biased, integer(t.magic_bits)), F.lanes.vector)) - t.to_exponent
    f = F.vec(b.bitcast(fraction, F.lanes.vector)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    correction = s * F.fma(z * -2.0, _polynomial(F, t.artanh_to_root, z), f)
    y = F.fma(k, t.ln2_high, f - F.fma(k, -t.ln2_low, correction))
    y = F.where(F.less(x, t.smallest), F.where(F.less(x, 0.0), float("nan"), float("-inf")), y)
    return F.where(F.less(x, float("inf")), y, x)


def _polynomial(F: VecFunctions, coefficients: Sequence[float], x: Vec) -> Vec:
    """Horner's rule; the constant comes first. Those of x^2 have no negative coefficient, so nothing cancels."""
    *rest, y = (F.constant(c) for c in coefficients)
    for c in reversed(rest):
        y = F.fma(y, x, c)
    return y


def _power(F: VecFunctions, t: Table, shifted: Vec) -> Vec:
    """2^n from n + t.to_exponent: its last bits are the exponent field. -bias gives 0 and bias + 1 infinity."""
    b, whole = F.builder, F.lanes.integer
    field = b.shl(b.bitcast(F.raw(shifted), whole), whole([t.mantissa] * F.lanes.count))
    return F.vec(b.bitcast(field, F.lanes.vector))
