"""A model as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Summary", "summary"]


class Summary(str):
    """Text that shows itself as it is at a prompt and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(model: Sequential) -> Summary:
    """Layer, output shape and number of parameters, a line each; before a model is built, what is known."""
    rows = [("layer", "output", "parameters")]
    total = learned = 0
    for k, layer in enumerate(model.layers):
        label = layer.name or type(layer).__name__
        if not model.built:
            rows.append((f"{k} {label}", "?", "?"))
            continue
        count = sum(p.size for p in model.params[k].values())
        total += count
        learned += sum(model.params[k][name].size for name in layer.learned(model.params[k]))
        shape = ", ".join("?" if n is None else str(n) for n in model.shapes[k + 1])
        rows.append((f"{k} {label}", f"({shape})", f"{count:,}"))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    rule = "-" * len(lines[0])
    if not model.built:
        known = ["not built: the input's shape is not known"]
    else:
        known = [f"{total:,} parameters, {_bytes(total * model.dtype.itemsize)} of {model.dtype}"]
        if learned < total:
            known.append(f"{learned:,} are trained, {total - learned:,} are not")
        if 1 < model.receptive_field < math.inf:
            known.append(f"a step of the output sees {model.receptive_field:,} steps of the input")
    return Summary("\n".join([lines[0], rule, *lines[1:], rule, *known]))


def _bytes(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
