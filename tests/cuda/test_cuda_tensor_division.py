"""How products for tensor cores are shared among the warps of a block: wholly, in the fewest registers."""

from __future__ import annotations

from itertools import product

import pytest

from rnnkit_kernels.cuda_gpu.emit.tensor_division import Share, TensorDivision

_STEP = {"tf32": 8, "bf16": 16}
_SIZES = [(u, s, c) for u, s, c in product((5, 21, 100, 128, 200), (8, 16, 32), (1, 2, 4, 8, 16)) if c <= u]


@pytest.mark.parametrize(("units", "split", "cluster"), _SIZES)
def test_a_block_has_threads_for_its_units_and_a_power_of_two_of_warps(units: int, split: int, cluster: int) -> None:
    division = TensorDivision(units, split, cluster)
    assert division.rows == 8
    assert division.back_split == 1, "warps share sums, not threads"
    assert division.own * cluster >= units > (division.own - 1) * cluster
    assert division.warps & (division.warps - 1) == 0
    assert division.threads >= division.own * split
    assert division.threads == 32 or division.threads < 2 * division.own * split


@pytest.mark.parametrize("rounding", ["tf32", "bf16"])
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("gates", [1, 3, 4])
def test_every_share_is_the_one_of_fewest_registers_and_of_those_of_least_traffic(
    rounding: str, back: bool, gates: int
) -> None:
    """Traffic: every group of warps reads the vectors of the whole length; sums are written once and read once."""
    for sizes in _SIZES:
        division = TensorDivision(*sizes)
        outputs, length = gates * division.own, division.units
        if back:
            outputs, length = length, outputs
        tiles, steps = -(-outputs // 16), -(-length // _STEP[rounding])
        ways = {}
        for parts in (p for p in (1, 2, 4, 8, 16, 32) if division.warps % p == 0):
            groups = division.warps // parts
            share = Share(-(-tiles // groups), -(-steps // parts), parts, groups)
            traffic = groups * parts * share.steps * 64 + 2 * parts * groups * share.tiles * 128
            ways[share] = share.tiles * share.steps * 4, traffic, parts
        assert division.share(gates, back, rounding) == min(ways, key=lambda share: ways[share]), division


def test_a_share_counts_what_it_takes() -> None:
    share = Share(tiles=3, steps=5, parts=2, groups=4)
    assert share.registers == 3 * 5 * 4
    assert share.words == 2 * 5 * 8 * 8
    assert share.sums == 2 * 4 * 3 * 16 * 8


@pytest.mark.parametrize(
    ("split", "cluster", "rows"), [(4, 1, 8), (24, 1, 8), (8, 32, 8), (8, 3, 8), (8, 0, 8), (8, 1, 4)]
)
def test_what_no_block_can_do_is_refused(split: int, cluster: int, rows: int) -> None:
    with pytest.raises(ValueError, match="for tensor cores the split is 8, 16 or 32, rows are 8"):
        TensorDivision(64, split, cluster, rows)
