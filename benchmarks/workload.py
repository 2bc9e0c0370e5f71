"""What is computed: a recurrent layer at a shape, its numbers, and the right answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from rnnkit import layers
from rnnkit.context import Context

from .validation import tolerance

__all__ = ["CELLS", "Runner", "Workload", "inference_context"]

CELLS: dict[str, Callable[[int], Any]] = {
    "LSTM": lambda units: layers.LSTM(units, return_sequences=True),
    "GRU": lambda units: layers.GRU(units, return_sequences=True),
    "SimpleRNN": lambda units: layers.SimpleRNN(units, return_sequences=True),
}


@dataclass(frozen=True)
class Runner:
    """A contender, ready for one workload. run: the call that is timed; arrays: what it returned, by name, in rnnkit's
    layout; origin: the kernel that runs, where that can be told."""

    run: Callable[[], Any]
    arrays: Callable[[Any], dict[str, Any]]
    origin: str = ""


@dataclass(frozen=True, eq=False)
class Workload:
    """A layer over (B, T, F) with H units: y for every step and, with `backward`, dx and all weights' gradients.

    cell      the name that contenders know it by: a key of `CELLS`
    make      units -> the rnnkit layer, where it is another than that of the cell
    options   of "mask" (lengths from half of T up), "ended" (dy is zero behind them), "state" (an initial one is handed
              in), "dropout" (whatever dropout the layer has is drawn), "vanishing" (dy is 1e-20 at the last step and
              nothing else)
    """

    cell: str
    shape: tuple[int, int, int, int]
    backward: bool = True
    dtype: str = "float32"
    make: Callable[[int], Any] | None = None
    options: tuple[str, ...] = ()
    seed: int = 0

    @cached_property
    def layer(self) -> Any:
        return (self.make or CELLS[self.cell])(self.shape[3])

    @cached_property
    def params(self) -> dict[str, Any]:
        """Weights as the layer draws them, and biases that are not zero: a mistaken bias would pass unseen."""
        rng = np.random.default_rng(self.seed)
        params, _ = self.layer.init(rng, (None, None, self.shape[2]), self.dtype)
        return {k: w + rng.normal(0, 0.1, w.shape).astype(w.dtype) * (w.ndim == 1) for k, w in params.items()}

    @cached_property
    def x(self) -> Any:
        B, T, F, _ = self.shape
        return np.random.default_rng(self.seed + 1).standard_normal((B, T, F)).astype(self.dtype)

    @cached_property
    def dy(self) -> Any:
        B, T, F, _ = self.shape
        width = self.layer.plan((None, None, F))[1][-1]
        dy = np.random.default_rng(self.seed + 2).standard_normal((B, T, width)).astype(self.dtype)
        if "vanishing" in self.options:
            dy[:, :-1] = 0
            dy *= np.float32(1e-20)
        if "ended" in self.options:
            dy[np.arange(T) >= self.lengths[:, None]] = 0
        return dy

    @cached_property
    def lengths(self) -> Any:
        """Of the rows, where they are not all T long."""
        return self._drawing()[1]

    def _drawing(self) -> tuple[Any, Any]:
        """What a pass draws from, behind the lengths, and these."""
        B, T, _, _ = self.shape
        rng = np.random.default_rng(self.seed + 4)
        return rng, rng.integers((T + 1) // 2, T + 1, B)

    @cached_property
    def state(self) -> dict[str, Any] | None:
        """The initial state by name, where one is handed in."""
        if "state" not in self.options:
            return None
        rng, B = np.random.default_rng(self.seed + 3), self.shape[0]
        return {k: rng.normal(0, 0.5, (B, n)).astype(self.dtype) for k, n in self.layer.state_sizes.items()}

    def context(self, backend: str) -> Context:
        """The circumstances of one pass; its dropout begins anew from the seed."""
        rng, lengths = self._drawing()
        mask = np.arange(self.shape[1]) < lengths[:, None] if "mask" in self.options else None
        given = {"backend": backend, "mask": mask, "rng": rng if "dropout" in self.options else None}
        return Context(**given) if self.backward else inference_context(**given)

    def forward(self, params: dict[str, Any], x: Any, ctx: Context) -> tuple[Any, Any]:
        """y and the pullback, through the layer's public call."""
        if self.state is None:
            return self.layer(params, x, ctx)
        y, _, back = self.layer.run(params, x, {k: s.astype(x.dtype) for k, s in self.state.items()}, ctx)
        return y, back

    @cached_property
    def expected(self) -> dict[str, Any]:
        """The textbook's answer in float64."""
        params = {name: w.astype(np.float64) for name, w in self.params.items()}
        y, back = self.forward(params, self.x.astype(np.float64), self.context("numpy"))
        if not self.backward:
            return {"y": y}
        dparams, dx = back(self.dy.astype(np.float64))
        return {"y": y, "dx": dx, **dparams}

    @property
    def tolerance(self) -> float:
        B, T, F, H = self.shape
        return tolerance(self.dtype, terms=F + H, steps=T, rows=B * T)

    @property
    def flops(self) -> float:
        """Of the products alone; on the way back there are two for each on the way there."""
        B, T, F, H = self.shape
        columns = self.params["U"].shape[1]
        return 2.0 * B * T * columns * (F + H) * (3 if self.backward else 1)


def inference_context(**given: Any) -> Context:
    """The context of a pass that nobody goes back through."""
    names = {entry.name for entry in fields(Context)}
    return Context(**given, **({"tape": False} if "tape" in names else {}))
