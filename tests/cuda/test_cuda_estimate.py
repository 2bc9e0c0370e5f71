"""What a step is expected to take: how often each thing comes that takes time, counted by hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from math import inf

import pytest

from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.estimate import COSTS, Costs, Step, at_once

LSTM, BEFORE = cells.LSTM(), cells.GRUBefore()
GPU = at_once(132, 7)


def test_clusters_of_16_run_at_once_where_it_is_said_and_smaller_ones_one_block_on_a_multiprocessor() -> None:
    assert GPU == {1: 132, 2: 66, 4: 33, 8: 16, 16: 7}
    assert at_once(132, 0) == {1: 132, 2: 66, 4: 33, 8: 16}
    assert at_once(6, 0)[8] == 1


@pytest.mark.parametrize(("rounding", "name"), [(None, "product"), ("tf32", "product_tf32"), ("bf16", "product_bf16")])
def test_kernels_of_levels_wait_for_a_launch_each_and_share_all_products(rounding: str | None, name: str) -> None:
    step = Step(BEFORE, False, 500, 20, GPU, rounding)
    assert step.counts(None) == {"launch": 2, name: 3 * 500 * 500 * 20 / 1e6}
    assert step.time(None) == pytest.approx(2 * COSTS.launch + 15 * asdict(COSTS)[name])


def test_a_block_meets_at_every_level_and_makes_its_share_of_the_products() -> None:
    alone, four = Division(100, 4, 1, 2), Division(100, 4, 4, 2)
    there = Step(LSTM, False, 100, 4, GPU)
    assert there.counts(alone) == {"meeting": 1, "block_product": 4 * 100 * 112 * 2 / 1e6}  # 7 chunks for each thread
    assert there.counts(four) == {"cluster_meeting": 1, "block_product": 4 * 25 * 112 * 2 / 1e6}
    assert there.counts(Division(100, 4, 2, 2))["cluster_meeting"] == 1
    back = replace(there, back=True)
    assert back.counts(alone)["block_product"] == 100 * 400 * 2 / 1e6
    assert back.counts(four)["block_product"] == 100 * 100 * 2 / 1e6
    assert Step(BEFORE, False, 100, 4, GPU).counts(alone)["meeting"] == 2


def test_tensor_cores_wait_for_the_warps_that_share_a_product_on_the_way_there_alone() -> None:
    """64 gate columns of a block are 4 tiles, and 64 units 8 steps of TF32 or 4 of bf16: of 4 warps, each takes one of
    the tiles; 8 warps are two for each tensor core."""
    step, alone = Step(LSTM, False, 64, 8, GPU, "tf32"), TensorDivision(64, 8, 4)
    (share,) = step.shares(alone)
    assert step.counts(alone) == {"cluster_meeting": 1, "tile": share.tiles * share.steps, "parts_meeting": 1}
    assert share.tiles * share.steps * alone.warps == 4 * 8
    assert replace(step, rounding="bf16").counts(alone)["tile"] == 4
    assert replace(step, back=True).counts(alone)["parts_meeting"] == 0
    wide = TensorDivision(64, 16, 4)
    (share,) = step.shares(wide)
    assert (wide.warps, step.counts(wide)["tile"]) == (8, 2 * share.tiles * share.steps)


@pytest.mark.parametrize(("cluster", "most"), [(8, 16 * 8), (16, 7 * 8)])
def test_clusters_that_do_not_run_at_once_take_turns(cluster: int, most: int) -> None:
    division = TensorDivision(128, 8, cluster)
    once, twice = (Step(LSTM, False, 128, rows, GPU, "tf32").time(division) for rows in (most, most + 1))
    assert twice == pytest.approx(2 * once)


def test_what_does_not_run_takes_for_ever() -> None:
    step = Step(LSTM, False, 256, 64, at_once(132, 0), "tf32")
    assert step.time(TensorDivision(256, 8, 16)) == inf
    assert step.time(TensorDivision(256, 8, 8)) < inf


def test_time_is_made_of_the_given_costs() -> None:
    step, division = Step(BEFORE, False, 64, 8, GPU, "bf16"), TensorDivision(64, 8, 4)
    costs = Costs(*range(1, 10))
    counts = step.counts(division)
    assert (
        step.time(division, costs) == 2 * counts["cluster_meeting"] + 3 * counts["parts_meeting"] + 5 * counts["tile"]
    )
