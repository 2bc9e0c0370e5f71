"""WaveNet: blocks whose dilations double, along their residuals; the sum of their skips comes out."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from rnnkit_kernels import activations
from rnnkit_kernels.types import Array

from ..border import whole
from ..chain import reach_in_a_row
from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent, feature_count
from .core import activate
from .residual import PartStreams
from .wavenet import WaveNetBlock, WaveNetOptions

__all__ = ["WaveNet"]


@dataclass(frozen=True, repr=False)
class WaveNet(WaveNetOptions):
    """Blocks in a row along their residuals: y = f(sum of their skips). x (B, T, C) -> y (B, T, skip_filters).

    dilations   the dilation of each block; (1, 2, 4, ..., 512) * 3 is the paper's
    activation  f, as in the paper's figure 4, where two 1x1 convolutions follow: `Dense` layers in a `Sequential`
    Other arguments: `WaveNetBlock`. Of the last block there is the skip alone: its residual would go nowhere.

    Weights: those of the blocks, named "0.filter.W", ... An output step sees 1 + (kernel_size - 1) sum(dilations)
    steps, the last of them its own. Streams.
    Source: van den Oord et al. 2016, arXiv:1609.03499, section 2.4.
    """

    filters: int
    dilations: Any = tuple(2**k for k in range(10))
    kernel_size: int = 2
    _: KW_ONLY
    activation: Any = "relu"

    def __post_init__(self) -> None:
        if not isinstance(self.dilations, (list, tuple)) or not self.dilations:
            raise ValueError(f"WaveNet: dilations is a tuple with one for each block; got {self.dilations!r}")
        object.__setattr__(self, "dilations", tuple(whole("WaveNet: a dilation", d, least=1) for d in self.dilations))
        activations.check(self.activation)
        self.check_options()
        _ = self.parts  # making them refuses what a block refuses

    def make_parts(self) -> dict[str, Layer]:
        options = {"skip_filters": self.skip_filters, "use_bias": self.use_bias, **self.weights}
        last = len(self.dilations) - 1
        return {
            str(k): WaveNetBlock(self.filters, d, self.kernel_size, output="skip" if k == last else "both", **options)
            for k, d in enumerate(self.dilations)
        }

    @property
    def reach(self) -> tuple[float, int]:
        return reach_in_a_row(self.parts.values())

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        feature_count("WaveNet", shape, rank=3)
        found: dict[str, Any] = {}
        skip = residual = shape
        out: Any
        for part, block in self.parts.items():
            found[part], out = block.plan(residual)
            residual, skip = out if block.several_outputs else (residual, out)
        return self.join(found), skip

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        by_part, backs = self.split(params), {}
        total: Any = None
        for part, block in self.parts.items():
            out, backs[part] = block(by_part[part], x, ctx)
            x, skip = out if block.several_outputs else (x, out)
            total = skip if total is None else total + skip
        y, through = activate(self.activation, total, ctx)

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent("WaveNet", dy, y.shape)
            owed, dparams = through(dy), {}
            dx: Any = None
            for part, block in reversed(self.parts.items()):
                dparams[part], dx = backs[part]((dx, owed) if block.several_outputs else owed)
            return self.join({part: dparams[part] for part in self.parts}), dx

        return y, pullback

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> _WaveNetStream:
        by_part = self.split(params)
        streams = {k: block.stream(by_part[k], rows, ctx) for k, block in self.parts.items()}
        return _WaveNetStream(streams, self.activation, ctx)


class _WaveNetStream(PartStreams):
    def __init__(self, streams: Any, activation: Any, ctx: Context) -> None:
        super().__init__(streams)
        self._activation, self._ctx = activation, ctx

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        total: Any = None
        for part in self._streams:
            out: Any = self.through(part, x, mask)[0]
            x, skip = out if isinstance(out, tuple) else (x, out)
            total = skip if total is None else total + skip
        return activate(self._activation, total, self._ctx)[0], mask
