"""How a run of steps is cut, and a run that is recorded once and replayed.

A launch costs the host several microseconds, a step of a recurrence on a GPU one or two. So a run of steps is recorded
as a CUDA graph, whose kernels read sizes and addresses from a table that belongs to the graph, and is replayed for as
many steps as there are: the table is what is written before, and a last kernel in the graph moves its step on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["FEW", "LONGEST", "Recorded", "cut"]

LONGEST = 32  # steps of a run: more make a graph dearer to keep and hardly cheaper to replay
FEW = 4  # steps that are launched one by one: recording them would take as long as many passes


def cut(steps: int) -> tuple[int, int]:
    """(steps of a run, runs): as few runs as `LONGEST` allows, and as short as that makes them.

    The last one goes beyond the end by less than a step for each run: those return at once.
    """
    runs = -(-steps // LONGEST)
    return -(-steps // runs), runs


class Recorded:
    """A run of steps as a graph, with the table that its kernels read.

    cupy   the module; launch(table) launches the run's kernels on the current stream
    words  of the table;  own: a stream for nothing but recording

    Raises what recording raises, CuPy's errors; `own` may then be used again.
    """

    def __init__(self, cupy: Any, launch: Callable[[Any], None], words: int, own: Any) -> None:
        self._table = cupy.empty(words, np.int64)  # before recording: nothing is allocated within
        self._done = cupy.cuda.Event(disable_timing=True)
        with own:
            own.begin_capture()
            try:
                launch(self._table)
            except BaseException:
                self._abandon(own)
                raise
            self._graph = own.end_capture()

    @staticmethod
    def _abandon(own: Any) -> None:
        """Ends a recording that has failed; what that raises tells no more than the error that is on its way."""
        try:
            own.end_capture()
        except RuntimeError:
            return

    def replay(self, words: Sequence[int], runs: int, stream: Any) -> None:
        """All runs, one after the other, on that stream, behind what it has to do already.

        The table is written in the stream's order, and behind the last replay, also where that was on another stream:
        it may be read still. Before the first there is nothing to wait for, and CUDA waits for nothing.
        """
        stream.wait_event(self._done)
        self._table.set(np.array(words, np.int64), stream)
        for _ in range(runs):
            self._graph.launch(stream)
        self._done.record(stream)

    def close(self) -> None:
        """Waits until nobody reads the table any more."""
        self._done.synchronize()
