"""Compiled recurrences give the textbook's numbers, in every field of the tape and of the gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import compiled_cases as cc
import compiled_setting as setting
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import label, steady

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.numba_cpu import backward_plan
from rnnkit_kernels.numba_cpu.split import Split

# Each cell is a program a direction and a dtype, and takes seconds to compile. MGU is GRUBefore's kind, with less.
COMMON = ("LSTM", "GRU")
PAIRS = [
    pytest.param(
        c,
        d,
        id=f"{label(c)}-{d}",
        marks=[] if (d == "float64" and c.name != "MGU") or c.name in COMMON else pytest.mark.slow,
    )
    for c in cells.ALL
    for d in cc.DTYPES
]
EVERY = pytest.mark.parametrize(("cell", "dtype"), PAIRS)


@pytest.fixture(autouse=True, scope="module")
def _three_threads_and_nothing_but_nan_in_fresh_memory():
    with setting.threads(3), setting.poisoned():
        yield


@EVERY
@steady(max_examples=20)
@given(data=st.data())
def test_every_field_is_the_textbooks_in_every_shape_and_with_every_option(cell: Cell, dtype: str, data: Any) -> None:
    case = data.draw(cc.cases(cell, dtype))
    cc.assert_the_textbooks(case, cc.compiled(case, split=data.draw(st.sampled_from(cc.SPLITS))), dtype)


@EVERY
@pytest.mark.parametrize("split", cc.SPLITS, ids=lambda s: f"{s.parts}{' by units' if s.by_units else ' by rows'}")
def test_every_field_is_the_textbooks_whoever_computes_which_rows_and_units(cell: Cell, dtype: str, split: Any) -> None:
    """More units than three parts of one tile, and more rows than tiles of six divide."""
    case = cc.draw(cell, (3, 13, 17, 140), dtype)
    got = cc.compiled(case, split=split)
    assert got.tape.split.parts == split.parts
    cc.assert_the_textbooks(case, got, dtype)


@EVERY
@pytest.mark.parametrize("split", cc.SPLITS[::2], ids=lambda s: f"{s.parts}{' by units' if s.by_units else ' by rows'}")
@pytest.mark.parametrize("T", [2, 5])
def test_every_field_is_the_textbooks_when_the_way_back_goes_in_chunks(
    cell: Cell, dtype: str, split: Any, T: int
) -> None:
    case = cc.draw(cell, (T, 5, 3, 33), dtype)
    with setting.small_chunks():
        got = cc.compiled(case, split=split)
        assert setting.chunk_steps(got.tape) == 1
        cc.assert_the_textbooks(case, got, dtype)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_rows_of_an_odd_number_of_bytes_stay_apart_where_chunks_meet(parts: int) -> None:
    case = cc.draw(cells.SimpleRNN(), (6, 3, 2, 3), "float32")
    with setting.small_chunks(), setting.threads(parts):
        got = cc.compiled(case, split=Split(parts, False, "asked for"))
        row = backward_plan.backward_plan(got.tape.plan, got.tape.split, False).row
        assert row == 16  # 12 bytes and what fills the last word
        cc.assert_the_textbooks(case, got, "float32")


def test_chunks_of_several_steps_may_leave_a_shorter_one_over() -> None:
    case = cc.draw(cells.LSTM(), (23, 33, 3, 70), "float64", mask=None)
    got = cc.compiled(case)
    steps = setting.chunk_steps(got.tape)
    assert 1 < steps < 23, "the sizes of this test no longer make chunks: choose larger ones"
    assert 23 % steps, "the chunks of this test leave none over: choose another T"
    cc.assert_the_textbooks(case, got, "float64")


@pytest.mark.parametrize("how", cc.VIEWS)
@pytest.mark.parametrize("dtype", cc.DTYPES)
def test_what_is_owed_and_what_goes_in_may_be_views_of_any_kind(how: str, dtype: str) -> None:
    case = cc.draw(cells.LSTM(), (4, 7, 5, 19), dtype, mask=None)
    case = replace(case, x=cc.seen(case.x, how), dh=cc.seen(case.dh, how))
    before = np.array(case.x), np.array(case.dh)
    for split in cc.SPLITS[:4:3]:
        cc.assert_the_textbooks(case, cc.compiled(case, split=split), dtype)
    np.testing.assert_array_equal(case.x, before[0])
    np.testing.assert_array_equal(case.dh, before[1])


@pytest.mark.parametrize("how", ["every second", "part of wider", "backwards", "one number"])
def test_initial_states_masks_and_dropout_may_be_views_too(how: str) -> None:
    case = cc.draw(cells.LSTM(), (4, 7, 5, 19), "float32")

    def view(a: Any) -> Any:
        return cc.seen(a[None], how)[0]

    changed = replace(
        case,
        state0={k: view(v) for k, v in case.state0.items()},
        drop=view(case.drop),
        dstate={k: view(v) for k, v in case.dstate.items()},
        mask=np.asfortranarray(case.mask),
    )
    cc.assert_the_textbooks(changed, cc.compiled(changed), "float32")


@pytest.mark.parametrize("pattern", cc.MASKS)
@pytest.mark.parametrize("name", ["LSTM", "GRU", "LayerNormLSTM"])
def test_rows_that_are_held_keep_their_state_bit_for_bit_and_owe_nothing(name: str, pattern: str) -> None:
    cell = getattr(cells, name)()
    mask = cc.masks(6, 7, 4)[pattern]
    case = cc.draw(cell, (6, 7, 3, 18), mask=mask)
    got = cc.compiled(case)
    cc.assert_the_textbooks(case, got, "float64")
    if mask is None:
        return
    held = ~mask
    for state in got.tape.states.values():
        np.testing.assert_array_equal(state[1:][held], state[:-1][held])
    for gradient in (got.grads.x, got.grads.x_pre, got.grads.u_pre):
        assert not gradient[held].any()


def test_recycled_memory_that_is_full_of_nan_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large blocks come back to the next call of their size as the last one left them."""
    from rnnkit_kernels.numba_cpu import memory

    monkeypatch.setattr(memory, "_SMALL", 1 << 16)
    case = cc.draw(cells.LSTM(), (6, 24, 16, 66), "float32")
    first = {k: v.copy() for k, v in cc.compiled(case).all.items()}
    blocks = [memory.empty((1 << k) + (1 << k) // 4 * j, np.uint8) for k in range(16, 23) for j in range(4)]
    for block in blocks:
        block.fill(0xFF)
    del blocks, block
    assert memory.held() > 1 << 20
    for _ in range(3):
        cc.assert_bits(cc.compiled(case).all, first)
