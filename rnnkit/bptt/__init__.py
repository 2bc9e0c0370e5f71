"""Backpropagation through time, looked at: what every gate, state and step owes to the loss."""

from __future__ import annotations

from .trace import LayerTrace, Trace, trace

__all__ = ["LayerTrace", "Trace", "trace"]
