"""`python -m benchmarks`: recurrent kernels and convolution beside PyTorch. Needs the extra `bench`."""

from __future__ import annotations

import sys

from . import convolution
from .recurrent import CELLS, SHAPES, measure


def main() -> int:
    try:
        import torch
    except ImportError:
        print("the comparison needs PyTorch: pip install 'rnnkit[bench]'", file=sys.stderr)
        return 2
    print(f"forward + backward, float32, PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'cell':<10} {'B,T,F,H':<16} {'ran':<9} {'error':>8} {'ms':>8} {'PyTorch':>8} {'ratio':>6}")
    for shape in SHAPES:
        for name in CELLS:
            row = measure(name, shape)
            size = ",".join(map(str, shape))
            numbers = f"{row.error:8.0e} {1e3 * row.ours:8.2f} {1e3 * row.torch:8.2f} {row.ratio:6.2f}"
            print(f"{row.cell:<10} {size:<16} {row.origin:<9} {numbers}", flush=True)
    convolution.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
