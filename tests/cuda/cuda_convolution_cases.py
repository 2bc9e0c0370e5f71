"""Cases of a convolution for a GPU, run on the CPU, and the float64 textbook beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from on_cpu import OnCpu
from window_cases import Case, made

from rnnkit_kernels.cuda_gpu.convolution import CudaConvolution
from rnnkit_kernels.textbook import convolution as textbook
from rnnkit_kernels.textbook.convolution import Window

__all__ = ["DTYPES", "KERNEL", "SOME", "cases", "compared", "same"]

KERNEL = CudaConvolution(OnCpu())
DTYPES = ("float32", "float64")
# Of the largest number of an outcome. Sums of a hundred products of float64 are off by 1e-14 of it, of float32 by 1e-6.
LIMITS = {"float64": 1e-12, "float32": 1e-6}
# Around what a tile holds, 16, 64 and 128, and what is brought at a time, 16.
CHANNELS = (1, 2, 3, 5, 15, 16, 17, 33, 65)
SOME = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def cases(draw: Any) -> Case:
    window = Window(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        *(draw(st.integers(0, 9)) for _ in "lr"),
    )
    least = max(1, window.span - window.left - window.right)
    T = least + draw(st.one_of(st.integers(0, 30), st.integers(100, 250)))
    apart = draw(st.integers(0, 3)) == 0
    groups = draw(st.integers(2, 40)) if apart else draw(st.sampled_from((1, 1, 2, 3)))
    sizes = st.sampled_from((1, 2, 4)) if apart else st.sampled_from(CHANNELS)
    seed = draw(st.integers(0, 99))
    return made(draw(st.integers(1, 3)), T, draw(sizes), draw(sizes), window, groups, draw(st.booleans()), seed)


def compared(case: Case, dtype: str = "float64", kernel: Any = KERNEL) -> dict[str, Any]:
    found = case.cast(dtype).on(kernel)
    for name, right in case.on(textbook).items():
        assert found[name].shape == right.shape, name
        assert found[name].dtype == dtype, name
        most = LIMITS[dtype] * abs(right).max(initial=1)
        np.testing.assert_allclose(found[name], right, rtol=0, atol=most, err_msg=name)
    return found


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
