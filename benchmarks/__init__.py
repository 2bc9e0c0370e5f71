"""Benchmarks: rnnkit beside what else computes the same, in one run, every row validated before it is timed.

    python -m benchmarks                     everything, saved and drawn
    python -m benchmarks recurrent --quick   one group, small shapes, seconds
    python -m benchmarks --readme            the README's section, made anew from what was saved

Importing this package loads nothing: the number of threads has to be set before NumPy is there.
"""
