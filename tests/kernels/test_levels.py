"""Programs cut into levels: what is stored, what is only added up, and what goes from level to level."""

from __future__ import annotations

from typing import Any

import pytest
from compiled_cells import USERS

from rnnkit_kernels import cells
from rnnkit_kernels.levels import Lowered, backward_levels, forward_levels
from rnnkit_kernels.program import reachable

EVERY = pytest.mark.parametrize("cell", [*cells.ALL, *USERS], ids=lambda c: c.name)


def written(lowered: Lowered) -> list[str]:
    return [name for level in lowered.levels for name in level.outputs]


@EVERY
@pytest.mark.parametrize("lower", [forward_levels, backward_levels])
def test_what_a_level_reads_was_written_by_a_level_before_it(cell: Any, lower: Any) -> None:
    known: set[str] = set()
    for level in lower(cell).levels:
        leaves = {node.attr for node in reachable(level.outputs.values()) if node.op == "leaf"}
        assert {name for name in leaves if name[:2] in ("r.", "w.", "g.")} <= known
        assert not any(name.startswith("t.") for name in leaves), "totals are not to be had again"
        known |= set(level.outputs)


@EVERY
def test_each_gradient_column_is_written_once_and_stored_only_where_a_product_asks_for_it(cell: Any) -> None:
    lowered = backward_levels(cell)
    gradient = lowered.gradient
    names = [name for name in written(lowered) if name[:2] in ("g.", "t.")]
    stored = [f"g.{k}" for k in range(gradient.stored)]
    assert sorted(names) == sorted(stored + [f"t.{k}" for k in range(gradient.stored, gradient.columns)])
    assert set(range(gradient.stored)) == {*gradient.x.values(), *gradient.u.values()}


def test_layer_normalisation_stores_two_gradients_a_gate_and_adds_up_those_of_its_vectors() -> None:
    gradient = backward_levels(cells.LayerNormLSTM()).gradient
    assert (gradient.stored, gradient.columns) == (8, 22)


def test_a_gradient_that_several_later_values_are_made_of_is_carried_itself() -> None:
    """Not each of its products with a gain: for every gate dL/da, dL/dm and what c' owes, and no more."""
    assert backward_levels(cells.LayerNormLSTM()).carried == 6
