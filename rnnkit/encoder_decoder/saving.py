"""An encoder-decoder as a file: as `rnnkit.saving` has it, with two lists of layers and their tokens."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from .. import layers, saving
from ..spelling import read, spell
from .model import EncoderDecoder
from .pair import decoder_shape

__all__ = ["from_config", "save"]


def save(model: EncoderDecoder, path: str | PathLike[str]) -> None:
    """See `EncoderDecoder.save`. Raises ValueError for an unbuilt model or for an object that a file cannot name."""
    model.check_built("save")
    words = model.vocabulary
    config = {
        "format": saving.PAIR,
        "dtype": str(model.dtype),
        "seed": model.seed,
        "shape": spell(model.encoder.shapes[0]),
        "steps_fixed": model.encoder.input_shape == model.encoder.shapes[0],
        "encoder": [spell(layer) for layer in model.encoder.layers],
        "decoder": [spell(layer) for layer in model.decoder.layers],
        "tokens": {"start": words.start, "end": words.end, "pad": words.pad},
        "compiled": saving.compiled_config(model),
    }
    saving.write(Path(path), saving.tensors(model.params), config)


def from_config(config: dict[str, Any], sizes: dict[str, Any], custom: Iterable[Any]) -> EncoderDecoder:
    """The model of a configuration, its weights still to be filled in. Raises ValueError where `sizes`, those of the
    weights in the file, are not its own; they are compared before anything of that size is made."""
    encoder, decoder = ([read(entry, custom, "layer") for entry in config[side]] for side in ("encoder", "decoder"))
    shape = saving.input_shape(config, encoder)
    wanted = saving.planned(encoder, shape) | saving.planned(decoder, decoder_shape(decoder), len(encoder))
    saving.compare(wanted, sizes, config["dtype"])
    whole = [layers.Input(shape[1:]), *encoder] if config["steps_fixed"] else encoder
    tokens = {name: config["tokens"][name] for name in ("start", "end", "pad")}
    model = EncoderDecoder(whole, decoder, **tokens, dtype=config["dtype"], seed=config["seed"])
    model.accept((None, *shape[1:]))
    saving.compile_as(model, config["compiled"], custom)
    return model
