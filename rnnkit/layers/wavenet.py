"""WaveNetBlock: a gated causal convolution, with a residual and a skip."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..border import whole
from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, feature_count
from .container import Container
from .convolution import Conv1D
from .core import Dense
from .residual import PartStreams
from .sliding import one_number
from .weighted import Weighted

__all__ = ["WaveNetBlock", "WaveNetOptions"]

_OUTPUTS = ("residual", "skip", "both")


@dataclass(frozen=True, repr=False)
class WaveNetOptions(Container, Weighted):
    """What a block and a stack of them are told alike, by name; `weights` are the options of every part's weights."""

    _: KW_ONLY
    skip_filters: int | None = None
    use_bias: bool = True

    rank = 3

    @property
    def weights(self) -> dict[str, Any]:
        return {
            f"{role}_{what}": getattr(self, f"{role}_{what}")
            for role in ("kernel", "bias")
            for what in ("initializer", "regularizer", "constraint")
        }


@dataclass(frozen=True, repr=False)
class WaveNetBlock(WaveNetOptions):
    """One block: z = tanh(W_f * x) sigmoid(W_g * x), * a causal convolution; residual = 1x1(z) + x; skip = 1x1(z).

    x (B, T, C) -> residual (B, T, filters) or skip (B, T, skip_filters).

    filters        features of z and of the residual. Where x has another number, a 1x1 projection without a bias stands
                   for it in the sum (He et al. 2016, option B), so the first block takes whatever there is
    dilation_rate  input steps between two taps
    kernel_size    taps
    skip_filters   features of the skip; `filters` where None is given
    output         "residual", to be followed by another block; "skip"; "both": the tuple (residual, skip). A layer in a
                   row hands on one array, so `Sequential` takes "residual" or "skip", and `WaveNet` adds up the skips
    use_bias and the initializers, regularizers and constraints are those of every part, as in `Conv1D`.

    Weights: "filter", "gate" (kernel_size, C, filters), then what the output asks for, "residual" (filters, filters),
    "skip" (filters, skip_filters), each with its bias, and "project" (C, filters). Masks as in `Conv1D`; streams.
    Source: van den Oord et al. 2016, arXiv:1609.03499, eq. 2 and figure 4.
    """

    filters: int
    dilation_rate: int = 1
    kernel_size: int = 2
    _: KW_ONLY
    output: str = "residual"

    def __post_init__(self) -> None:
        whole("WaveNetBlock: filters", self.filters, least=1)
        if self.skip_filters is not None:
            whole("WaveNetBlock: skip_filters", self.skip_filters, least=1)
        for name in ("kernel_size", "dilation_rate"):
            object.__setattr__(self, name, one_number(f"WaveNetBlock: {name}", getattr(self, name)))
        if self.output not in _OUTPUTS:
            raise ValueError(f"WaveNetBlock: output is 'residual', 'skip' or 'both', got {self.output!r}")
        self.check_options()

    @property
    def several_outputs(self) -> str | None:
        return "output='both'" if self.output == "both" else None

    def make_parts(self) -> dict[str, Layer]:
        weights = self.weights
        taps = {"padding": "causal", "dilation_rate": self.dilation_rate, "use_bias": self.use_bias, **weights}
        found: dict[str, Layer] = {
            "filter": Conv1D(self.filters, self.kernel_size, activation="tanh", **taps),
            "gate": Conv1D(self.filters, self.kernel_size, activation="sigmoid", **taps),
        }
        if self.output != "skip":
            found["residual"] = Dense(self.filters, use_bias=self.use_bias, **weights)
        if self.output != "residual":
            found["skip"] = Dense(self.skip_filters or self.filters, use_bias=self.use_bias, **weights)
        if self.output != "skip":
            found["project"] = Dense(self.filters, use_bias=False, **weights)
        return found

    @property
    def reach(self) -> tuple[float, int]:
        return self.parts["filter"].reach

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Any]:
        channels = feature_count("WaveNetBlock", shape, rank=3)
        inside = (*shape[:-1], self.filters)
        found, outs = {}, []
        for name, part in self.parts.items():
            if name != "project" or channels != self.filters:
                found[name], out = part.plan(inside if name in ("residual", "skip") else shape)
                outs += [out] if name in ("residual", "skip") else []
        return self.join(found), tuple(outs) if self.output == "both" else outs[0]

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Any, Pullback]:
        by_part, parts = self.split(params), self.parts
        ctx = ctx.but(dx=True)  # what several parts owe z, and x, is added up
        f, back_filter = parts["filter"](by_part["filter"], x, ctx)
        g, back_gate = parts["gate"](by_part["gate"], x, ctx)
        z = f * g
        ends = [name for name in ("residual", "skip") if name in parts]
        outputs: dict[str, Array] = {}
        backs: dict[str, Pullback] = {}
        for name in ends:
            outputs[name], backs[name] = parts[name](by_part[name], z, ctx)
        if "residual" in outputs:
            carried, backs["project"] = x, lambda dy: ({}, dy)
            if by_part["project"]:
                carried, backs["project"] = parts["project"](by_part["project"], x, ctx)
            outputs["residual"] = outputs["residual"] + carried

        def pullback(dy: Any) -> tuple[Params, Array]:
            owed = dict(zip(ends, dy if self.output == "both" else (dy,), strict=True))
            owed = {name: np.zeros_like(outputs[name]) if d is None else d for name, d in owed.items()}
            dparams: dict[str, Params] = {}
            through: dict[str, Array] = {}
            for name in ends:
                dparams[name], through[name] = backs[name](owed[name])
            dz: Any = sum(through.values())
            dparams["filter"], by_filter = back_filter(dz * g)
            dparams["gate"], by_gate = back_gate(dz * f)
            dx = by_filter + by_gate
            if "residual" in owed:
                dparams["project"], carried = backs["project"](owed["residual"])
                dx = dx + carried
            return self.join({name: dparams[name] for name in parts}), dx

        return tuple(outputs.values()) if self.output == "both" else outputs[ends[0]], pullback

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> _BlockStream:
        by_part = self.split(params)
        streams = {k: part.stream(by_part[k], rows, ctx) for k, part in self.parts.items() if by_part[k]}
        return _BlockStream(streams, self.output == "both")


class _BlockStream(PartStreams):
    def __init__(self, streams: Any, both: bool) -> None:
        super().__init__(streams)
        self._both = both

    def step(self, x: Array, mask: Array | None) -> tuple[Any, Array | None]:
        z = self.through("filter", x, mask)[0] * self.through("gate", x, mask)[0]
        outputs = {name: self.through(name, z, mask)[0] for name in ("residual", "skip") if name in self._streams}
        if "residual" in outputs:
            carried = self.through("project", x, mask)[0] if "project" in self._streams else x
            outputs["residual"] = outputs["residual"] + carried
        return tuple(outputs.values()) if self._both else next(iter(outputs.values())), mask
