"""The functions of a step on LLVM vectors: as exact as they say at any number of lanes, and quiet at their ends."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import steady

pytest.importorskip("llvmlite", reason="needs the extra numba")
from llvmlite import binding as llvm
from llvmlite import ir
from vector_cases import ALL_LANES, FUNCTIONS, LSTM, NAMES, UNARY, WIDE, ZERO_U, line, module, run, units

from rnnkit_kernels.numba_cpu.emit.vec import Lanes, VecFunctions
from rnnkit_kernels.textbook.functions import Arrays

every_dtype = pytest.mark.parametrize("lanes", WIDE.values(), ids=WIDE)
every_width = pytest.mark.parametrize("lanes", ALL_LANES, ids=lambda lanes: f"{lanes.dtype} x {lanes.count}")

# Exact to more digits than either dtype has, where the machine has a wider float.
EXACT: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "softplus": lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
    "erf": np.vectorize(math.erf, [np.longdouble]),
}
# In units of the last place. Below a power of two a unit is half as large against the value as above, so n roundings,
# half a unit each, can come to n units. sigmoid: r, two of exp's, the sum, the quotient. softplus: one more, of 2 + e.
# The rational functions round twice for every degree, and the doubling of tanh forgives most of it; 7 are 8e-16.
UNITS = {"exp": 2, "log": 1, "sqrt": 0.5, "rsqrt": 1.5, "sigmoid": 3, "softplus": 3}
UNITS_OF = {"float32": UNITS | {"tanh": 3.5, "erf": 6}, "float64": UNITS | {"tanh": 3.5, "erf": 7}}
REFERENCE = 0.0 if np.finfo(np.longdouble).eps < 1e-18 else 1.0  # where long double is double, it errs a unit itself


@pytest.mark.parametrize("name", EXACT)
@every_dtype
def test_a_function_is_within_its_units_wherever_its_value_is_a_normal_number(lanes: Lanes, name: str) -> None:
    a, fi = line(lanes.dtype, name), np.finfo(lanes.dtype)
    with np.errstate(all="ignore"):
        exact = EXACT[name](a.astype(np.longdouble))
    normal = (np.abs(exact) >= fi.tiny) & (np.abs(exact) <= fi.max)
    assert normal.mean() > 0.7
    y = run(lanes, name, a)
    bound = UNITS_OF[lanes.dtype][name] + (REFERENCE if lanes.dtype == "float64" else 0)
    assert units(y[normal], exact[normal], lanes.dtype).max() <= bound
    assert (np.abs(y[np.abs(exact) < fi.tiny]) <= fi.tiny).all()


@every_width
@steady(max_examples=20)
@given(a=st.lists(st.floats(width=32, allow_subnormal=False), min_size=1, max_size=40))
def test_a_lane_does_not_depend_on_how_many_there_are(lanes: Lanes, a: list[float]) -> None:
    for name in UNARY:
        np.testing.assert_array_equal(run(lanes, name, a), run(WIDE[lanes.dtype], name, a), err_msg=name)


@every_dtype
@steady(max_examples=60)
@given(a=st.floats(allow_nan=True, width=32))
def test_a_function_is_odd_or_even_or_ordered_as_it_should_be(lanes: Lanes, a: float) -> None:
    for name in ("tanh", "erf"):
        y, minus = run(lanes, name, [a, -a])
        np.testing.assert_array_equal(y, -minus)
        assert np.isnan(a) or abs(y) <= 1
        assert np.isnan(a) or np.signbit(y) == (math.copysign(1, a) < 0)
    (s,) = run(lanes, "sigmoid", [a])
    assert np.isnan(s) if np.isnan(a) else 0 <= s <= 1


INF, NAN = math.inf, math.nan
SPECIALS: dict[str, tuple[list[float], list[float]]] = {
    "sigmoid": ([-INF, -1e30, 0, 1e30, INF], [0, 0, 0.5, 1, 1]),
    "tanh": ([-INF, -1e30, -25, -0.0, 0, 25, 1e30, INF], [-1, -1, -1, -0.0, 0, 1, 1, 1]),
    "erf": ([-INF, -1e30, -7, -0.0, 0, 7, 1e30, INF], [-1, -1, -1, -0.0, 0, 1, 1, 1]),
    "exp": ([-INF, -1e30, -0.0, 0, 1e30, INF], [0, 0, 1, 1, INF, INF]),
    "log": ([-INF, -1, -0.0, 0, 1, INF], [NAN, NAN, -INF, -INF, 0, INF]),
    "sqrt": ([-1, 0, 4, INF], [NAN, 0, 2, INF]),
    "rsqrt": ([-1, 0, 4, INF], [NAN, INF, 0.5, 0]),
    "relu": ([-INF, -1, -0.0, 0, 1, INF], [0, 0, 0, 0, 1, INF]),
    "abs": ([-INF, -1, -0.0, 0, 1, INF], [INF, 1, 0, 0, 1, INF]),
    "softplus": ([-INF, -1e30, 1e30, INF], [0, 0, 1e30, INF]),
}


@pytest.mark.parametrize("name", UNARY)
@every_width
def test_nan_passes_and_infinity_goes_where_the_function_goes(lanes: Lanes, name: str) -> None:
    a, expected = (np.array(v, lanes.dtype) for v in SPECIALS[name])
    y = run(lanes, name, a)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(np.signbit(y[~np.isnan(y)]), np.signbit(expected[~np.isnan(y)]))
    # The bits of a NaN are tried one by one: those that become an exponent must not make a number of it.
    quiet = np.array([NAN], lanes.dtype).view(f"i{lanes.itemsize}")
    bits = quiet | (1 << np.arange(np.finfo(lanes.dtype).nmant, dtype=quiet.dtype))
    assert np.isnan(run(lanes, name, np.concatenate([bits, bits | np.iinfo(bits.dtype).min]).view(lanes.dtype))).all()


@every_dtype
def test_exp_overflows_and_vanishes_at_the_very_number_where_its_value_does(lanes: Lanes) -> None:
    fi = np.finfo(lanes.dtype)
    for limit in (np.log(np.longdouble(fi.max)), np.log(np.longdouble(fi.tiny))):
        near = fi.dtype.type(limit)
        around = near + np.arange(-8, 9, dtype=fi.dtype) * np.spacing(np.abs(near))
        exact = np.exp(around.astype(np.longdouble))
        y = run(lanes, "exp", around)
        np.testing.assert_array_equal(np.isinf(y), exact > fi.max)
        np.testing.assert_array_equal(y < fi.tiny, exact < fi.tiny)


def arguments(dtype: str) -> Any:
    """Where activations are used, and where they bend."""
    a = np.random.default_rng(3).standard_normal(1000) * np.repeat([0.01, 1, 4, 20], 250)
    return np.concatenate([a, [-3, -2, -1, -0.5, -0.0, 0, 0.5, 1, 2, 3]]).astype(dtype)


def close(y: Any, expected: Any, scale: Any, dtype: str) -> None:
    """Within 16 roundings of the largest number that the expression meets."""
    allowed = 16 * np.finfo(dtype).eps * np.maximum(np.maximum(1, np.abs(expected)), scale)
    assert (np.abs(y - expected) <= allowed).all(), (np.abs(y - expected) / allowed).max()


@pytest.mark.parametrize("name", NAMES)
@every_dtype
def test_an_activation_replayed_on_vectors_is_the_one_on_arrays_and_so_is_its_derivative(
    lanes: Lanes, name: str
) -> None:
    F, a = Arrays(), arguments(lanes.dtype)
    # On arrays in float64: what is compared is one dtype's rounding, not two.
    exact = a.astype(np.float64)
    y = F.apply(name, exact)
    close(run(lanes, f"{name} value", a), y, np.abs(a), lanes.dtype)
    d = np.random.default_rng(4).standard_normal(a.size).astype(lanes.dtype)
    y = y.astype(lanes.dtype)
    slope = F.back(name, y.astype(np.float64), exact, d.astype(np.float64))
    close(run(lanes, f"{name} slope", y, a, d), slope, np.abs(a * d), lanes.dtype)


@pytest.mark.parametrize("name", NAMES)
@every_dtype
def test_nan_and_infinity_come_out_of_an_activation_where_they_do_on_arrays(lanes: Lanes, name: str) -> None:
    F, a = Arrays(), np.array([-INF, INF, NAN, 1], lanes.dtype)
    d = np.ones(4, lanes.dtype)
    with np.errstate(all="ignore"):
        y = F.apply(name, a)
        slope = F.back(name, y, a, d)
    np.testing.assert_allclose(run(lanes, f"{name} value", a), y, rtol=1e-6)
    np.testing.assert_allclose(run(lanes, f"{name} slope", y, a, d), slope, rtol=1e-6)


@every_width
def test_a_traced_cell_replays_on_vectors_as_on_arrays(lanes: Lanes) -> None:
    i, f, g, o, c = values = np.random.default_rng(5).standard_normal((5, 50)).astype(lanes.dtype)
    exact = {"x.i": i, "x.f": f, "x.g": g, "x.o": o, "s.c": c} | {name: np.zeros(50) for name in ZERO_U}
    h = LSTM(Arrays(), {k: v.astype(np.float64) for k, v in exact.items()})["h"]
    np.testing.assert_allclose(run(lanes, "lstm", *values), h, rtol=0, atol=8 * np.finfo(lanes.dtype).eps)


@every_width
def test_comparing_and_choosing_is_numpys(lanes: Lanes) -> None:
    values = [-INF, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, INF, NAN]
    a, b = (m.ravel().astype(lanes.dtype) for m in np.meshgrid(values, values))
    c = np.arange(a.size, dtype=lanes.dtype)
    with np.errstate(invalid="ignore"):
        expected = {
            "maximum": (np.maximum(a, b), a, b),
            "minimum": (np.minimum(a, b), a, b),
            "maximum with 2": (np.maximum(a, 2), a),
            "minimum with 2": (np.minimum(a, 2), a),
            "where": (np.where(a < b, c, -c), a, b, c),
            "where of numbers": (np.where(a < b, 1, 0), a, b),
            "where of a float": (np.where(a != 0, b, 7), a, b),
            "less as a number": (3 * (a < b) + 0.5, a, b),
            "less of numbers": (a, a),
            "where of a known condition": (a, a),
        }
    for name, (y, *values_given) in expected.items():
        np.testing.assert_array_equal(run(lanes, name, *values_given), y, err_msg=name)


@every_width
def test_operators_take_numbers_on_either_side(lanes: Lanes) -> None:
    a, b = np.random.default_rng(6).uniform(1, 2, (2, 40)).astype(lanes.dtype)
    exact = FUNCTIONS["operators"][1](None, a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(run(lanes, "operators", a, b), exact, rtol=0, atol=8 * np.finfo(lanes.dtype).eps)


def test_the_code_is_vectors_all_through_and_calls_no_library() -> None:
    """On AVX-512, AVX2 and NEON alike, whatever this machine is: one register, one instruction, sums fused."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    written = {name: FUNCTIONS[name] for name in [*UNARY, "lstm"]}
    machines = {
        ("x86_64-unknown-linux-gnu", "x86-64-v4"): (64, r"call|v(?!broadcast)\w+s[sd]\s", r"vfn?m\w+p[sd]\s.*%zmm"),
        ("x86_64-unknown-linux-gnu", "x86-64-v3"): (32, r"call|v(?!broadcast)\w+s[sd]\s", r"vfn?m\w+p[sd]\s.*%ymm"),
        ("aarch64-unknown-linux-gnu", "cortex-a72"): (16, r"blr?\s|f\w+\s+[sd]\d", r"fml[as]\s+v\d+\.(?:4s|2d)"),
    }
    for (triple, cpu), (size, forbidden, fused) in machines.items():
        try:
            target = llvm.Target.from_triple(triple)
        except RuntimeError:  # a build of LLVM for other machines
            continue
        prefer = "+avx512f,-prefer-256-bit" if cpu.endswith("v4") else ""
        for dtype, bytes_ in (("float32", 4), ("float64", 8)):
            code = str(module(Lanes(dtype, size // bytes_), written))
            assert "fadd contract" in code
            assert not re.search(r" (fast|nnan|ninf|nsz|arcp|afn|reassoc) ", code)
            text = target.create_target_machine(cpu=cpu, features=prefer, opt=2).emit_assembly(
                llvm.parse_assembly(code)
            )
            lines = [line.strip() for line in text.splitlines() if line.startswith("\t") and line[1] != "."]
            scalar = [line for line in lines if re.match(forbidden, line)]
            assert not scalar, (cpu, dtype, scalar[:5])
            assert len(re.findall(fused, text)) > 50, (cpu, dtype)


@pytest.mark.parametrize(
    ("lanes", "message"),
    [(("float16", 8), "float32 or float64, got 'float16'"), (("float32", 0), "1 lane or more, got 0")],
)
def test_lanes_of_another_kind_are_refused(lanes: tuple[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lanes(*lanes)


def test_what_is_no_vector_and_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="a vector meets a vector or a number, got 'x'"):
        VecFunctions(ir.IRBuilder(), Lanes("float32", 4)).value("x")


@every_dtype
def test_lanes_say_how_large_they_are(lanes: Lanes) -> None:
    assert (lanes.itemsize, lanes.bytes) == (np.dtype(lanes.dtype).itemsize, 64)
    assert lanes.integer.element.width == 8 * lanes.itemsize
    assert (lanes.vector.element, lanes.vector.count) == (lanes.scalar, lanes.count)
