"""Every operation of a step, printed and run on the CPU, beside NumPy: single values, to the last digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels.cuda_gpu.emit.text import Text, TextFunctions, literal
from rnnkit_kernels.cuda_gpu.place import Launch
from rnnkit_kernels.textbook.functions import Arrays

DTYPES = ("float32", "float64")

# Operations that are rounded once, if at all, and so have NumPy's bits; the sign of a zero too.
EXACT: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a + b": lambda F, a, b: a + b,
    "a + number": lambda F, a, b: a + 0.1,
    "number + a": lambda F, a, b: 0.1 + a,
    "a - b": lambda F, a, b: a - b,
    "a - number": lambda F, a, b: a - 3,
    "number - a": lambda F, a, b: 3 - a,
    "a b": lambda F, a, b: a * b,
    "number a": lambda F, a, b: 3 * a,
    "a number": lambda F, a, b: a * 0.1,
    "a / b": lambda F, a, b: a / b,
    "a / number": lambda F, a, b: a / 3,
    "number / a": lambda F, a, b: 3 / a,
    "-a": lambda F, a, b: -a,
    "-a of a number before": lambda F, a, b: b - (-a),
    "where less": lambda F, a, b: F.where(F.less(a, b), a, b * 2),
    "where less than a number": lambda F, a, b: F.where(F.less(a, 1), 5, b),
    "where a number is less": lambda F, a, b: F.where(F.less(1, a), a, 5),
    "truth as a number": lambda F, a, b: F.less(a, b) * a + F.less(b, a),
    "infinity": lambda F, a, b: F.where(F.less(a, b), float("inf"), float("-inf")),
    "no number": lambda F, a, b: F.where(F.less(a, b), a, float("nan")),
    "relu": lambda F, a, b: F.relu(a),
    "abs": lambda F, a, b: F.abs(a),
    "sqrt": lambda F, a, b: F.sqrt(F.abs(a)),
    "maximum": lambda F, a, b: F.maximum(a, b),
    "maximum with a number": lambda F, a, b: F.maximum(1, b),
    "minimum": lambda F, a, b: F.minimum(a, b),
    "minimum with a number": lambda F, a, b: F.minimum(a, 1),
}
# Those of libraries, which may be off by some units in the last place of the result, or of what they are made of.
CLOSE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "exp": lambda F, a, b: F.exp(a),
    "log": lambda F, a, b: F.log(F.abs(a)),
    "tanh": lambda F, a, b: F.tanh(a),
    "sigmoid": lambda F, a, b: F.sigmoid(a),
    "softplus": lambda F, a, b: F.softplus(a),
    "erf": lambda F, a, b: F.erf(a),
    "rsqrt": lambda F, a, b: F.rsqrt(F.abs(a)),
}
ALL = EXACT | CLOSE

TEXT = """
struct Call {{ long long size; const real *a, *b; real* out; }};
extern "C" __global__ void operations(const Call* table, int) {{
  for (long long i = threadIdx.x; i < table->size; i += blockDim.x) {{
    const real a = table->a[i], b = table->b[i];
{lines}
  }}
}}
"""


def printed() -> str:
    F = TextFunctions()
    names = [F.real(operation(F, Text(F, "a"), Text(F, "b"))) for operation in ALL.values()]
    stores = [f"table->out[{k} * table->size + i] = {name};" for k, name in enumerate(names)]
    return TEXT.format(lines="\n".join(f"    {line}" for line in [*F.lines, *stores]))


def pairs(dtype: str) -> tuple[Any, Any]:
    """Numbers near 0, of moderate size and so large that exp is infinite, on both sides; zeros, infinities, NaN."""
    sizes = np.array([1e-6, 0.03, 0.5, 1, 2.7, 9, 20, 88, 700], dtype)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    line = np.concatenate([sizes, -sizes, special])
    a, b = np.meshgrid(line, line)
    return a.ravel().copy(), b.ravel().copy()


def run(dtype: str, change: Any = None) -> dict[str, Any]:
    place, (a, b) = OnCpu(change=change), pairs(dtype)
    out = place.xp.empty((len(ALL), a.size), a.dtype)
    table = place.table([a.size, *map(place.address, (a, b, out))])
    real = {"float32": "float", "float64": "double"}[dtype]
    place.module(real, "persistent.cuh", printed(), "operations").repeat(
        [Launch("operations", (1, 1), 32, 0)], table, 1
    )
    return dict(zip(ALL, out, strict=True))


def numpys(dtype: str) -> dict[str, Any]:
    """NumPy's numbers; a truth is 1 or 0, and NaN stands where a comparison has none."""
    a, b = pairs(dtype)
    with np.errstate(all="ignore"):
        found = {name: operation(Arrays(), a, b) for name, operation in ALL.items()}
    return {name: np.asarray(value, dtype) for name, value in found.items()}


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_operation_gives_numpy_s_numbers(dtype: str) -> None:
    found, wanted, eps = run(dtype), numpys(dtype), np.finfo(dtype).eps
    for name, right in wanted.items():
        if name in EXACT:
            np.testing.assert_array_equal(found[name], right, err_msg=name)
            zero = right == 0
            np.testing.assert_array_equal(np.signbit(found[name][zero]), np.signbit(right[zero]), err_msg=name)
        else:
            np.testing.assert_allclose(found[name], right, rtol=4 * eps, atol=np.finfo(dtype).tiny, err_msg=name)


def test_an_operation_on_what_is_no_number_is_refused() -> None:
    F = TextFunctions()
    with pytest.raises(TypeError, match=r"a value meets a value or a number, got 'b'"):
        Text(F, "a") + "b"


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.1, "real(0.1)"), (1, "real(1.0)"), (-2.5e-300, "real(-2.5e-300)"), (float("nan"), "real(NAN_)"),
        (float("inf"), "real(INFINITY_)"), (float("-inf"), "real(-INFINITY_)"),
    ],
)  # fmt: skip
def test_a_number_is_written_with_all_its_digits(number: float, written: str) -> None:
    assert literal(float(number)) == written


def test_a_condition_that_is_known_when_it_is_printed_chooses_then() -> None:
    F = TextFunctions()
    assert F.where(True, Text(F, "a"), Text(F, "b")).name == "a"
    assert F.where(False, Text(F, "a"), 2).name == "real(2.0)"
    assert F.lines == []


def test_a_value_counts_as_a_condition_where_it_is_not_zero() -> None:
    F = TextFunctions()
    F.where(Text(F, "a"), Text(F, "b"), 0)
    assert F.lines == ["const real v0 = (a != real(0)) ? b : real(0.0);"]


def test_an_expression_is_loaded_as_it_stands_braces_too() -> None:
    F = TextFunctions()
    assert F.load("Pair{a, b}.first").name == "v0"
    assert F.lines == ["const real v0 = Pair{a, b}.first;"]
