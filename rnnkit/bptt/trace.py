"""One forward and one backward pass with every number on the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.contract import Gradients, Tape
from rnnkit_kernels.textbook.parts import steps_of
from rnnkit_kernels.types import Array

from .. import losses
from ..batches import checked
from ..context import Context
from ..placing import batch_there, here

if TYPE_CHECKING:
    from ..model import Sequential

__all__ = ["LayerTrace", "Trace", "trace"]


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What one recurrent layer did, time-major: T steps, B rows, H units.

    name    the layer's place in the model and its class, "2.forward GRU" inside another;  x (T, B, F) what it read
    gates   by name, (T, B, H): what the cell kept of each step, the gates' values among it ("f", "i", ...)
    states  by name, (T+1, B, H): index 0 the initial state, index t+1 the state after step t
    dstate  by name, (T+1, B, H): dL/d(state), all of it: through the emitted h_t and through every later step.
            A state is the pair of what is handed on, so c_t's way through h_t of the same step is counted in h's share
    dgates  by gate, (T, B, H): dL/d(pre-activation x_t W_q + b_q);  du_gates: dL/d(h_{t-1} U_q + b_h,q), the same
            numbers where a cell only uses the sum
    weights, gradients  by name: the weights, and dL/d(weight)
    backwards  whether the layer reads from the end (`go_backwards`): all is in the order in which it reads
    """

    name: str
    x: Array
    gates: dict[str, Array]
    states: dict[str, Array]
    dstate: dict[str, Array]
    dgates: dict[str, Array]
    du_gates: dict[str, Array]
    weights: dict[str, Array]
    gradients: dict[str, Array]
    backwards: bool
    _tape: Tape
    _grads: Gradients

    @property
    def title(self) -> str:
        """The name, and whether the steps are those of a reader that comes from the end."""
        return f"{self.name}, backwards" if self.backwards else self.name

    def steps(self, weight: str) -> Array:
        """The part of each step in dL/d(weight), (T, *weight.shape); its sum over steps is the gradient.

        Raises KeyError for a weight that the layer does not have, ValueError above 2 GiB.
        """
        if weight not in self.weights:
            raise KeyError(f"{self.name} has no weight {weight!r}; it has {', '.join(self.weights)}")
        T = len(self.x)
        size = T * self.weights[weight].nbytes
        if size > 2**31:
            raise ValueError(f"{T} steps of {weight} take {size / 2**30:.1f} GiB; trace a shorter sequence")
        return here(steps_of(weight, self._tape, self._grads))

    @property
    def dW(self) -> Array:
        """The part of each step in dL/dW, (T, F, G*H)."""
        return self.steps("W")

    @property
    def dU(self) -> Array:
        """The part of each step in dL/dU, (T, H, G*H)."""
        return self.steps("U")

    @property
    def db(self) -> Array:
        """The part of each step in dL/db, (T, G*H)."""
        return self.steps("b")

    def norms(self) -> dict[str, Array]:
        """By state, (T+1,): the length of dL/d(state_t), all rows together: what vanishes, or explodes, going back."""
        return {k: np.sqrt((d.astype(np.float64) ** 2).sum(axis=(1, 2))) for k, d in self.dstate.items()}


@dataclass(frozen=True, eq=False)
class Trace:
    """A traced pass: `trace[k]` is the k-th recurrent layer, in the order of the model.

    loss  the value;  y the output (B, ...);  gradients nested like `model.params`;  dx dL/dx
    """

    layers: tuple[LayerTrace, ...]
    loss: float
    y: Array
    gradients: list[dict[str, Array]]
    dx: Array

    def plot(self, path: Any = None) -> Any:
        """Draws |dL/dh_t| against time for every recurrent layer; saves the picture where a path is given.

        Returns the matplotlib figure. Raises ImportError, naming the extra, where matplotlib is missing.
        """
        from ..plots import gradient_norms, save_figure

        figure = gradient_norms({layer.title: layer for layer in self})
        return figure if path is None else save_figure(figure, path)

    def __getitem__(self, k: int) -> LayerTrace:
        return self.layers[k]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.layers)


def trace(
    model: Sequential,
    x: Any,
    y: Any,
    loss: Any = "mse",
    *,
    mask: Any = None,
    lengths: Any = None,
    reset: Any = None,
    sample_weight: Any = None,
    rng: np.random.Generator | None = None,
) -> Trace:
    """Runs the model forward and back once and keeps everything. Without `rng` dropout is off.

    x, y     a batch: (B, T, F) and targets as the loss takes them;  loss: a name or an object
    raises   ValueError for data that does not fit, or a model without a recurrent layer
    The model is not changed. What a GPU has computed is brought down, and handed out as NumPy arrays.
    """
    measure: Any = losses.get(loss)
    batch = checked(model.form, x, y, mask=mask, lengths=lengths, reset=reset, sample_weight=sample_weight)
    model.accept(batch.x.shape)
    batch = batch_there(model.backend, batch)
    tapes: list[tuple[str, Any, Tape]] = []
    found: dict[int, Gradients] = {}

    def watch(layer: Any, tape: Tape, path: str) -> Callable[[Gradients], None]:
        number = len(tapes)
        tapes.append((path, layer, tape))

        def seen(gradients: Gradients) -> None:
            found[number] = gradients

        return seen

    states = dict(model.states)
    out, left, pullback = model.run(batch.x, Context(model.backend, batch.mask, rng, watch, batch.reset))
    model.states = states
    if not tapes:
        raise ValueError("the model has no recurrent layer to trace")
    value, dy = measure(out, batch.y, sample_weight=batch.sample_weight, mask=left)
    gradients: Any
    gradients, dx = pullback(dy)
    layers = tuple(_layer(*entry, found[k]) for k, entry in enumerate(tapes))
    return Trace(layers, float(here(value)), *here((out, gradients, dx)))


def _layer(path: str, layer: Any, tape: Tape, grads: Gradients) -> LayerTrace:
    gates = tape.cell.gates
    H = tape.units

    def by_gate(pre: Array) -> dict[str, Array]:
        return {q: pre[:, :, k * H : (k + 1) * H] for k, q in enumerate(gates)}

    return LayerTrace(
        name=f"{path} {layer.name or type(layer).__name__}",
        x=here(tape.x),
        gates=here(tape.kept),
        states=here(tape.states),
        dstate=here(grads.states),
        dgates=by_gate(here(grads.x_pre)),
        du_gates=by_gate(here(grads.u_pre)),
        weights=here(tape.weights),
        gradients=here(grads.weights),
        backwards=layer.go_backwards,
        _tape=tape,
        _grads=grads,
    )
