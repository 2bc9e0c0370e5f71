"""Encoder and decoder: sequences, or vectors, turned into sequences of tokens."""

from ..metrics import ExactMatch
from .decoding import Decoded
from .model import EncoderDecoder

__all__ = ["Decoded", "EncoderDecoder", "ExactMatch"]
