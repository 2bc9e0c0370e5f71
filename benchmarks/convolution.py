"""Conv1D, causal and dilated, forward and backward (y, dx, dW, db) beside PyTorch: `pad` and `conv1d` on (B, C, T)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit.context import Context
from rnnkit.layers import Conv1D

from . import table
from .contenders import REFERENCE
from .contenders.ours import backend_name
from .measure import measured, prepared, validated
from .plan import Plan
from .results import Row, mean_ratio, told
from .validation import tolerance
from .workload import Runner

__all__ = ["HELP", "SHAPES", "columns", "notes", "rows"]

HELP = "Conv1D, causal, forward and backward"

# B, T, C, filters, kernel, dilation
SHAPES = (
    (32, 512, 64, 64, 3, 4),
    (128, 128, 32, 32, 3, 1),
    (32, 1000, 16, 64, 5, 8),
    (64, 120, 1, 32, 3, 1),
    (64, 120, 2, 32, 3, 2),
    (16, 2048, 128, 128, 2, 64),
)
SMALL = ((2, 9, 3, 5, 3, 2),)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    first, *others = [name for name in _timed(plan) if name != REFERENCE]
    return (
        *table.case("layer", 6, 21, "B,T,C,filters,k,d"),
        table.milliseconds(first, "ms"),
        table.milliseconds(REFERENCE),
        table.ratio(first, "ratio"),
        *map(table.ratio, others),
        table.share(),
        table.mark(),
    )


def rows(plan: Plan) -> Iterator[Row]:
    for shape in plan.grid(SHAPES, SMALL):
        B, T, C, O, k, d = shape
        layer = Conv1D(O, k, padding="causal", dilation_rate=d)
        rng = np.random.default_rng(0)
        params, _ = layer.init(rng, (None, None, C))
        params["b"] = rng.normal(0, 0.1, O).astype(np.float32)
        x, dy = (rng.standard_normal((B, T, n), dtype=np.float32) for n in (C, O))
        made = prepared({name: partial(_runner, name, layer, params, x, dy) for name in _timed(plan)})
        allowed = tolerance(np.float32, terms=k * max(C, O), steps=1, rows=B * T)
        check = partial(validated, made, _textbook(layer, params, x, dy), allowed)
        yield measured("Conv1D", shape, made, check, plan.effort, 6.0 * B * T * k * C * O, plan.peak)


def notes(found: list[Row], plan: Plan) -> list[str]:
    return [f"geometric mean {told(mean_ratio(found))}"] if any(row.ratio() for row in found) else []


def _timed(plan: Plan) -> list[str]:
    return [name for name in plan.contenders if name in ("rnnkit", "NumPy", REFERENCE)]


def _textbook(layer: Any, params: dict[str, Any], x: Any, dy: Any) -> dict[str, Any]:
    """The right answer, in float64."""
    y, back = layer({k: w.astype(np.float64) for k, w in params.items()}, x.astype(np.float64), Context("numpy"))
    dparams, dx = back(dy.astype(np.float64))
    return {"y": y, "dx": dx, **dparams}


def _runner(name: str, layer: Any, params: dict[str, Any], x: Any, dy: Any) -> Runner:
    if name == REFERENCE:
        return _pytorch(layer, params, x, dy)
    ctx = Context(backend_name(name))

    def both() -> Any:
        y, back = layer(params, x, ctx)
        return y, *back(dy)

    return Runner(both, lambda r: {"y": r[0], "dx": r[2], **r[1]})


def _pytorch(layer: Any, params: dict[str, Any], x: Any, dy: Any) -> Runner:
    import torch
    from torch.nn import functional

    W = torch.from_numpy(params["W"].transpose(2, 1, 0).copy()).requires_grad_()
    b = torch.from_numpy(params["b"].copy()).requires_grad_()
    tx, tdy = (torch.from_numpy(a.swapaxes(1, 2).copy()) for a in (x, dy))
    tx.requires_grad_()
    before, d = (layer.kernel_size - 1) * layer.dilation_rate, layer.dilation_rate

    def both() -> Any:
        tx.grad = W.grad = b.grad = None
        y = functional.conv1d(functional.pad(tx, (before, 0)), W, b, dilation=d)
        y.backward(tdy)
        return y

    def arrays(y: Any) -> dict[str, Any]:
        y, dx = (a.detach().numpy().swapaxes(1, 2) for a in (y, tx.grad))
        return {"y": y, "dx": dx, "W": W.grad.numpy().transpose(2, 1, 0), "b": b.grad.numpy()}

    return Runner(both, arrays)
