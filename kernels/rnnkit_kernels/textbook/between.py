"""Between two steps of the cell, where it is asked for; and the way back through it.

    before a step    old = fresh where the row begins anew, else state_t
    after it         h~ = (the cell's h) P                       projection (Sak, Senior & Beaufays 2014, r = W_rm m)
                     state_{t+1} = old where z, else state~      zoneout (Krueger et al. 2017, eq. 1-4)
                     state_{t+1} = z old + (1 - z) state~        its expectation, where z is a number

The cell's own c is what its own h is made of, kept or not: so it stands in the paper. What is not asked for costs
nothing here, and changes no bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Tape
from ..types import Array

__all__ = ["begin", "begin_back", "carry", "carry_back", "projected", "room"]

Values = dict[str, Any]


def room(
    weights: dict[str, Array], states: dict[str, Array], zone: dict[str, Any], reset: Array | None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Room for `Tape.began` and `Tape.made`, where they are not the states themselves."""
    T, B = next(iter(states.values())).shape[:2]
    began = {} if reset is None else {name: np.empty_like(v[1:]) for name, v in states.items()}
    made = {name: np.empty_like(states[name][1:]) for name in zone}
    if "P" in weights:
        made["h"] = np.empty_like(states["h"], shape=(T - 1, B, weights["P"].shape[0]))
    return began, made


def begin(tape: Tape, t: int, fresh: dict[str, Array] | None) -> Values:
    """The state that step t begins from, by name."""
    if tape.reset is None:
        return {name: v[t] for name, v in tape.states.items()}
    anew = tape.reset[t][:, None]
    for name, old in tape.began.items():
        old[t] = np.where(anew, (fresh or {}).get(name, 0), tape.states[name][t])
    return {name: old[t] for name, old in tape.began.items()}


def carry(tape: Tape, t: int, old: Values, new: Values) -> Values:
    """What goes on from step t, for rows that are not masked, by name; `new` is what the cell returned."""
    for name, made in tape.made.items():
        made[t] = new[name]
        value = made[t]
        if name == "h" and "P" in tape.weights:
            value = value @ tape.weights["P"]
        z = _share(tape, name, t)
        if z is not None:
            value = z * old[name] + (1 - z) * value if isinstance(z, (int, float)) else np.where(z, old[name], value)
        new[name] = value
    return new


def carry_back(tape: Tape, t: int, d: Values) -> tuple[Values, Values]:
    """From d = dL/d(state after step t): dL/d(what the cell returned), and what the old state is owed directly."""
    d, kept = dict(d), {}
    for name in tape.made:
        kept[name], d[name] = _parted(_share(tape, name, t), d[name])
        if name == "h" and "P" in tape.weights:
            d[name] = d[name] @ tape.weights["P"].T
    return d, kept


def begin_back(tape: Tape, t: int, owed: Values, fresh: Values) -> Values:
    """From dL/d(old): dL/d(state before step t); what rows that begin anew are owed is added to `fresh`."""
    if tape.reset is None:
        return owed
    anew = tape.reset[t][:, None]
    for name, d in owed.items():
        fresh[name] += np.where(anew, d, 0)
    return {name: np.where(anew, 0, d) for name, d in owed.items()}


def projected(tape: Tape, dstates: dict[str, Array]) -> tuple[Array, Array]:
    """The cell's own h, (T, B, H), and dL/d(h P), (T, B, Q), at all steps at once; zeros where a row is masked."""
    made, d = tape.made["h"], _parted(_share(tape, "h", slice(None)), dstates["h"][1:])[1]
    if tape.mask is None:
        return made, d
    live = tape.mask[:, :, None]
    return np.where(live, made, 0), np.where(live, d, 0)


def _share(tape: Tape, name: str, t: Any) -> Any:
    z = tape.zone.get(name)
    return z if z is None or isinstance(z, (int, float)) else z[t]


def _parted(z: Any, d: Any) -> tuple[Any, Any]:
    """d as it falls to the old state and to the new one."""
    if z is None:
        return 0, d
    return (z * d, (1 - z) * d) if isinstance(z, (int, float)) else (np.where(z, d, 0), np.where(z, 0, d))
