"""Single passes over arrays, compiled: optimizers, dropout masks, gradients of embeddings, crossentropy."""

from .passes import CompiledElementwise

__all__ = ["CompiledElementwise"]
