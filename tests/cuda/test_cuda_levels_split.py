"""Kernels for single levels whose tiles the blocks of a cluster share: each sums a part of a product's length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from cuda_cases import assert_the_textbooks, run, shared_tiles
from kernel_cases import Case, label
from on_cpu import NEEDS_A_COMPILER, OnCpu
from thinned import thinned

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell, names
from rnnkit_kernels.cuda_gpu.backward import begun_back
from rnnkit_kernels.cuda_gpu.compiled import cluster_of, compiled_cell
from rnnkit_kernels.cuda_gpu.emit import tile
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.place import Launch
from rnnkit_kernels.cuda_gpu.recurrence import begun
from rnnkit_kernels.cuda_gpu.together import Later, at_once
from rnnkit_kernels.levels import backward_levels, forward_levels

HOPPER, AMPERE = (132, 90), (108, 80)
LIMITS = {"tf32": 3 * 2**-10, "bf16": 2**-7}  # two factors and a sum of them; as where nothing is shared


@dataclass(frozen=True)
class Beside(Cell):
    """Two inner products that neither waits for the other: one level makes both, one after the other."""

    gates, state = names("r n m"), names("h")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        r = F.sigmoid(x.r + u.r)
        n = F.tanh(x.n + F.matmul(r * s.h, "n"))
        m = F.sigmoid(x.m + F.matmul((1 - r) * s.h, "m"))
        return (s.h + m * (n - s.h),), ()


class Watched(OnCpu):
    """launched: the launches of levels, those of a step once for each call."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.launched: list[Launch] = []

    def module(self, *text: str) -> Any:
        made = super().module(*text)
        inner = made.repeat

        def repeat(launches: Sequence[Launch], table: Any, steps: int) -> None:
            self.launched += [launch for launch in launches if "_level" in launch.kernel]
            inner(launches, table, steps)

        made.repeat = repeat  # type: ignore[method-assign]
        return made


def _drawn(cell: Cell, B: int, H: int, dropped: bool = True) -> Case:
    mask = cc.masks(3, B, 7)["holes"] if dropped else None
    return cc.draw(cell, (3, B, 2, H), "float32", mask=mask, dropped=dropped, seed=5)


def _table() -> list[Any]:
    """Tiles whose rows and units the batch does not fill, more parts than there are pieces, parts of unequal length."""
    always = {
        ("LSTM", "tf32", 16, 8, 2, 17, 33), ("LSTM", "bf16", 32, 32, 8, 17, 3), ("LSTM", "tf32", 64, 64, 4, 70, 33),
        ("Beside", "bf16", 32, 16, 4, 70, 33), ("LayerNormLSTM", "tf32", 16, 16, 8, 17, 33),
    }  # fmt: skip
    found = []
    for (rows, units), split, H in product(((16, 8), (32, 32), (64, 64)), (2, 4, 8), (17, 70)):
        found += [(cells.LSTM(), rounding, rows, units, split, H, B) for rounding, B in product(LIMITS, (3, 33))]
    found += [(cell, rounding, 32, 16, 4, 70, 33) for cell, rounding in product((*cells.ALL, Beside()), LIMITS)]
    found += [(cells.LayerNormLSTM(), "tf32", 16, 16, 8, 17, 33)]
    params = {}
    for cell, *rest in found:
        marks = [] if (label(cell), *rest) in always else pytest.mark.slow
        name = "-".join(map(str, (label(cell), *rest)))
        params[name] = pytest.param(cell, *rest, id=name, marks=marks)
    return thinned(params.values(), 4)


@NEEDS_A_COMPILER
@pytest.mark.parametrize(("cell", "rounding", "rows", "units", "split", "H", "B"), _table())
def test_every_field_is_the_textbooks_but_for_what_is_rounded(
    cell: Cell, rounding: str, rows: int, units: int, split: int, H: int, B: int
) -> None:
    case, place = _drawn(cell, B, H, dropped=B > 3), Watched(gpu=HOPPER)
    with shared_tiles(rows, units, split):
        got = run(case, place, height=None, rounding=rounding)
    assert_the_textbooks(case, got, LIMITS[rounding])
    assert split in {launch.cluster for launch in place.launched} <= {1, split}


@NEEDS_A_COMPILER
@pytest.mark.parametrize(
    ("name", "rounding", "split"), [("LSTM", "bf16", 4), pytest.param("GRUBefore", "tf32", 2, marks=pytest.mark.slow)]
)
def test_the_bits_are_the_same_in_every_run_and_order(name: str, rounding: str, split: int) -> None:
    case = _drawn(getattr(cells, name)(), 33, 70)
    with shared_tiles(32, 16, split):
        first = run(case, OnCpu(gpu=HOPPER), height=None, rounding=rounding)
        for backwards in (True, False, False):
            cc.assert_bits(run(case, OnCpu(backwards=backwards, gpu=HOPPER), height=None, rounding=rounding), first)


