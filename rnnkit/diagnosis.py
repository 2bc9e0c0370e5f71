"""Where a number stopped being finite: layer, gate, sample and step, forward or backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.contract import Gradients, Tape
from rnnkit_kernels.devices import host
from rnnkit_kernels.types import Array

from .trees import leaves

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["IN_PIECES", "IN_TRAINING", "IN_USE", "Witness", "told_in_a_sentence"]


# The end of a message: in training, and where weights are only used.
IN_TRAINING = "The weights are as before this batch; try a smaller learning rate or clipnorm."
IN_PIECES = "The weights are as the piece before left them; try a smaller learning rate or clipnorm."
IN_USE = "The weights are too large, or x is."


def told_in_a_sentence() -> np.errstate:
    """Around what may overflow: the one who looks at the numbers afterwards says so, instead of NumPy's warnings."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def _all_finite(arrays: list[Array]) -> bool:
    """A sum of squares is finite only where every term is. It may overflow, and only then each is looked at."""
    return bool(np.isfinite(sum([np.vdot(a, a) for a in arrays]))) or all(np.isfinite(a).all() for a in arrays)


class Witness:
    """Looks on during one pass, at no cost while all is well: it only holds what the pullbacks hold too. A look at what
    lies on a device waits for it, and brings it down.

    where   the batch in words;  advice: what a user may do, the end of every message
    """

    def __init__(self, model: Sequential, where: str, advice: str) -> None:
        self._model, self._where, self._advice = model, where, advice
        self._tapes: list[tuple[str, Any, Tape]] = []
        self._gradients: list[tuple[str, Any, Gradients]] = []

    def watch(self, layer: Any, tape: Tape, path: str) -> Callable[[Gradients], None]:
        self._tapes.append((path, layer, tape))
        return lambda gradients: self._gradients.append((path, layer, gradients))

    def check_forward(self, value: float, y: Array) -> None:
        """Raises FloatingPointError when the loss is not finite, naming the first number that was not."""
        if not np.isfinite(host(value)):
            self._raise_forward(f"the loss became {host(value)}", y)

    def check_output(self, y: Array) -> None:
        """Raises FloatingPointError when an output is not finite, naming the first number that was not."""
        if not np.isfinite(host(y)).all():
            self._raise_forward("an output is not finite", y)

    def _raise_forward(self, what: str, y: Array) -> None:
        for path, layer, tape in self._tapes:
            self._raise_earliest("forward", path, layer, {"its input": tape.x})
            gates = tape.cell.gates
            fields = {f"{'gate' if k in gates else 'value'} {k}": v for k, v in tape.kept.items()}
            fields |= {f"state {k}": v[1:] for k, v in tape.states.items()}
            self._raise_earliest("forward", path, layer, fields)
        bad = np.argwhere(~np.isfinite(host(y)))
        at = f", first in the output at {tuple(map(int, bad[0]))}" if len(bad) else ""
        raise FloatingPointError(f"{what} {self._where} (forward){at}. {self._advice}")

    def check_backward(self, grads: Any) -> None:
        """Raises FloatingPointError when a gradient is not finite, naming the first that was not on the way back."""
        arrays = leaves(grads)
        if _all_finite(arrays if self._model.backend.place is None else [host(a) for a in arrays]):
            return
        for path, layer, tape in self._tapes:  # a gate may saturate on it, and only its gradient then tells
            self._raise_earliest("forward", path, layer, {"its input": tape.x})
        for k in reversed(range(len(grads))):
            for path, layer, found in self._gradients:
                if path.partition(".")[0] != str(k):
                    continue
                G = layer.cell_made.gates
                H = found.x_pre.shape[-1] // len(G)
                fields = {f"gate {q}": found.x_pre[:, :, n * H : (n + 1) * H] for n, q in enumerate(G)}
                fields |= {f"state {name}": v[1:] for name, v in found.states.items()}
                self._raise_earliest("backward", path, layer, fields)
            for name, g in grads[k].items():
                if not all(np.isfinite(host(leaf)).all() for leaf in leaves(g)):
                    raise FloatingPointError(
                        f"the gradient of {name} of layer {k} {type(self._model.layers[k]).__name__} stopped being "
                        f"finite {self._where} (backward). {self._advice}"
                    )

    def check_recorded(self, recorded: dict[str, Array]) -> None:
        """Raises FloatingPointError when a running statistic, named "place.weight", is not finite."""
        for name, new in recorded.items():
            if not np.isfinite(host(new)).all():
                place, _, weight = name.partition(".")
                raise FloatingPointError(
                    f"{weight} of layer {place} {type(self._model.layers[int(place)]).__name__} stopped being finite "
                    f"{self._where} (forward): its input is too large for {new.dtype}. {self._advice}"
                )

    def _raise_earliest(self, way: str, path: str, layer: Any, fields: dict[str, Array]) -> None:
        """Names what came first: the earliest step on the way forward, the latest on the way back.

        The step is told as the layer's input has it, also where the layer reads that from the end.
        """
        sign = 1 if way == "forward" else -1
        found = []
        for name, lying in fields.items():
            values = host(lying)
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                step, row, unit = map(int, bad[np.argmin(sign * bad[:, 0])])
                at = len(values) - 1 - step if layer.go_backwards else step
                found.append((sign * step, name, row, unit, at, values[step, row, unit]))
        if found:
            _, name, row, unit, at, value = min(found, key=lambda f: f[0])
            axis = "feature" if name == "its input" else "unit"
            which = f"layer {path} {type(layer).__name__}"
            raise FloatingPointError(
                f"{value} {self._where}, first in {which}, {name}, "
                f"sample {row} of the batch, step {at}, {axis} {unit} ({way}). {self._advice}"
            )
