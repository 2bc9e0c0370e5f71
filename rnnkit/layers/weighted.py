"""What layers with a kernel and a bias are told about them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from .base import Layer

__all__ = ["Weighted"]


@dataclass(frozen=True, repr=False)
class Weighted(Layer):
    """The base of layers with weights W, the kernel, and b, the bias.

    kernel_initializer, bias_initializer  what they start from: Glorot uniform and zeros, as in Keras
    kernel_regularizer, ...               what they add to the loss;  kernel_constraint, ...: where they are held
    """

    _: KW_ONLY
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    roles: ClassVar[dict[str, str]] = {"W": "kernel", "b": "bias"}
