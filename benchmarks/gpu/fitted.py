"""The costs of `rnnkit_kernels.cuda_gpu.estimate` that describe measured times best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from rnnkit_kernels.cuda_gpu.estimate import COSTS, Costs

__all__ = ["Told", "fitted"]

_NAMES = tuple(entry.name for entry in fields(Costs))
_TOLD = 0.5  # of a cost: how much of a change of it the times would show
_SINGULAR = 1e-6


@dataclass(frozen=True)
class Told:
    """A step's time, in microseconds, beside how often it pays each cost."""

    what: str
    counts: Mapping[str, float]
    time: float


def fitted(times: Sequence[Told]) -> str | None:
    """A sentence on the costs that the times tell, by least squares of what the estimate is off, relative to each time.
    None where there are no times.

    Costs that the times do not tell (that none pays, that are always paid with another, or that would have to be
    negative) stay as they are: of all that describe the times equally well, those are told that change least.
    """
    times = [told for told in times if told.time > 0]
    if not times:
        return None
    known = np.array([getattr(COSTS, name) for name in _NAMES])
    counts = np.array([[told.counts.get(name, 0.0) for name in _NAMES] for told in times])
    shares = counts * known / np.array([told.time for told in times])[:, None]  # of a time, by cost
    free = [k for k in range(len(_NAMES)) if shares[:, k].any()]
    change = np.ones(len(_NAMES))
    while free:
        kept = [k for k in range(len(_NAMES)) if k not in free]
        inverse = np.linalg.pinv(shares[:, free], rcond=_SINGULAR)
        change[kept], change[free] = 1, 1 + inverse @ (1 - shares[:, kept].sum(axis=1) - shares[:, free].sum(axis=1))
        if (change[free] > 0).all():
            break
        free.remove(min(free, key=lambda k: change[k]))
        change[:] = 1
    seen = np.diag(inverse @ shares[:, free]) if free else ()
    told = [k for k, much in zip(free, seen, strict=True) if much > _TOLD]
    paid = [k for k in range(len(_NAMES)) if shares[:, k].any() and k not in told]
    off = shares @ change - 1
    worst = int(np.abs(off).argmax())
    parts = [
        ", ".join(f"{_NAMES[k]} = {known[k] * change[k]:.4g} (now {known[k]:.4g})" for k in told) or "no other costs"
    ]
    if paid:
        parts.append(f"not told apart: {', '.join(_NAMES[k] for k in paid)}")
    return (
        f"cuda_gpu.estimate would describe {len(times)} times best with {'; '.join(parts)}; off by "
        f"{np.sqrt(np.mean(off**2)):.0%} in the mean, by {off[worst]:+.0%} at {times[worst].what}"
    )
