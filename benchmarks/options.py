"""What an option costs: forward and backward with it over the same without it, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rnnkit import Cell, layers, names

from . import table
from .contenders import REFERENCE
from .contenders.ours import runner
from .measure import measured, prepared, validated
from .plan import Plan
from .results import Row
from .workload import Runner, Workload

__all__ = ["HELP", "columns", "notes", "rows"]

HELP = "the time of rnnkit's forward + backward with an option, over that without it"
NARROW, WIDE, LONG = (128, 100, 32, 32), (64, 100, 128, 128), (128, 500, 32, 32)
_STEPS = 8  # of a layer-normalised recurrence that are validated: it amplifies rounding with every step


class OwnLSTM(Cell):
    """The LSTM as a user would write it: `step` alone."""

    gates, state = names("i f g o"), names("h c")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        i, f, o = (F.sigmoid(a) for a in (x.i + u.i, x.f + u.f, x.o + u.o))
        c = f * s.c + i * F.tanh(x.g + u.g)
        return (o * F.tanh(c), c), ()


def _layer(kind: Any, **options: Any) -> Callable[[int], Any]:
    return lambda units: kind(units, return_sequences=True, **options)


_LSTM, _GRU, _NORM = _layer(layers.LSTM), _layer(layers.GRU), _layer(layers.LayerNormLSTM)


@dataclass(frozen=True)
class _Option:
    """limit: what the cost is held to; plain: what it is compared with; given: options and dtype of the workload."""

    label: str
    limit: float
    make: Callable[[int], Any]
    plain: Callable[[int], Any] = _LSTM
    given: tuple[str, ...] = ()
    dtype: str = "float32"
    shapes: tuple[tuple[int, int, int, int], ...] = (NARROW, WIDE)
    normalised: bool = False


OPTIONS = (
    _Option("recurrent dropout", 1.06, _layer(layers.LSTM, recurrent_dropout=0.2), given=("dropout",)),
    _Option("mask", 1.06, _LSTM, given=("mask",)),
    _Option("initial state", 1.06, _LSTM, given=("state",)),
    _Option("peephole", 1.06, _layer(layers.PeepholeLSTM)),
    _Option("GRU reset before", 1.1, _layer(layers.GRU, reset_after=False), _GRU),
    _Option("layer norm", 1.6, _NORM, shapes=(NARROW,), normalised=True),
    _Option("layer norm", 1.3, _NORM, shapes=(WIDE,), normalised=True),
    _Option("float64", 2.4, _LSTM, dtype="float64"),
    _Option("GRU swish", 1.3, _layer(layers.GRU, activation="swish"), _GRU),
    _Option("own cell", 1.05, lambda units: layers.RNN(OwnLSTM(), units, return_sequences=True)),
    _Option("vanishing dy", 1.2, _LSTM, given=("vanishing",), shapes=(LONG,)),
)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    limit = table.Column("limit", 5, lambda row: f"{row.limit}")
    return (
        *table.case("option", 17),
        table.origin(),
        table.milliseconds("option", "ms"),
        table.milliseconds("plain"),
        table.cost("option", "cost"),
        limit,
        table.milliseconds("loop", REFERENCE),
        table.mark(),
    )


def rows(plan: Plan) -> Iterator[Row]:
    backend = "auto" if "rnnkit" in plan.contenders else "numpy"
    for option in OPTIONS:
        for shape in ((3, 7, 5, 9),) if plan.quick else option.shapes:
            if plan.shapes and shape not in plan.shapes:
                continue
            work = Workload("", shape, dtype=option.dtype, make=option.make, options=option.given)
            plain = Workload("", shape, make=option.plain)
            makers = {"option": partial(runner, work, backend), "plain": partial(runner, plain, backend)}
            if option.normalised and REFERENCE in plan.contenders:
                makers["loop"] = partial(_loop, work)
            made = prepared(makers)
            check = partial(_checked, work, plain, backend, made)
            yield measured(option.label, shape, made, check, plan.effort, reference="plain", limit=option.limit)


def notes(found: list[Row], plan: Plan) -> list[str]:
    costs = [(1 / ratio, row) for row in found if (ratio := row.ratio("option")) is not None]
    over = [f"{row.label} at {row.shape}" for cost, row in costs if row.limit and cost > row.limit]
    return [f"over its limit: {', '.join(over)}"] if over else ["every option is within its limit"]


def _checked(work: Workload, plain: Workload, backend: str, made: dict[str, Runner]) -> Any:
    """`validated`, each against its own right answer; a norm within the recurrence on its first steps."""
    (B, T, F, H), short = work.shape, {"option": made["option"]}
    if type(work.layer) is layers.LayerNormLSTM:
        work = replace(work, shape=(B, min(T, _STEPS), F, H))
        makers = {"option": partial(runner, work, backend), "loop": partial(_loop, work)}
        short = prepared({name: make for name, make in makers.items() if name in made})
    right, failed = validated(short, work.expected, work.tolerance)
    plain_right, plain_failed = validated({"plain": made["plain"]}, plain.expected, plain.tolerance)
    return right | plain_right, failed | plain_failed


def _loop(work: Workload) -> Runner:
    """The layer-normalised LSTM as it is written in PyTorch: a Python loop over the steps."""
    from .contenders.layernorm_loop import loop

    return loop(work)
