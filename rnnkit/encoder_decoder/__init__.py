"""Encoder and decoder: sequences, or vectors, turned into sequences of tokens."""

from .decoding import Decoded
from .exact_match import ExactMatch
from .model import EncoderDecoder

__all__ = ["Decoded", "EncoderDecoder", "ExactMatch"]
