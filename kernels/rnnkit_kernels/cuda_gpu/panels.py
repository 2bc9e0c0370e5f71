"""Weights laid out for the products of kernels that take a level at a time: what each product meets, side by side."""

from __future__ import annotations

from typing import Any

from ..types import Array
from .compiled import CompiledCell

__all__ = ["panels_back", "panels_there"]


def panels_there(xp: Any, program: CompiledCell, U: Array) -> dict[str, Array]:
    """The columns of U that each product meets, those of a unit side by side."""
    H, gates = U.shape[0], program.cell.gates
    columns = {q: U[:, k * H : (k + 1) * H] for k, q in enumerate(gates)}
    return {
        f"panel.{k}.{j}": xp.ascontiguousarray(xp.stack([columns[q] for q in product.gates], axis=-1))
        for k, level in enumerate(program.lowered.levels)
        for j, product in enumerate(level.products)
        if product.operand != "x"
    }


def panels_back(
    xp: Any, program: CompiledCell, transposed: dict[str, Array], back_to_h: Array | None
) -> dict[str, Array]:
    """The rows that each product of the way back meets. transposed: U_q' by gate; back_to_h: those of all gates whose
    gradients go to h, below each other; None where there are none."""
    return {
        f"panel.{k}.{j}": xp.ascontiguousarray(back_to_h if product.operand == "d" else transposed[product.gates[0]])
        for k, level in enumerate(program.lowered.levels)
        for j, product in enumerate(level.products)
    }
