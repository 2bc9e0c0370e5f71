"""The compiled causal, dilated, strided 1-D convolution and its way back."""

from .passes import CompiledConvolution

__all__ = ["CompiledConvolution"]