@NEEDS_A_COMPILER
def test_parts_of_the_length_are_added_up_in_their_order_for_every_row() -> None:
    """((2^24 + 1) - 2^24) + 1 is 1 in float32, and every part has one of these."""
    H, large = 32 * 4, 2.0**24
    case = cc.draw(cells.SimpleRNN(activation="linear"), (1, 33, 2, H), "float32", mask=None, dropped=False, seed=5)
    U = np.zeros((H, H), "f")
    U[::32] = np.array([large, 1, -large, 1], "f")[:, None]
    weights = {name: np.zeros_like(w) for name, w in case.weights.items()} | {"U": U}
    state = {"h": np.ones_like(case.state0["h"])}
    case = replace(case, weights=weights, state0=state)
    with shared_tiles(32, 16, 4):
        got = run(case, OnCpu(gpu=HOPPER), height=None, rounding="tf32")
    np.testing.assert_array_equal(got["h"], 1)


@NEEDS_A_COMPILER
def test_two_calls_in_one_launch_have_the_bits_of_each_by_itself() -> None:
    cases = [cc.draw(cells.LSTM(), (3, 9, 2, 37), "float32", seed=seed) for seed in (5, 6)]
    place = Watched(gpu=HOPPER)

    def there(case: Case) -> Later:
        how = {"mask": case.mask, "drop": case.drop, "rounding": "bf16"}
        given = case.cell, case.weights, case.x, case.state0
        return Later(place, lambda count: begun(place, *given, together=count, **how), ())

    def back(case: Case, tape: Any) -> Later:
        return Later(
            place, lambda count: begun_back(place, tape, case.dh, rounding="bf16", together=count), ()
        )  # fmt: skip

    with shared_tiles(16, 16, 4):
        both = at_once(*map(there, cases))
        assert both is not None
        grads = at_once(*(back(case, made[2]) for case, made in zip(cases, both, strict=True)))
        assert grads is not None
        assert {(launch.cluster, launch.together) for launch in place.launched} == {(4, 2)}
        for case, made, owed in zip(cases, both, grads, strict=True):
            alone = there(case)()
            np.testing.assert_array_equal(made[0], alone[0])
            cc.assert_bits(owed.weights, back(case, alone[2])().weights)


def test_tiles_are_shared_where_there_are_clusters_and_by_exact_kernels_never() -> None:
    assert [cluster_of(OnCpu(gpu=gpu)) for gpu in (HOPPER, AMPERE, (0, 0))] == [8, 1, 1]
    for cell, back in product(cells.ALL, (False, True)):
        for rounding, cluster, shared in ((None, 8, False), ("tf32", 1, False), ("tf32", 8, True)):
            made = compiled_cell(cell, back, Options(rounding=rounding), 128, 1024, cluster=cluster)
            assert ("__cluster_dims__" in made.text) == shared
            for launch, t in zip(made.launches(128, 1024), made.tiles, strict=True):
                assert launch.cluster == t.split <= cluster
                assert launch.blocks[0] % t.split == 0


# What is read, in MB


@pytest.mark.parametrize(
    ("back", "rounding", "alone", "shared"),
    [
        (False, "tf32", (64, 16, 1, 67.1), (128, 32, 4, 39.8)),
        (False, "bf16", (64, 16, 1, 33.6), (128, 32, 4, 23.1)),
        (True, "tf32", (32, 32, 1, 134.2), (128, 64, 8, 54.0)),
        (True, "bf16", (32, 32, 1, 67.1), (128, 64, 8, 28.8)),
    ],
)
def test_an_lstms_step_reads_least_in_the_tiles_that_are_said_to(
    back: bool, rounding: Any, alone: tuple[Any, ...], shared: tuple[Any, ...]
) -> None:
    (level,) = (backward_levels if back else forward_levels)(cells.LSTM()).levels
    wide = 4 if back else 1
    for cluster, expected in ((1, alone), (8, shared)):
        t = tile.tile_of(level, 128, 1024, rounding, wide=wide, cluster=cluster)
        x, y = t.blocks(128, 1024)
        block, _ = tile.read_by_a_block(t, level, 128, 1024, wide)
        assert (t.rows, t.units, t.split, round(x * y * block / 1e6, 1)) == expected
        assert x * y == 128


def test_small_steps_are_shared_only_where_that_saves_more_than_a_meeting() -> None:
    for cell, back in product(cells.ALL, (False, True)):
        for rounding in LIMITS:
            lowered = (backward_levels if back else forward_levels)(cell)
            for rows, units in ((1, 20), (32, 20), (256, 16)):
                assert {tile.tile_of(level, rows, units, rounding, cluster=8).split for level in lowered.levels} == {1}


@pytest.mark.parametrize("rounding", [None, "tf32", "bf16"])
def test_any_batch_that_fits_into_memory_is_launched(rounding: Any) -> None:
    """CUDA takes 2^31 - 1 blocks along x and 65535 along y; 2^30 rows of one unit are 4 GiB for each array."""
    for cell, back in product(cells.ALL, (False, True)):
        for rows, units in ((1 << 30, 1), (1, 1 << 17), (600_000, 1024)):
            made = compiled_cell(cell, back, Options(rounding=rounding), rows, units, cluster=8)
            for launch in made.launches(rows, units):
                x, y = launch.blocks
                assert 0 < x < 1 << 31, launch
                assert 0 < y < 1 << 16, launch
