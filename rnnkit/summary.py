"""A model as a table."""

from __future__ import annotations

import math
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Summary", "summary"]


class Summary(str):
    """Text that shows itself as it is at a prompt and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(model: Sequential) -> Summary:
    """Layer, output shape and number of parameters, a line each; of a model that is not built, what is known."""
    rows = [("layer", "output", "parameters")]
    total = learned = 0
    plans = _plans(model)
    for k, (layer, plan) in enumerate(zip(model.layers, plans, strict=True)):
        label = f"{k} {layer.name or type(layer).__name__}"
        if plan is None:
            rows.append((label, "?", "?"))
            continue
        sizes, out = plan
        count = sum(map(prod, sizes.values()))
        total += count
        learned += sum(prod(sizes[name]) for name in layer.learned(dict(sizes)))  # by their names alone
        rows.append((label, f"({', '.join('?' if n is None else str(n) for n in out)})", f"{count:,}"))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    rule = "-" * len(lines[0])
    if None in plans or not plans:
        known = ["not built: the input's shape is not known"]
    else:
        known = [f"{total:,} parameters, {_bytes(total * model.dtype.itemsize)} of {model.dtype}"]
        if learned < total:
            known.append(f"{learned:,} are trained, {total - learned:,} are not")
        if 1 < model.receptive_field < math.inf:
            known.append(f"a step of the output sees {model.receptive_field:,} steps of the input")
    return Summary("\n".join([lines[0], rule, *lines[1:], rule, *known]))


def _plans(model: Sequential) -> list[Any]:
    """What `plan` says of each layer; None from where the shape is not known.

    A model that takes indices needs no shape to be counted, up to a layer that wants to know the number of steps.
    """
    shape: Any = model.shapes[0] if model.built else None
    if not model.built and model.layers and model.layers[0].takes_indices:
        shape = (None, None)
    found: list[Any] = []
    for layer in model.layers:
        try:
            found.append(None if shape is None else layer.plan(shape))
        except ValueError:
            found.append(None)
        shape = None if found[-1] is None else found[-1][1]
    return found


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
