"""The numbers behind `maths`: minimax approximations, fitted for this file by Remez' exchange in 60 digits.

"error" is the largest relative error of the approximation itself; one rounding is 6e-8 in float32, 1.1e-16 in float64.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

__all__ = ["TABLES", "Table"]

Rational = tuple[float, tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Table:
    """Everything that depends on the dtype.

    mantissa                   bits behind the point
    bias, smallest             of the exponent; the smallest normal number
    to_exponent                1.5 * 2^mantissa + bias: n + to_exponent ends in the exponent field of 2^n
    one_bits, root_half_bits, magic_bits  the bits of 1, of sqrt(1/2) and of 1.5 * 2^mantissa
    ln2_high, ln2_low          ln 2 in two parts; a whole number below 2^(exponent bits) times the first is exact
    log2e                      1 / ln 2, a little low: where floor(x / ln 2) errs near its end it is 1 too small
    vanishes, overflows        exp is 0 below and infinity above; floor(x / ln 2) is still -bias and bias + 1 there
    sigmoid_low, sigmoid_high  sigmoid is 0 below; 1 - sigmoid is far below rounding above
    exp_above, exp_of_minus    exp(r) on [0, ln 2]; exp(-r) on [-ln 2 / 2, ln 2 / 2]
    tanh_of_half, erf          where tanh and erf begin to be 1, and P, Q: tanh(x / 2), erf(x) = x P(x^2) / Q(x^2)
    artanh_to_root, artanh_to_third  (artanh(s) - s) / s^3 in s^2, for s up to (sqrt 2 - 1)^2 and up to 1/3
    """

    mantissa: int
    ln2_bits: int
    vanishes: float
    overflows: float
    sigmoid_low: float
    sigmoid_high: float
    exp_above: tuple[float, ...]
    exp_centred: tuple[float, ...]
    tanh_of_half: Rational
    erf: Rational
    artanh_to_root: tuple[float, ...]
    artanh_to_third: tuple[float, ...]
    log2e: float = 1.4426950408889632
    bias: int = field(init=False)
    smallest: float = field(init=False)
    to_exponent: float = field(init=False)
    ln2_high: float = field(init=False)
    ln2_low: float = field(init=False)
    one_bits: int = field(init=False)
    root_half_bits: int = field(init=False)
    magic_bits: int = field(init=False)
    exp_of_minus: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        single = self.mantissa == 23
        magic = 1.5 * 2.0**self.mantissa
        bias = 127 if single else 1023
        high = math.floor(_LN2 * 2**self.ln2_bits) / 2**self.ln2_bits
        made = {
            "bias": bias,
            "smallest": 2.0 ** (1 - bias),
            "to_exponent": magic + bias,
            "ln2_high": high,
            "ln2_low": (_LN2 - high) + _LN2_REST,
            "exp_of_minus": tuple(c * (-1) ** k for k, c in enumerate(self.exp_centred)),
            "one_bits": _bits(1.0, single),
            "root_half_bits": _bits(math.sqrt(0.5), single),
            "magic_bits": _bits(magic, single),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)


_LN2 = math.log(2)
_LN2_REST = 2.3190468138462996e-17  # ln 2 less the double nearest to it


def _bits(number: float, single: bool) -> int:
    return int(struct.unpack("=i" if single else "=q", struct.pack("=f" if single else "=d", number))[0])


_SINGLE = Table(
    mantissa=23,
    ln2_bits=15,
    vanishes=-88.0,
    overflows=89.0,
    sigmoid_low=-89.0,
    sigmoid_high=87.0,
    # error 3e-9 each
    exp_above=(
        1.0, 1.0, 0.50000228675800975, 0.16663189331420111, 0.041855068311020552, 0.0078682801846645786,
        0.0019125744931450237,
    ),
    exp_centred=(
        1.0, 1.0, 0.49999993440397393, 0.16666520522097905, 0.041668389340341081, 0.0083687301825162204,
        0.001381457082072968,
    ),
    # error 7e-9 in tanh(x). The common factor of P and Q was chosen among some hundred so that the roundings fall well:
    # over every float |tanh| <= 1 and 3.4 units in the last place.
    tanh_of_half=(
        9.02,
        (0.9199652075767517, 0.027386730536818504, 0.000105028368125204),
        (1.8399304151535034, 0.20810090005397797, 0.0022191235329955816, 2.258271251776023e-6),
    ),
    erf=(  # error 2e-8; the common factor chosen likewise: 5.6 units. 4.05 gives a little more than 1
        4.05,
        (
            1.6088987588882446, 0.27312326431274414, 0.07539260387420654, 0.005429923068732023, 0.0004059230850543827,
            2.8886292966490146e-06,
        ),
        (
            1.425849437713623, 0.7173314094543457, 0.1633453369140625, 0.021466407924890518, 0.0016692924546077847,
            5.3942403610562906e-05,
        ),
    ),
    artanh_to_root=(0.33333388341584797, 0.19988750110679595, 0.14936468791445481),  # error 8e-10
    artanh_to_third=(0.33333206533905160, 0.20010851650916036, 0.1399953223398047, 0.14012433955841662),  # error 5e-9
)  # fmt: skip

_DOUBLE = Table(
    mantissa=52,
    ln2_bits=32,
    vanishes=-709.0,
    overflows=710.0,
    sigmoid_low=-710.0,
    sigmoid_high=708.0,
    # error 4e-18 each
    exp_above=(
        1.0, 1.0, 0.49999999999997377, 0.16666666666790695, 0.041666666643793285, 0.0083333335570952020,
        0.0013888875750449252, 0.00019841760978155863, 2.4789625036322549e-5, 2.7746004874566274e-6,
        2.5710088086541508e-7, 3.5070108069936839e-8,
    ),
    exp_centred=(
        1.0, 1.0, 0.50000000000000106, 0.16666666666666412, 0.041666666666529955, 0.0083333333334947012,
        0.0013888888943691411, 0.00019841269506206261, 2.4801493028442810e-5, 2.7557586570740070e-6,
        2.7630275697651478e-7, 2.5000043173482493e-8,
    ),
    tanh_of_half=(  # error 5e-17 in tanh(x), a factor chosen likewise: 3.1 units; 19.17 gives 1 exactly
        19.17,
        (
            0.9180531949087242, 0.03307116221894585, 0.0002784202266909338, 7.828841430443839e-07,
            7.407742807743098e-10, 1.6685505666169611e-13,
        ),
        (
            1.8361063898174483, 0.21915119025601149, 0.0035185530595720467, 1.6822603799712973e-05,
            2.7873801690608843e-08, 1.3946501845103053e-11, 9.57514590677084e-16,
        ),
    ),
    erf=(  # error 3e-17
        5.97,
        (
            1.1283791670955125, 0.22016117480447740, 0.066119547573179083, 0.0068889449933880170,
            0.00085560398996219551, 5.6936848032601949e-5, 3.9000373767219984e-6, 1.6945689385044717e-7,
            6.7591526254969038e-9, 1.7195740389041262e-10, 3.3364294833331748e-12, 2.2270766305647674e-14,
            1.5715811627274993e-17,
        ),
        (
            1.0, 0.52844609438437008, 0.13474562148626218, 0.021985290074104182, 0.0025645474066527250,
            0.00022607423944719966, 1.5496967477080448e-5, 8.3492398538583951e-7, 3.5151064512024115e-8,
            1.1244395704325638e-9, 2.5491941656196738e-11, 3.3193132321115153e-13, 8.8521778303326459e-16,
        ),
    ),
    artanh_to_root=(  # error 1e-18
        0.33333333333333674, 0.19999999999705728, 0.14285714371587072, 0.11111099242906324, 0.090917845964383454,
        0.076569590595345453, 0.073986752519382275,
    ),
    artanh_to_third=(  # error 1e-18
        0.33333333333333152, 0.20000000000078665, 0.14285714273920972, 0.11111111985259041, 0.090908719478843300,
        0.076932802859475716, 0.066504823675441208, 0.060530793482168985, 0.041698875473345813, 0.085095987700001993,
    ),
)  # fmt: skip

TABLES = {"float32": _SINGLE, "float64": _DOUBLE}
