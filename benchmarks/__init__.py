"""Benchmarks: ratios against alternatives in one run, every row validated before it is timed."""
