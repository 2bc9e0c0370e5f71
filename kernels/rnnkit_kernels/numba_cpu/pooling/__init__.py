"""Pooling compiled, over windows and over all steps."""

from .windows import CompiledPooling

__all__ = ["CompiledPooling"]
