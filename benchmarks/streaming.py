"""One step at a time: `Stream.step` beside PyTorch's cells under `inference_mode`, one row, F = 64, H = 128."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from rnnkit import Sequential

from . import table
from .contenders import REFERENCE
from .contenders.ours import backend_name
from .measure import measured, prepared, validated
from .plan import Plan
from .results import Row
from .workload import CELLS, Runner, Workload

__all__ = ["HELP", "columns", "notes", "rows"]

HELP = "one step of one row, microseconds"
STEPS = 20  # of a call: those that are validated, and timed together


def columns(plan: Plan) -> tuple[table.Column, ...]:
    names = [name for name in ("rnnkit", "NumPy", REFERENCE) if name in plan.contenders]
    microseconds = [table.microseconds(name) for name in names]
    return (*table.case(sizes="F,H"), table.origin(), *microseconds, table.ratio(names[0], "ratio"), table.mark())


def rows(plan: Plan) -> Iterator[Row]:
    for F, H in plan.grid([(64, 128)], [(3, 5)]):
        for cell in plan.chosen(CELLS):
            work = Workload(cell, (1, STEPS, F, H), backward=False)
            names = [name for name in ("rnnkit", "NumPy", REFERENCE) if name in plan.contenders]
            runners = prepared({name: partial(_runner, name, work) for name in names})
            check = partial(validated, runners, work.expected, work.tolerance)
            yield measured(cell, (F, H), runners, check, plan.effort).per(STEPS)


def notes(found: list[Row], plan: Plan) -> list[str]:
    return [
        f"{STEPS} steps of a stream whose state goes on, by the step: rnnkit through the model's `Stream`, which looks"
        " at its input and its output; PyTorch's cell by itself, `inference_mode` entered once for all of them."
    ]


def _runner(name: str, work: Workload) -> Runner:
    if name == REFERENCE:
        return _pytorch(work)
    model = Sequential([work.layer], backend=backend_name(name))
    model.build((None, None, work.shape[2]))
    model.params = [work.params]
    stream, steps = model.stream(), list(work.x[0][:, None])
    kernel = model.backend.kernel(work.layer.make_cell())
    return Runner(lambda: [stream.step(x) for x in steps], _arrays, str(kernel.origin))


def _pytorch(work: Workload) -> Runner:
    import torch

    from .contenders.pytorch import module_of

    module = module_of(work.cell, work.params)
    kind = {"LSTM": torch.nn.LSTMCell, "GRU": torch.nn.GRUCell, "SimpleRNN": torch.nn.RNNCell}[work.cell]
    cell = kind(work.shape[2], work.shape[3])
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in module.state_dict().items()})
    steps = [torch.from_numpy(row) for row in work.x[0][:, None]]
    state: Any = None

    def run() -> Any:
        nonlocal state
        found = []
        with torch.inference_mode():
            for x in steps:
                state = cell(x, state)
                found.append(state[0] if isinstance(state, tuple) else state)
        return found

    return Runner(run, _arrays)


def _arrays(outputs: Any) -> dict[str, Any]:
    return {"y": np.stack([np.asarray(y)[0] for y in outputs])[None]}
