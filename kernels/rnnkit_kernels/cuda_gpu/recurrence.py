"""The recurrence on a GPU, a kernel for every level of every step; what goes in and comes out is the textbook's.

The products with W, and all gradients of weights, stand outside the loop, as one product each over all steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..checks import check_call
from ..contract import Cell, Tape
from ..types import Array
from .compiled import CompiledCell, cluster_of, compiled_cell
from .emit.division import Division
from .emit.places import Options
from .panels import panels_there
from .place import Place
from .together import Begun, alone
from .words import REALS, Rounding

__all__ = ["CudaTape", "begun", "forward", "options_of"]


@dataclass(frozen=True, eq=False, kw_only=True)
class CudaTape(Tape):
    """met: (T+1, B, H), m * h, which is h where nothing is dropped; operands: m * v_t of each inner product, by gate"""

    met: Array
    operands: dict[str, Array]

    origin: ClassVar[str] = "cuda"


def options_of(dtype: Any, mask: Array | None, drop: Array | None, rounding: Rounding = None) -> Options:
    """What a call asks of its kernels. Numbers of 64 bits never go through tensor cores."""
    real = REALS[dtype]
    return Options(real, mask is not None, drop is not None, rounding if real == "float" else None)


def forward(
    place: Place,
    cell: Cell,
    weights: dict[str, Array],
    x: Array,
    state0: dict[str, Array],
    *,
    mask: Array | None = None,
    drop: Array | None = None,
    division: Division | None = None,
    rounding: Rounding = None,
) -> tuple[Array, dict[str, Array], CudaTape]:
    """See `textbook.recurrence.forward`. All arrays lie at the place, of float32 or float64 alike.

    division  of a kernel that takes all steps at once; None: a kernel for each level of each step
    rounding  what the factors of a step's products are rounded to, for tensor cores; nothing is rounded in a step with
              a division that is no `TensorDivision`. Other products of float32 then round to TF32
    """
    return alone(
        place, begun(place, cell, weights, x, state0, mask=mask, drop=drop, division=division, rounding=rounding)
    )


def begun(
    place: Place,
    cell: Cell,
    weights: dict[str, Array],
    x: Array,
    state0: dict[str, Array],
    *,
    mask: Array | None = None,
    drop: Array | None = None,
    division: Division | None = None,
    rounding: Rounding = None,
    together: int = 1,
    tape: bool = True,
) -> Begun:
    """`forward` up to its kernels. together: of how many calls they are to run side by side; tape: False gives None for
    the tape."""
    check_call(cell, weights, x, state0, mask, drop)
    xp, dtype = place.xp, x.dtype
    (T, B, F), H = x.shape, weights["U"].shape[0]
    options = options_of(dtype, mask, drop, rounding)
    program = compiled_cell(cell, False, options, together * B, H, division, place.room(), cluster_of(place))
    if mask is not None:
        mask = xp.ascontiguousarray(mask)
        x = xp.where(mask[:, :, None], x, dtype.type(0))
    with place.products(rounding):
        x_pre = x.reshape(T * B, F) @ weights["W"]
    if (bias := _input_bias(xp, program, weights)) is not None:
        x_pre += bias
    states = {name: xp.empty((T + 1, B, H), dtype) for name in cell.state}
    for name, begin in state0.items():
        if name in states:
            states[name][0] = begin
    met = states["h"]
    if drop is not None:
        drop = xp.ascontiguousarray(drop)
        met = xp.empty_like(met)
        met[0] = states["h"][0] * drop
    single = program.lowered.uniform
    kept = {name: xp.empty((T, B, 1 if f"k.{name}" in single else H), dtype) for name in program.kept}
    operands = {q: xp.empty((T, B, H), dtype) for q in program.operands}
    arrays = {"x_pre": x_pre, "h": states["h"], "met": met}
    arrays |= {"b_h": _recurrent_bias(xp, weights, dtype)} if program.reads_b_h else {}
    arrays |= {"mask": mask} if mask is not None else {}
    arrays |= {"drop": drop} if drop is not None else {}
    arrays |= {f"s.{name}": v for name, v in states.items() if name != "h"}
    arrays |= {f"k.{name}": v for name, v in kept.items()} | {f"v.{q}": v for q, v in operands.items()}
    arrays |= scratch(xp, program, B, H, dtype) | own_vectors(xp, cell, weights, H, dtype)
    if division is not None:
        arrays["U"] = xp.ascontiguousarray(weights["U"])
    else:
        arrays |= panels_there(xp, program, weights["U"], met[0])

    def finish() -> tuple[Array, dict[str, Array], CudaTape | None]:
        found = CudaTape(cell, weights, x, mask, drop, states, kept, met=met, operands=operands) if tape else None
        return states["h"][1:], {name: v[T] for name, v in states.items()}, found

    return Begun(program, (T, B, H), arrays, finish)


def _input_bias(xp: Any, program: CompiledCell, weights: dict[str, Array]) -> Array | None:
    """What x W begins with: b, and b_h for the gates that are used as one sum."""
    cell = program.cell
    b = weights.get("b") if "b" not in cell.gate_vectors else None
    if "b_h" not in weights:
        return b
    summed = [c.parts for level in program.lowered.levels for c in level.columns if len(c.parts) == 2]
    with_h = {q for parts in summed for operand, q in parts if operand == "h"}
    H = weights["U"].shape[0]
    zeros = xp.zeros(H, weights["b_h"].dtype)
    each = [weights["b_h"][k * H : (k + 1) * H] if q in with_h else zeros for k, q in enumerate(cell.gates)]
    whole = xp.concatenate(each)
    return whole if b is None else whole + b


def _recurrent_bias(xp: Any, weights: dict[str, Array], dtype: Any) -> Array:
    if "b_h" in weights:
        return xp.ascontiguousarray(weights["b_h"])
    return xp.zeros(weights["U"].shape[1], dtype)


def scratch(xp: Any, program: CompiledCell, B: int, H: int, dtype: Any) -> dict[str, Array]:
    """What a step leaves between its levels."""
    lowered = program.lowered
    return {
        "carried": xp.empty((lowered.carried, B, H), dtype),
        "sums": xp.empty((lowered.sums, program.sums_room(H), B), dtype),
    }


def own_vectors(xp: Any, cell: Cell, weights: dict[str, Array], H: int, dtype: Any) -> dict[str, Array]:
    """The cell's own vectors; a bias that is not used is zeros."""
    found = {}
    for name in (*cell.unit_vectors, *cell.gate_vectors):
        size = H if name in cell.unit_vectors else len(cell.gates) * H
        found[f"p.{name}"] = xp.ascontiguousarray(weights[name]) if name in weights else xp.zeros(size, dtype)
    return found
