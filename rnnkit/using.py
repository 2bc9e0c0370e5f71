"""Using a model as it is: evaluation and prediction."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.devices import host
from rnnkit_kernels.types import Array

from .batches import Source
from .placing import batch_there, numbers
from .progress import watched
from .second_look import done_or_told, told_when_full
from .step import refuse_targets, states_kept, use
from .sums import Sums

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Results", "evaluate", "predict"]


def evaluate(model: Sequential, data: Source, verbose: Any) -> Results:
    """See `Sequential.evaluate`. States of stateful layers are left as they were."""

    def attempt(looking: bool) -> tuple[dict[str, float], list[Any]]:
        sums, finite = Sums(model), []
        with states_kept(model):
            for number, given in enumerate(watched(data.batches(None), data.length, "evaluate", verbose)):
                batch = batch_there(model.backend, given)
                y, mask = use(model, batch, f"in batch {number + 1} of evaluation", looking)
                if not looking:
                    finite.append(np.isfinite(y).all())
                elif model.backend.place is not None:
                    refuse_targets(model, y, batch, mask)
                value, _ = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
                sums.add(value + model.penalty()[0], y, batch, mask)
        return sums.logs(), finite

    if model.backend.place is None:
        return Results(attempt(True)[0])

    def fine(found: tuple[dict[str, float], list[Any]]) -> bool:
        return bool(np.isfinite(found[0]["loss"])) and all(numbers(found[1]))

    return Results(done_or_told(model, attempt, fine)[0])


def predict(model: Sequential, data: Source, verbose: Any) -> Array:
    """See `Sequential.predict`."""
    outputs, looking = [], model.backend.place is None
    for number, given in enumerate(watched(data.batches(None), data.length, "predict", verbose)):
        batch, where, before = batch_there(model.backend, given), f"in batch {number + 1}", model.states
        with nullcontext() if looking else told_when_full():
            y = host(use(model, batch, where, looking)[0])
        if not looking and not np.isfinite(y).all():
            model.states = before
            use(model, batch, where)
        outputs.append(y)
    sizes = {y.shape[1:] for y in outputs}
    if len(sizes) > 1:
        raise ValueError(
            f"the batches give outputs of {' and '.join(map(str, sorted(sizes)))}, which do not go into one array: "
            "pad the sequences to one length, or predict each batch by itself"
        )
    return np.concatenate(outputs)


class Results(dict[str, float]):
    """Numbers by name, or by place: `results["mae"]`, `results[1]`."""

    def __missing__(self, key: Any) -> float:
        if isinstance(key, int):
            return list(self.values())[key]
        raise KeyError(f"there is no {key!r} among {', '.join(self)}")
