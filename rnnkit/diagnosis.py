"""Where a number stopped being finite: layer, gate, sample and step, forward or backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.contract import Gradients, Tape
from rnnkit_kernels.types import Array

from .trees import leaves

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Witness"]


class Witness:
    """Looks on during one step of training, at no cost while all is well: it only holds what the pullbacks hold too."""

    def __init__(self, model: Sequential, where: str) -> None:
        self._model, self._where = model, where
        self._tapes: list[tuple[Any, Tape]] = []
        self._gradients: list[tuple[Any, Gradients]] = []

    def watch(self, layer: Any, tape: Tape) -> Callable[[Gradients], None]:
        self._tapes.append((layer, tape))
        return lambda gradients: self._gradients.append((layer, gradients))

    def check_forward(self, value: float, y: Array) -> None:
        """Raises FloatingPointError when the loss is not finite, naming the first number that was not."""
        if np.isfinite(value):
            return
        for layer, tape in self._tapes:
            fields = {f"gate {k}": v for k, v in tape.kept.items()} | {
                f"state {k}": v[1:] for k, v in tape.states.items()
            }
            self._raise_earliest("forward", layer, fields, first_step=True)
        at = (
            ""
            if np.isfinite(y).all()
            else f", first in the output at {tuple(map(int, np.argwhere(~np.isfinite(y))[0]))}"
        )
        raise FloatingPointError(f"the loss became {value} {self._where} (forward){at}. {_ADVICE}")

    def check_backward(self, grads: Any) -> None:
        """Raises FloatingPointError when a gradient is not finite, naming the first that was not on the way back."""
        if all(np.isfinite(g).all() for g in leaves(grads)):
            return
        for layer, found in self._gradients:
            G = layer.make_cell().gates
            H = found.x_pre.shape[-1] // len(G)
            fields = {f"gate {q}": found.x_pre[:, :, k * H : (k + 1) * H] for k, q in enumerate(G)}
            fields |= {f"state {k}": v[1:] for k, v in found.states.items()}
            self._raise_earliest("backward", layer, fields, first_step=False)
        raise FloatingPointError(f"a gradient stopped being finite {self._where} (backward). {_ADVICE}")

    def _raise_earliest(self, way: str, layer: Any, fields: dict[str, Array], first_step: bool) -> None:
        found = []
        for name, values in fields.items():
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                step, row, unit = map(int, bad[0] if first_step else bad[np.argmax(bad[:, 0])])
                found.append((step if first_step else -step, name, row, unit, values[step, row, unit]))
        if found:
            step, name, row, unit, value = min(found, key=lambda f: f[0])
            k = next((k for k, other in enumerate(self._model.layers) if other is layer), "?")
            raise FloatingPointError(
                f"{value} {self._where}, first in layer {k} {type(layer).__name__}, {name}, sample {row} of the batch, "
                f"step {abs(step)}, unit {unit} ({way}). {_ADVICE}"
            )


_ADVICE = "The weights are as before this batch; try a smaller learning rate or clipnorm."
