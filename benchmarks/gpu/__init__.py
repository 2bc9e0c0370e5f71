"""Benchmarks on a GPU: rnnkit's CUDA kernels beside PyTorch's cuDNN, times by the device's own events.

    python -m benchmarks --backend cuda             recurrent, inference and options
    python -m benchmarks constants --backend cuda   what the choice of a kernel and the floors depend on
    python -m benchmarks divisions --backend cuda   every division of a persistent kernel beside the one that is chosen
    python -m benchmarks.gpu_session --out FOLDER   all of it, and the tests, in one call

None of it has been run on a GPU yet: there are no measured figures, and the floors beside rows are predictions.

What a row is, what may be timed and how turns are taken stands apart from what calls CuPy and PyTorch (`device`), so
that all but that file runs on a CPU.
"""
