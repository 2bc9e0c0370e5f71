"""Recurrent kernels: arrays in, arrays out. Nothing here knows of layers, models or training."""
