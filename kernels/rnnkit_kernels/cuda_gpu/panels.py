"""Weights laid out for the products of kernels that take a level at a time: what each product meets, side by side; and
for products of bf16 both sides in pairs, two numbers of 16 bits in a word, the first in its lower half."""

from __future__ import annotations

from typing import Any

from ..types import Array
from .compiled import CompiledCell
from .layout import twins

__all__ = ["panels_back", "panels_there"]

_LINE, _GROUP = 8, 4  # numbers of 16 bits, and words, in the 16 bytes that are copied at once


def panels_there(xp: Any, program: CompiledCell, U: Array, met: Array) -> dict[str, Array]:
    """The columns of U that each product meets, those of a unit side by side; with bf16 also what `emit.twins` names.
    met: (B, H), m * h of the first state."""
    H, gates = U.shape[0], program.cell.gates
    columns = {q: U[:, k * H : (k + 1) * H] for k, q in enumerate(gates)}
    panels = {
        f"panel.{k}.{j}": xp.stack([columns[q] for q in product.gates], axis=-1)
        for k, level in enumerate(program.lowered.levels)
        for j, product in enumerate(level.products)
        if product.operand != "x"
    }
    if not program.layout.pairs:
        return {name: xp.ascontiguousarray(panel) for name, panel in panels.items()}
    found = {name: _pairs(xp, panel.reshape(1, H, -1)) for name, panel in panels.items()}
    for name in twins(program.lowered):
        found[name] = _twin(xp, (2, *met.shape) if name == "twin.h" else met.shape)
        if name == "twin.h":
            found[name][0, :, :H] = _bf16(xp, met)
    return found


def panels_back(
    xp: Any, program: CompiledCell, transposed: dict[str, Array], back_to_h: Array | None, B: int
) -> dict[str, Array]:
    """The rows that each product of the way back meets; with bf16 also what `emit.twins` names. transposed: U_q' by
    gate; back_to_h: those of all gates whose gradients go to h, below each other; None where there are none."""
    H, gradient = next(iter(transposed.values())).shape[0], program.lowered.gradient
    assert gradient is not None
    panels: dict[str, Any] = {
        f"panel.{k}.{j}": back_to_h if product.operand == "d" else transposed[product.gates[0]]
        for k, level in enumerate(program.lowered.levels)
        for j, product in enumerate(level.products)
    }
    if not program.layout.pairs:
        return {name: xp.ascontiguousarray(panel) for name, panel in panels.items()}
    found = {name: _pairs(xp, panel.reshape(-1, H, H)) for name, panel in panels.items()}
    return found | {name: _twin(xp, (2, B, gradient.columns, H)) for name in twins(program.lowered)}


def _bf16(xp: Any, numbers: Array) -> Array:
    """The upper halves of float32 numbers rounded to bf16, halves to even; NaN stays NaN."""
    bits = xp.ascontiguousarray(numbers).view(xp.uint32)
    rounded = (bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16
    return xp.where(xp.isnan(numbers), xp.uint16(0x7FFF), rounded.astype(xp.uint16))


def _pairs(xp: Any, panels: Array) -> Array:
    """Panels (N, length, numbers), each filled up with zeros to whole lines and groups, below each other:
    (N length / 2, numbers), words of the rows 2 k and 2 k + 1."""
    N, length, numbers = panels.shape
    filled = xp.zeros((N, _up(length, _LINE) // 2, 2, _up(numbers, _GROUP)), xp.uint16)
    filled.reshape(N, -1, filled.shape[-1])[:, :length, :numbers] = _bf16(xp, panels)
    low, high = (filled[:, :, k].astype(xp.uint32) for k in (0, 1))
    return (low | (high << 16)).reshape(-1, filled.shape[-1])


def _twin(xp: Any, shape: tuple[int, ...]) -> Array:
    """Numbers of 16 bits that nobody has written, in lines that zeros fill up."""
    *rows, H = shape
    found = xp.empty((*rows, _up(H, _LINE)), xp.uint16)
    found[..., H:] = 0
    return found


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
