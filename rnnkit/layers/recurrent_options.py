"""What a recurrent layer's options refuse, and what zoneout draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.contract import Cell
from rnnkit_kernels.types import Array

from ..border import whole
from ..context import Context
from .base import FEATURE_AXIS, Params
from .core import check_rate, is_number

if TYPE_CHECKING:
    from .recurrent import Recurrent

__all__ = ["check_input", "check_recurrence", "zones"]

_INITIAL = ("zeros", "learned")


def check_recurrence(layer: Recurrent, cell: Cell) -> None:
    """Raises ValueError, in a sentence, for an option out of its range or one that the cell cannot have."""
    whole(f"{type(layer).__name__}: units", layer.units, least=1)
    check_rate("dropout", layer.dropout)
    check_rate("recurrent_dropout", layer.recurrent_dropout)
    for name in ("zoneout", "cell_zoneout"):
        share = getattr(layer, name)
        if not is_number(share) or not 0 <= share < 1:
            raise ValueError(f"{name} is the share of units that keep their old value, in [0, 1); got {share!r}")
    if layer.cell_zoneout and "c" not in cell.state:
        raise ValueError(
            f"cell_zoneout keeps units of the state c, and {cell.name} has only {' and '.join(cell.state)}; use zoneout"
        )
    if layer.projection is not None:
        whole("projection", layer.projection, least=1)
        if not cell.projectable:
            raise ValueError(
                f"{cell.name} cannot be projected: its step reads the old h itself, which is then not as wide as a "
                "gate; projection is for cells like the LSTM, whose h meets nothing but U"
            )
    if not isinstance(layer.initial_state, str) or layer.initial_state not in _INITIAL:
        raise ValueError(f"initial_state is {' or '.join(map(repr, _INITIAL))}; got {layer.initial_state!r}")
    clip = layer.gradient_clip
    if clip is not None and (not is_number(clip) or not 0 < clip < np.inf):
        raise ValueError(f"gradient_clip is a positive number, or None for no limit; got {clip!r}")


def check_input(layer: Recurrent, params: Params, x: Array, state: Any, ctx: Context) -> None:
    """Raises TypeError for what is no state or no context, ValueError for shapes that do not fit the parameters."""
    kind = type(layer).__name__
    if state is not None and not isinstance(state, dict):
        names = ", ".join(f"{name!r}: ..." for name in layer.state_sizes)
        raise TypeError(
            f"a state is a dict of arrays (batch, units) by name, {{{names}}}; got a {type(state).__name__}"
        )
    if not isinstance(ctx, Context):
        raise TypeError(f"{kind}: ctx is a Context, such as Context(mask=mask); got a {type(ctx).__name__}")
    if x.ndim != 3:
        hint = FEATURE_AXIS if x.ndim == 2 else ""
        raise ValueError(f"{kind} takes x as (batch, time, features); got shape {x.shape}{hint}")
    if x.shape[2] != params["W"].shape[0]:
        raise ValueError(f"{kind} was built for {params['W'].shape[0]} features; got x of shape {x.shape}")
    if x.shape[1] == 0:
        raise ValueError(f"{kind} needs at least one step; got x of shape {x.shape}")
    for name, flags in (("mask", ctx.mask), ("reset", ctx.reset)):
        if flags is not None and flags.shape != x.shape[:2]:
            raise ValueError(f"the {name} of {kind} is (batch, time) = {x.shape[:2]}; got {flags.shape}")


def zones(layer: Recurrent, shape: tuple[int, int], ctx: Context) -> dict[str, Any]:
    """What the recurrence is handed as `zone`, for the states of which a share is kept, over steps and rows (T, B).

    With `ctx.rng` a mask (T, B, size), True with the probability of the share, drawn for each step, row and unit; in
    inference the share itself, for the expectation (Krueger et al. 2017).
    """
    shares = {name: float(share) for name, share in (("h", layer.zoneout), ("c", layer.cell_zoneout)) if share}
    rng, sizes = ctx.rng, layer.state_sizes
    if rng is None:
        return shares
    return {name: ctx.kernels.random(rng, (*shape, sizes[name]), np.float64) < z for name, z in shares.items()}
