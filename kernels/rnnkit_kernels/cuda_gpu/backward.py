"""The way back through time on a GPU: kernels leave the gradient columns of every step, products do the rest."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..contract import Gradients
from ..levels import backward_levels
from ..types import Array
from .compiled import cluster_of, compiled_cell
from .emit.division import Division
from .panels import panels_back
from .place import Place
from .recurrence import CudaTape, options_of, own_vectors, scratch
from .sums import sum_of_rows
from .together import Begun, alone
from .words import Rounding

__all__ = ["CudaGradients", "backward", "begun_back"]


class CudaGradients(Gradients):
    """Gradients whose parts of single steps are laid out as the contract says when they are asked for.

    columns  (T, B, N, H): the gradient columns of every step, see `gradient_columns`
    """

    def __init__(self, place: Place, tape: CudaTape, columns: Array, states: dict[str, Array], dx: bool) -> None:
        own = self.__dict__
        own["place"], own["tape"], own["columns"], own["states"], own["fresh"] = place, tape, columns, states, {}
        own["gradient"] = backward_levels(tape.cell).gradient
        own["state0"] = {name: v[0] for name, v in states.items()}
        own["weights"], own["x"] = self._weights(), self._x() if dx else None

    place: Place
    tape: CudaTape
    columns: Array
    gradient: Any

    @cached_property
    def x_pre(self) -> Array:
        return self._arranged([self.gradient.x[q] for q in self.tape.cell.gates])

    @cached_property
    def u_pre(self) -> Array:
        if self.gradient.u == self.gradient.x:
            return self.x_pre
        return self._arranged([self.gradient.u[q] for q in self.tape.cell.gates])

    @cached_property
    def vectors(self) -> dict[str, Array]:
        cell, weights = self.tape.cell, self.tape.weights
        steps = self.columns.sum(axis=1)
        return {
            name: self.place.xp.concatenate(
                [steps[:, 0] * 0 if k is None else steps[:, k] for k in self._of(name)], axis=1
            )
            for name in (*cell.gate_vectors, *cell.unit_vectors)
            if name in weights
        }

    def _of(self, vector: str) -> list[int | None]:
        """The columns that add up to a vector's gradient; None stands for zeros."""
        cell, at = self.tape.cell, self.gradient.p
        if vector in cell.unit_vectors:
            return [at.get(f"p.{vector}")]
        return [at.get(f"p.{vector}.{q}") for q in cell.gates]

    def _arranged(self, at: list[int]) -> Array:
        """Columns side by side, (T, B, len(at) * H)."""
        T, B, _, H = self.columns.shape
        if at == list(range(at[0], at[0] + len(at))):
            wanted = self.columns[:, :, at[0] : at[0] + len(at)]
        else:
            wanted = self.place.xp.stack([self.columns[:, :, k] for k in at], axis=2)
        return self.place.xp.ascontiguousarray(wanted.reshape(T, B, len(at) * H))

    def _weights(self) -> dict[str, Array]:
        tape, cell, xp = self.tape, self.tape.cell, self.place.xp
        T, B, F = tape.x.shape
        H = tape.units
        x_pre, u_pre = (g.reshape(T * B, g.shape[-1]) for g in (self.x_pre, self.u_pre))
        met = tape.met[:-1].reshape(T * B, H)
        if tape.operands:
            parts = [(tape.operands[q].reshape(T * B, H) if q in tape.operands else met) for q in cell.gates]
            dU = xp.concatenate([v.T @ u_pre[:, k * H : (k + 1) * H] for k, v in enumerate(parts)], axis=1)
        else:
            dU = met.T @ u_pre
        found = {"W": tape.x.reshape(T * B, F).T @ x_pre, "U": dU} | self._sums()
        return {name: found[name] for name in tape.weights}

    def _sums(self) -> dict[str, Array]:
        """The gradients of biases and of the cell's own vectors: sums of gradient columns, of all columns at once."""
        (T, B, N, H), cell, gradient = self.columns.shape, self.tape.cell, self.gradient
        totals = sum_of_rows(self.place, self.columns.reshape(T * B, N * H)).reshape(N, H)
        at: dict[str, list[int | None]] = {
            "b": [gradient.x[q] for q in cell.gates],
            "b_h": [None if q in self.tape.operands else gradient.u[q] for q in cell.gates],
        }
        at |= {name: self._of(name) for name in (*cell.gate_vectors, *cell.unit_vectors)}
        nothing = self.place.xp.zeros(H, totals.dtype) if any(None in columns for columns in at.values()) else None
        found = {}
        for name, columns in at.items():
            if name not in self.tape.weights:
                continue
            first = columns[0]
            if first is not None and columns == list(range(first, first + len(columns))):
                found[name] = totals[first : first + len(columns)].reshape(len(columns) * H)
            else:
                found[name] = self.place.xp.concatenate([nothing if k is None else totals[k] for k in columns])
        return found

    def _x(self) -> Array:
        T, B, F = self.tape.x.shape
        return (self.x_pre.reshape(T * B, self.x_pre.shape[-1]) @ self.tape.weights["W"].T).reshape(T, B, F)


