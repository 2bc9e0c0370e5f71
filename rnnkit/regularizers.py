"""Regularizers: what a weight adds to the loss by itself, and the slope of that.

    value, slope = regularizer(weight)

weight  any shape unless said otherwise; float32, float64, or complex128, which a complex step comes with
value   a Python number, summed in float64 (complex128 for a complex weight); on a device it stays there
slope   d value / d weight, of the weight's shape and dtype

Any function that answers this is a regularizer; Keras' answers the value alone. Values and defaults are those of
Keras 3, `keras/src/regularizers/`; `Orthogonality` is not in Keras.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np

from rnnkit_kernels.devices import is_here
from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from .ranges import number

__all__ = ["ALL", "L1", "L1L2", "L2", "OrthogonalRegularizer", "Orthogonality", "Regularizer", "get"]
__all__ += ["l1", "l1_l2", "l2", "orthogonal_regularizer"]

# The norm below which Keras takes a vector for zero and scales it by a constant.
_EPSILON = 1e-7


@dataclass(frozen=True)
class Regularizer(ABC):
    """What those here share: strengths are finite numbers from 0 up.

    Raises ValueError for a strength out of range, TypeError for what is no number.
    """

    def __post_init__(self) -> None:
        for name in ("l1", "l2", "factor"):
            if name in {entry.name for entry in fields(self)}:
                object.__setattr__(self, name, number(name, getattr(self, name)))

    def __call__(self, weight: Array) -> tuple[Any, Array]:
        """(value, slope)."""
        wide = weight.astype(np.result_type(weight.dtype, np.float64), copy=False)
        value, slope = self.of(wide)
        return value.item() if is_here(value) else value, slope.astype(weight.dtype, copy=False)

    @abstractmethod
    def of(self, w: Array) -> tuple[Any, Array]:
        """Value, a scalar array, and slope, for a weight that is float64 or complex128."""


@dataclass(frozen=True)
class L1(Regularizer):
    """l1 sum |w|, slope l1 sign(w), which is 0 at 0. It draws weights to exactly zero.

    Source: Tibshirani 1996, J. R. Stat. Soc. B 58, eq. 1, as a penalty.
    """

    l1: float = 0.01

    def of(self, w: Array) -> tuple[Any, Array]:
        sign = np.sign(w.real)
        return self.l1 * (sign * w).sum(), self.l1 * sign


@dataclass(frozen=True)
class L2(Regularizer):
    """l2 sum w^2, slope 2 l2 w. (Weight decay in SGD is the same with l2 = decay / 2; in Adam it is not.)

    Source: Krogh & Hertz 1991, NIPS 4, eq. 1; against decay: Loshchilov & Hutter 2019, arXiv:1711.05101, section 2.
    """

    l2: float = 0.01

    def of(self, w: Array) -> tuple[Any, Array]:
        return self.l2 * (w * w).sum(), 2 * self.l2 * w


@dataclass(frozen=True)
class L1L2(Regularizer):
    """l1 sum |w| + l2 sum w^2. As an object it is 0 by default; the name "l1_l2" stands for L1L2(0.01, 0.01).

    Source: Zou & Hastie 2005, J. R. Stat. Soc. B 67, eq. 3 (the elastic net).
    """

    l1: float = 0.0
    l2: float = 0.0

    def of(self, w: Array) -> tuple[Any, Array]:
        (a, da), (b, db) = L1(self.l1).of(w), L2(self.l2).of(w)
        return a + b, da + db


@dataclass(frozen=True)
class OrthogonalRegularizer(Regularizer):
    """factor times the mean of |cos(angle)| over all pairs of rows, or of columns, of a matrix.

    With v_i the rows scaled to length 1, n of them, and P = v v^T:

        value = c sum_{i != j} |P_ij|,          c = factor / (n (n - 1))
        dv = 2 c S v,   S = sign(P), 0 on the diagonal;   each P_ij is met twice, as P_ij and P_ji
        dw_i = (dv_i - (dv_i . v_i) v_i) / |w_i|          a change of length changes no angle

    As in Keras a row shorter than 1e-7 is divided by 1e-7 instead of its length, so that its scale is a constant. A
    matrix with one row has no pairs and the value 0, where Keras gives NaN, as its slope does at a row of zeros.
    weight  (n, m), any other rank is refused with a ValueError;  mode: "rows" or "columns"
    Source: Keras 3 `OrthogonalRegularizer`.
    """

    factor: float = 0.01
    mode: str = "rows"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in ("rows", "columns"):
            raise ValueError(f"mode is {self.mode!r}, expected 'rows' or 'columns'.")

    def of(self, w: Array) -> tuple[Any, Array]:
        if w.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer takes a matrix, two axes; got a weight of shape {w.shape}.")
        if self.mode == "columns":
            value, slope = self._rows(w.T)
            return value, slope.T
        return self._rows(w)

    def _rows(self, w: Array) -> tuple[Any, Array]:
        c = self.factor / max(1, len(w) * (len(w) - 1))
        length = np.sqrt((w * w).sum(axis=1, keepdims=True))
        turns = length.real > _EPSILON
        scale = 1 / np.where(turns, length, _EPSILON)
        v = w * scale
        P = v @ v.T
        S = np.sign(P.real)
        np.fill_diagonal(S, 0)
        dv = 2 * c * S @ v
        along = np.where(turns, (dv * v).sum(axis=1, keepdims=True), 0)
        return c * (S * P).sum(), (dv - along * v) * scale


@dataclass(frozen=True)
class Orthogonality(Regularizer):
    """How far each gate's square block of a recurrent kernel is from orthogonal:  factor sum_q ||U_q^T U_q - I||_F^2.

    With E = U^T U - I, symmetric, d value = 2 factor <E, dU^T U + U^T dU> = 4 factor <U E, dU>, so the slope is
    4 factor U_q E_q. An orthogonal U_q keeps the length of what flows back through it; so with this as a
    `recurrent_regularizer` gradients neither fade nor explode by the linear part of a step.
    weight  (H, G H): G blocks (H, H) along the last axis. Any other shape is refused with a ValueError.
    Source: Vorontsov, Trabelsi, Kadoury & Pal 2017, arXiv:1702.00071 (the soft constraint), here for each gate.
    """

    factor: float = 0.01

    def of(self, w: Array) -> tuple[Any, Array]:
        if w.ndim != 2 or not w.size or w.shape[1] % w.shape[0]:
            raise ValueError(
                f"Orthogonality takes a recurrent kernel (H, G H), square blocks side by side; got shape {w.shape}."
            )
        H = len(w)
        U = w.reshape(H, -1, H).transpose(1, 0, 2)  # (G, H, H)
        unit = np.arange(H, like=w)
        E = U.transpose(0, 2, 1) @ U - (unit == unit[:, None])
        slope = 4 * self.factor * U @ E
        return self.factor * (E * E).sum(), slope.transpose(1, 0, 2).reshape(w.shape)


ALL: dict[str, type[Regularizer]] = {
    kind.__name__: kind for kind in (L1, L2, L1L2, OrthogonalRegularizer, Orthogonality)
}


# As Keras spells them too: regularizers.l2(0.01).
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(given: Any) -> Callable[[Array], tuple[Any, Array]]:
    """The regularizer of a name ("l2", "l1_l2", "orthogonal_regularizer", ...) or class, with its defaults; or the
    object or function.

    "l1_l2" is L1L2(0.01, 0.01), as Keras documents it (and no longer does: there the object's zeros are taken).
    Raises ValueError for an unknown name, TypeError for what cannot be called.
    """
    if isinstance(given, str):
        table = {name.lower(): kind for name, kind in ALL.items()}
        if (name := given.lower().replace("_", "")) not in table:
            raise unknown("regularizer", given, table)
        return L1L2(0.01, 0.01) if name == "l1l2" else table[name]()
    found = given() if isinstance(given, type) else given
    if not callable(found):
        raise TypeError(f"{given!r} is no regularizer: expected a name, an object or fn(weight) -> (value, slope).")
    return cast(Callable[[Array], tuple[Any, Array]], found)
