"""Cases for the tests of the benchmarks on a GPU: a device whose time passes in calls alone, contenders that answer."""

import numpy as np

from benchmarks.gpu.plan import GpuPlan
from benchmarks.gpu.rows import GpuRow
from benchmarks.gpu.runner import GpuRunner
from benchmarks.timing import Effort
from rnnkit_kernels.backends import Backend

SHORT = Effort(block=1e-9, blocks=2, rest=0.0)


class FakeDevice:
    """The CPU in place of a GPU. place: where kernels run. log: what it was asked for, in order."""

    name = "cpu"

    def __init__(self, place=None):
        self.backend = Backend("cuda", "a test", place)
        self.now, self.log = 0.0, []

    def passes(self, name, seconds):
        """A call that takes so long."""

        def run():
            self.now += seconds
            self.log.append(name)
            return name

        return run

    def timed(self, run, calls):
        begin = self.now
        for _ in range(calls):
            run()
        return (self.now - begin) / calls, 0.25 * (self.now - begin) / calls

    def fresh(self, size):
        self.log.append(("fresh", size))

    def recorded(self, run):
        self.log.append("recorded")
        return run

    def compiled(self, function):
        self.log.append("compiled")
        return function

    def prepared(self, asked):
        self.log.append(("prepared", len(asked)))
        return len(asked)

    def described(self):
        return {"gpu": "a fake device", "processors": 132, "capability": 90}


class NoPlace:
    """A place that is asked for its size alone."""

    xp = np

    def __init__(self, processors=(132, 90)):
        self._processors = processors

    def processors(self):
        return self._processors

    def room(self):
        return 227 << 10

    def large_clusters(self):
        return 0


def plan(device=None, **options):
    given = {"effort": SHORT, **options}
    return GpuPlan(threads=1, device=device or FakeDevice(NoPlace()), **given)


def answers(device, name, seconds=1.0, y=1.0, **options):
    """A maker of a contender that takes so long and says that y is this number."""
    given = {"tolerance": 1e-6, "kernel": lambda: "a kernel", **options}
    return lambda: GpuRunner(device.passes(name, seconds), lambda _: {"y": np.full(3, y)}, **given)


def right():
    return {"y": np.ones(3)}


def row(label="LSTM", shape=(64, 100, 128, 128), **options):
    values = {"rnnkit": 1e-4, "rnnkit alone": 5e-5, "PyTorch": 4e-4, "PyTorch graph": 3e-4}
    given = {"values": values, "steps": 100, "origin": "all c2", "page": 0.45}
    return GpuRow(label, shape, **given | options)
