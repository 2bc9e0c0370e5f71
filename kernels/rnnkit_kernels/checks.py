"""What a recurrence refuses, in a sentence, before it begins: arrays that do not belong together."""

from __future__ import annotations

from typing import Any

from .contract import Cell
from .types import Array

__all__ = ["check_call"]


def check_call(
    cell: Cell,
    weights: dict[str, Array],
    x: Array,
    state0: dict[str, Array],
    mask: Array | None = None,
    drop: Array | None = None,
    zone: dict[str, Any] | None = None,
    reset: Array | None = None,
    fresh: dict[str, Array] | None = None,
) -> None:
    """The arguments of `forward`, see `contract`. Costs a few comparisons of shapes."""
    if x.ndim != 3:
        raise ValueError(f"{cell.name}: x is (T, B, F), time first; got shape {x.shape}")
    steps, rows, _ = x.shape
    sizes = _check_weights(cell, weights, x)
    for name in cell.state:
        if name not in state0:
            raise ValueError(f"{cell.name}: state0 needs {' and '.join(cell.state)}; {name!r} is missing")
    _check_states(cell, state0, sizes, rows)
    for what, flags in (("mask", mask), ("reset", reset)):
        if flags is not None and (flags.shape != (steps, rows) or flags.dtype != bool):
            raise ValueError(
                f"{cell.name}: {what} is (T, B) = {(steps, rows)} of bool; got {flags.shape} of {flags.dtype}"
            )
    if drop is not None and drop.shape != (rows, sizes["h"]):
        raise ValueError(f"{cell.name}: drop is (B, H) = {(rows, sizes['h'])}; got {drop.shape}")
    for name, share in (zone or {}).items():
        if name not in sizes:
            raise ValueError(f"{cell.name} has no state {name!r} to keep; it has {' and '.join(sizes)}")
        if isinstance(share, (int, float)):
            if not 0 <= share <= 1:
                raise ValueError(f"{cell.name}: zone {name!r} is a share in [0, 1]; got {share!r}")
        elif share.shape != (steps, rows, sizes[name]) or share.dtype != bool:
            raise ValueError(
                f"{cell.name}: zone {name!r} is (T, B, H) = {(steps, rows, sizes[name])} of bool, or a float; "
                f"got {share.shape} of {share.dtype}"
            )
    if fresh is not None:
        _check_states(cell, fresh, sizes, rows)


def _check_weights(cell: Cell, weights: dict[str, Array], x: Array) -> dict[str, int]:
    """Returns how wide each state is."""
    gates = len(cell.gates)
    if "W" not in weights or "U" not in weights:
        raise ValueError(f"{cell.name}: weights need W and U, got {', '.join(sorted(weights)) or 'none'}")
    P = weights.get("P")
    if P is not None and not cell.projectable:
        raise ValueError(
            f"{cell.name} cannot have its h projected: its step reads the old h itself, which is then not as wide as a "
            "gate; leave P out"
        )
    for name in ("W", "U") if P is None else ("W", "U", "P"):
        if weights[name].ndim != 2:
            raise ValueError(f"{cell.name}: {name} is a matrix; got shape {weights[name].shape}")
    inner, columns = weights["U"].shape
    units = inner if P is None else columns // gates
    if columns != gates * units:
        raise ValueError(
            f"{cell.name}: U is (H, {gates} H) for the gates {' '.join(cell.gates)}; got {weights['U'].shape}"
        )
    expected = cell.weight_shapes(x.shape[2], units, projection=None if P is None else P.shape[-1])
    for name in (*cell.gate_vectors, *cell.unit_vectors):
        if name not in weights and name != "b":
            raise ValueError(f"{cell.name}: weights lack {name!r}, of shape {expected[name]}")
    for name, weight in weights.items():
        if name not in expected:
            raise ValueError(f"{cell.name} has no weight {name!r}; it has {' '.join(expected)}")
        if weight.shape != expected[name]:
            raise ValueError(
                f"{cell.name}: {name} should have shape {expected[name]} for x {x.shape}; got {weight.shape}"
            )
    return cell.state_sizes(units, None if P is None else P.shape[-1])


def _check_states(cell: Cell, states: dict[str, Array], sizes: dict[str, int], rows: int) -> None:
    for name, state in states.items():
        if name not in sizes:
            raise ValueError(f"{cell.name} has no state {name!r}; it has {' and '.join(sizes)}")
        if state.shape != (rows, sizes[name]):
            raise ValueError(f"{cell.name}: state {name!r} is (B, H) = {(rows, sizes[name])}; got {state.shape}")