def backward(
    place: Place,
    tape: CudaTape,
    dh: Array,
    dstate: dict[str, Array] | None = None,
    division: Division | None = None,
    rounding: Rounding = None,
    dx: bool = True,
) -> Gradients:
    """See `textbook.recurrence.backward`: the same arguments but for `clip`, the same result, the same refusals.

    division, rounding  as in `recurrence.forward`
    """
    return alone(place, begun_back(place, tape, dh, dstate, division, rounding, dx))


def begun_back(
    place: Place,
    tape: CudaTape,
    dh: Array,
    dstate: dict[str, Array] | None = None,
    division: Division | None = None,
    rounding: Rounding = None,
    dx: bool = True,
    together: int = 1,
) -> Begun:
    """`backward` up to its kernels. together: as in `recurrence.begun`."""
    cell, xp, dtype = tape.cell, place.xp, tape.x.dtype
    T, B, H = tape.states["h"][1:].shape
    if dh.shape != (T, B, H):
        raise ValueError(f"{cell.name}: dh is (T, B, H) = {(T, B, H)}, as h; got {dh.shape}")
    states = {name: xp.empty((T + 1, B, H), dtype) for name in cell.state}
    for owed_at_end in states.values():
        owed_at_end[-1] = 0
    for name, owed in (dstate or {}).items():
        if name not in states or owed.shape != (B, H):
            shapes = ", ".join(f"{k} {(B, H)}" for k in states)
            raise ValueError(f"{cell.name}: dstate is a dict of {shapes}; got {name!r} {owed.shape}")
        states[name][-1] = owed
    options = options_of(dtype, tape.mask, tape.drop, rounding)
    program = compiled_cell(cell, True, options, together * B, H, division, place.room(), cluster_of(place))
    gradient = program.lowered.gradient
    assert gradient is not None
    columns = xp.empty((T, B, gradient.columns, H), dtype)
    arrays = {"h": tape.states["h"], "dh": xp.ascontiguousarray(dh, dtype=dtype), "gradients": columns}
    arrays |= {"mask": tape.mask} if tape.mask is not None else {}
    arrays |= {"drop": tape.drop} if tape.drop is not None else {}
    arrays |= {f"s.{name}": v for name, v in tape.states.items() if name != "h"}
    arrays |= {f"k.{name}": v for name, v in tape.kept.items()} | {f"v.{q}": v for q, v in tape.operands.items()}
    arrays |= {f"d.{name}": v for name, v in states.items()}
    arrays |= scratch(xp, program, B, H, dtype) | own_vectors(xp, cell, tape.weights, H, dtype)
    first, last = gradient.h_range
    through = [q for k in range(first, last) for q in cell.gates if gradient.u[q] == k and q not in tape.operands]
    U = {q: tape.weights["U"][:, k * H : (k + 1) * H].T for k, q in enumerate(cell.gates)}
    back_to_h = xp.concatenate([U[q] for q in through]) if through else None
    if division is not None:
        arrays["U"] = xp.ascontiguousarray(tape.weights["U"])
    else:
        arrays |= panels_back(xp, program, U, back_to_h, B)

    def finish() -> Gradients:
        with place.products(rounding):
            if back_to_h is not None and T:
                owed = columns[0, :, first:last].reshape(B, (last - first) * H) @ back_to_h
                owed = owed if tape.drop is None else owed * tape.drop
                states["h"][0] += owed if tape.mask is None else xp.where(tape.mask[0][:, None], owed, dtype.type(0))
            return CudaGradients(place, tape, columns, states, dx)

    return Begun(program, (T, B, H), arrays, finish)
