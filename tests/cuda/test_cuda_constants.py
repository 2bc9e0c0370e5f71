"""The small kernels behind the constants of a GPU, run on the CPU: they compute what they should, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
from gpu_benchmark_cases import FakeDevice, plan
from nvrtc import NEEDS_NVRTC, compiled
from on_cpu import NEEDS_A_COMPILER, OnCpu
from shim_device import H200, Shim

from benchmarks.gpu import constants, small_kernels
from benchmarks.gpu.small_kernels import CLUSTERS, ROWS, Rounds, SmallKernels
from rnnkit_kernels.cuda_gpu.source import assembled


def _kernels(device: Any) -> SmallKernels:
    return SmallKernels(device, Rounds(1, 4, 1))


@NEEDS_A_COMPILER
def test_every_constant_is_measured_by_a_kernel_that_computes_what_it_should(monkeypatch: Any) -> None:
    monkeypatch.setattr(small_kernels, "_NODES", 8)
    device = FakeDevice(OnCpu(gpu=(32, 90)))
    ticks = iter(range(1, 10**6))
    device.timed = lambda run, calls: (run(), (float(next(ticks)),) * 2)[1]  # every call takes longer than the last
    found = list(constants.rows(plan(device), Rounds(1, 4, 1)))
    assert [row.label for row in found if row.failed] == []
    assert len(found) == 5 + 2 * (1 + len(CLUSTERS)) + len(ROWS) + len(CLUSTERS)
    assert constants.constants_of(found, 32) is not None


@NEEDS_A_COMPILER
@pytest.mark.parametrize(
    ("measure", "right", "wrong"),
    [
        ("gates", "f * c + i * g", "f * c + i * o"),
        ("exchange", "+ real(1);", "+ real(2);"),
        ("meeting", "++met)", "met += 2)"),
        ("rate", "total += sums[row][k]", "total += 2 * sums[row][k]"),
    ],
)
def test_a_small_kernel_that_computes_something_else_is_not_timed(measure: str, right: str, wrong: str) -> None:
    def change(text: str) -> str:
        assert text.count(right) == 1
        return text.replace(right, wrong)

    given = () if measure == "gates" else (2,)
    with pytest.raises(ValueError, match="computes"):
        getattr(_kernels(Shim(change=change)), measure)(*given)


@NEEDS_A_COMPILER
def test_rounds_that_take_no_time_are_no_measurement() -> None:
    device = FakeDevice(OnCpu(gpu=H200))
    with pytest.raises(ValueError, match="4 rounds took no longer than 1"):
        _kernels(device).meeting(1)


@NEEDS_A_COMPILER
def test_as_many_clusters_run_at_once_as_take_no_longer_than_one() -> None:
    kernels = _kernels(FakeDevice(OnCpu(gpu=(64, 90))))

    def timed(launch: Any, rounds: int, steps: int = 1) -> float:
        return 1.0 + (launch.blocks[0] // launch.cluster > 11)

    kernels._timed = timed  # type: ignore[method-assign]
    assert [kernels.at_once(size) for size in (2, 4, 8)] == [11, 11, 8]


@NEEDS_NVRTC
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_small_kernels_compile_without_spills_and_hold_their_weights_in_registers(architecture: str) -> None:
    sizes = CLUSTERS if architecture == "sm_90" else ()
    text = small_kernels.printed() + "".join(f"OF_BLOCKS({n})\n" for n in sizes)
    _, usage = compiled(assembled("float", "persistent.cuh", text), architecture)
    assert {"empty", "gates", "meeting_1", "exchange_1", *(f"products_{n}" for n in ROWS)} <= set(usage)
    assert {f"exchange_{n}" for n in sizes} <= set(usage)
    for name, used in usage.items():
        assert used.spill_stores == used.stack == 0, name
        assert (used.registers >= 128) == name.startswith("products"), name
