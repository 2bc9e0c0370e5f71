"""`python -m benchmarks`: threads first, then the packages, then a table for each group."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from . import machine
from .arguments import GROUPS, parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the groups. Returns 0; 1 where a row failed, or where a GPU was asked for and there is none; 2, with a
    sentence, where there is nothing to compare with."""
    options = parse(arguments)
    if options.readme:
        from .readme import renew

        return renew()
    machine.hold_threads(options.threads)
    if options.backend == "cuda":
        from .gpu.run import main as on_a_gpu

        return on_a_gpu(options)
    from .report import run

    groups = {name: import_module(f".{name}", __package__) for name in options.groups or GROUPS}
    return run(groups, options)


if __name__ == "__main__":
    sys.exit(main())
