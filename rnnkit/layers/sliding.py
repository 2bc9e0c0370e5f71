"""A window that slides over time: what convolution and pooling share. Padding, masks, reach, and the stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.textbook.convolution import Window
from rnnkit_kernels.types import Array

from ..border import whole
from .base import FEATURE_AXIS, Shape, wrong_rank
from .streams import check_state

__all__ = ["Sliding", "WindowStream", "one_number", "padding_of"]

Compute = Callable[[Array, Array], Array]


def one_number(name: str, given: Any) -> int:
    """A whole number from 1 up, or a tuple of one, as Keras takes it too."""
    if isinstance(given, (tuple, list)) and len(given) == 1:
        given = given[0]
    return whole(name, given, least=1)


def padding_of(layer: str, given: Any, known: tuple[str, ...]) -> str:
    """The name in small letters. Raises ValueError for another."""
    if isinstance(given, str) and given.lower() in known:
        return given.lower()
    raise ValueError(f"{layer}: padding is {', '.join(map(repr, known[:-1]))} or {known[-1]!r}, got {given!r}")


@dataclass(frozen=True)
class Sliding:
    """size taps, `dilation` steps apart, moved on by `stride`; padding decides what stands beyond the ends.

    "valid"   nothing: a window lies within the sequence
    "causal"  (size - 1) dilation steps before the first: the last tap of window n is step n stride
    "same"    ceil(T / stride) windows, and as many steps as they need beyond the sequence, half of them before it, the
              odd one behind it (the rule of TensorFlow and Keras, which for a strided window depends on T)
    layer is who asks, for messages.
    """

    layer: str
    size: int
    stride: int
    dilation: int
    padding: str

    @property
    def span(self) -> int:
        return Window(self.size, dilation=self.dilation).span

    @property
    def reach(self) -> tuple[float, int]:
        return self.span, self.stride

    def window(self, steps: int) -> Window:
        """Where the windows lie in a sequence of so many steps. Raises ValueError where none fits."""
        left = right = 0
        if self.padding == "causal":
            left = self.span - 1
        elif self.padding == "same":
            total = max((-(-steps // self.stride) - 1) * self.stride + self.span - steps, 0)
            left, right = total // 2, total - total // 2
        elif steps < self.span:
            raise ValueError(
                f"{self.layer} looks at {self.span} steps at a time and the sequence has {steps}: give longer ones, "
                "or choose another padding than 'valid'"
            )
        if steps < 1:
            raise ValueError(f"{self.layer} needs at least one step")
        return Window(self.size, self.stride, self.dilation, left, right)

    def planned(self, shape: Shape, features: int) -> Shape:
        """The output's shape for an input's, with or without its batch."""
        steps = shape[-2]
        return (*shape[:-2], None if steps is None else self.window(steps).outputs(steps), features)

    def check(self, x: Array, mask: Array | None) -> None:
        """Refuses x that is no batch of sequences, and a mask that is not x's."""
        if x.ndim != 3:
            raise wrong_rank(self.layer, x.shape, 3, FEATURE_AXIS)
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"the mask of {self.layer} is (batch, time) = {x.shape[:2]}; got {mask.shape}")

    def thinned(self, mask: Array | None) -> Array | None:
        """The mask of the output: that of the last step of each window, or with "same" of its middle."""
        if mask is None:
            return None
        window = self.window(mask.shape[1])
        first = (self.span - 1) // 2 - window.left if self.padding == "same" else self.span - 1 - window.left
        return mask[:, first :: self.stride]

    def stream(self, rows: int, compute: Compute, step: Array | None = None) -> WindowStream:
        """step: zeros (rows, C), where it is known before the first one comes what a step is.

        Raises ValueError where a window holds steps that come after the one it stands for.
        """
        if self.padding == "same" and self.size > 1:
            raise ValueError(
                f"{self.layer} with padding='same' cannot be streamed: its windows reach beyond the step at hand; "
                "choose 'valid'" + (" or 'causal'" if self.layer == "Conv1D" else "")
            )
        return WindowStream(self, rows, compute, step)


class WindowStream:
    """The last `span` steps in a ring, and whenever a window is complete what `compute` makes of it.

    compute  (taps (B, size, C), which of them are real (B, size)) -> the output step (B, ...)
    """

    def __init__(self, sliding: Sliding, rows: int, compute: Compute, step: Array | None) -> None:
        self._sliding, self._rows, self._compute = sliding, rows, compute
        self._span = sliding.span
        self._like = step  # decides features and dtype of the ring; pooling learns them from its first step
        self._due = 1 if sliding.padding == "causal" else sliding.span  # steps before the first output
        self._taps = np.arange(1 - sliding.size, 1) * sliding.dilation  # how far back each tap looks
        self.reset()

    def reset(self) -> None:
        self._seen = 0
        self._real = np.zeros((self._rows, self._span), bool)
        self._ring = None if self._like is None else self._empty(self._like)

    def _empty(self, step: Array) -> Array:
        """(B, span, C): step t has the place t % span."""
        return np.zeros_like(step, shape=(self._rows, self._span, step.shape[1]))

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None] | None:
        like = x if self._ring is None else self._ring
        if x.ndim != 2 or x.shape != (self._rows, like.shape[-1]):
            features = "features" if self._ring is None else str(like.shape[-1])
            raise ValueError(f"a step of {self._sliding.layer} is ({self._rows}, {features}); got {x.shape}")
        if self._ring is None:
            self._ring = self._empty(x)
        at = self._seen % self._span
        self._ring[:, at] = x
        self._real[:, at] = True if mask is None else mask
        self._seen += 1
        if self._seen < self._due or (self._seen - self._due) % self._sliding.stride:
            return None
        places = (at + self._taps) % self._span
        return self._compute(self._ring[:, places], self._real[:, places]), mask

    @property
    def state(self) -> dict[str, Array]:
        """seen (), real (B, span) and, once a step has come, ring (B, span, C)."""
        ring = {} if self._ring is None else {"ring": self._ring.copy()}
        return {"seen": np.array(self._seen), "real": self._real.copy(), **ring}

    @state.setter
    def state(self, state: dict[str, Array]) -> None:
        wanted: dict[str, tuple[int, ...]] = {"seen": (), "real": self._real.shape}
        like: Any = self._ring if self._ring is not None else state.get("ring")
        if "ring" in state or self._like is not None:
            wanted["ring"] = (*self._real.shape, *np.shape(like)[2:])
        check_state(self._sliding.layer, state, wanted)
        self._seen, self._real = int(state["seen"]), state["real"].copy()
        self._ring = state["ring"].copy() if "ring" in state else None
