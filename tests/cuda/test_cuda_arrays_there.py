"""Single passes and convolutions with arrays that lie on a device: none is mixed with the host's, and nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit_kernels.cuda_gpu.convolution import CudaConvolution
from rnnkit_kernels.cuda_gpu.cupy_place import cupy_place
from rnnkit_kernels.cuda_gpu.elementwise import CudaElementwise
from rnnkit_kernels.cuda_gpu.missing import facts
from rnnkit_kernels.cuda_gpu.place import Place
from rnnkit_kernels.elementwise import Elementwise
from rnnkit_kernels.textbook import convolution as textbook
from rnnkit_kernels.textbook.convolution import Window
from tests.kernels.device_cupy import device_cupy
from tests.kernels.device_double import Device

DTYPES = ("float32", "float64")
# Of the largest number of an outcome: sums of a hundred products.
LIMITS = {"float64": 1e-12, "float32": 1e-6}
ADAM = (0.1, 0.2, 0.3, 1e-7)


class OnTheDouble(OnCpu):
    """Kernels run on the CPU, and arrays behave as CuPy's."""

    xp = device_cupy

    def address(self, array: Any) -> int:
        assert type(array) is Device
        return super().address(array._array)


def elementwise(ours: Any, there: Callable[[Any], Any], dtype: str) -> dict[str, Any]:
    """What each method gives, by name; `there` brings arrays to where `ours` computes."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((70, 33)).astype(dtype) for _ in range(2))
    index, row = rng.integers(0, 9, (7, 10)), [there(abs(v)) for v in (a, b, a, b)]
    d = there(a.reshape(7, 10, 33))
    a, b = there(a), there(b)
    return {
        "dropout": ours.dropout(np.random.default_rng(3), (5, 1000), 0.3, dtype),
        "product": ours.product(a, b),
        "total": ours.total(a, b),
        "joined": ours.joined(a, b),
        "relu": ours.relu(a),
        "relu_back": ours.relu_back(b, a),
        "rows": ours.rows(a, there(index)),
        "summed_by_row": ours.summed_by_row(there(index), d, 9),
    } | dict(zip(("parameter", "momentum", "velocity"), ours.moved("adam", ADAM, [row])[0] or adam(*row), strict=True))


def adam(p: Any, g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
    alpha, share_m, share_v, epsilon = ADAM
    m = m + (g - m) * share_m
    v = v + (g * g - v) * share_v
    return p - alpha * m / (np.sqrt(v) + epsilon), m, v


def convolved(ours: Any, there: Callable[[Any], Any], dtype: str, groups: int, stride: int) -> dict[str, Any]:
    rng, window = np.random.default_rng(0), Window(3, stride, 2, 3, 1)
    shapes = {"W": (3, 2, 20 * groups), "b": (20 * groups,)}
    weights = {name: there(rng.standard_normal(shape).astype(dtype)) for name, shape in shapes.items()}
    y, tape = ours.forward(weights, there(rng.standard_normal((2, 90, 2 * groups)).astype(dtype)), window, groups)
    gradients, dx = ours.backward(tape, y)
    return {"y": y, "dx": dx} | gradients


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_comes_from_a_device_stays_there_and_the_host_waits_for_nothing(dtype: str) -> None:
    place = OnTheDouble()
    Device.waits.clear()
    Device.uploads.clear()
    ours = CudaElementwise(place)
    found = elementwise(ours, lambda a: Device(a.copy()), dtype)
    for name, value in elementwise(Elementwise(), np.asarray, dtype).items():
        np.testing.assert_array_equal(found[name]._array, value, err_msg=name)
    found["random"] = ours.random(np.random.default_rng(3), (5, 1000), dtype)
    for groups, stride in ((1, 1), (3, 2)):
        there = convolved(CudaConvolution(place), lambda a: Device(a.copy()), dtype, groups, stride)
        found |= {f"{name}, {groups} groups": value for name, value in there.items()}
    for name, value in found.items():
        assert type(value) is Device, name
        assert value.dtype == dtype, name
    assert Device.waits == Device.uploads == []


@NEEDS_A_COMPILER
def test_what_a_generator_draws_on_the_host_goes_up_once() -> None:
    Device.uploads.clear()
    drawn = CudaElementwise(OnTheDouble()).dropout(np.random.Generator(np.random.MT19937(1)), (3, 4), 0.5, "float32")
    assert type(drawn) is Device
    assert Device.uploads == [(3, 4)]


@pytest.fixture(scope="module")
def gpu() -> Place:
    if (lacking := facts().missing) is not None:
        pytest.skip(f"needs a CUDA device: {lacking}")
    return cupy_place()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gpu_gives_the_bits_of_the_textbook(gpu: Place, dtype: str) -> None:
    found = elementwise(CudaElementwise(gpu), gpu.xp.asarray, dtype)
    right = elementwise(Elementwise(), np.asarray, dtype)
    for name, value in right.items():
        np.testing.assert_array_equal(found[name].get(), value, err_msg=name)
    drawn = CudaElementwise(gpu).random(np.random.default_rng(3), (5, 100_000), dtype)
    np.testing.assert_array_equal(drawn.get(), np.random.default_rng(3).random((5, 100_000)).astype(dtype))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (1, 3), (3, 2)])
def test_a_gpu_convolves_as_the_textbook_does_twenty_times_to_the_bit(
    gpu: Place, dtype: str, groups: int, stride: int
) -> None:
    right = convolved(textbook, np.asarray, "float64", groups, stride)
    first: dict[str, Any] = {}
    for _ in range(20):
        there = convolved(CudaConvolution(gpu), gpu.xp.asarray, dtype, groups, stride)
        found = {name: value.get() for name, value in there.items()}
        first = first or found
        for name, value in right.items():
            most = LIMITS[dtype] * abs(value).max()
            np.testing.assert_allclose(found[name], value, rtol=0, atol=most, err_msg=name)
            np.testing.assert_array_equal(found[name], first[name], err_msg=name)
