"""Times on a device of several contenders, taken in turn: a clock that goes down does so for all of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from ..timing import Effort
from .device import Device
from .runner import GpuRunner

__all__ = ["FULL", "QUICK", "Times", "alternate"]

FULL = Effort(block=0.004, blocks=21, rest=0.0)
QUICK = Effort(block=0.001, blocks=5, rest=0.0)
_MOST = 2000  # calls of a block


@dataclass(frozen=True)
class Times:
    """Seconds a call, by block: on the device, and on the host."""

    device: list[float]
    host: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.device)

    @property
    def asked(self) -> float:
        """The median on the host."""
        return statistics.median(self.host)


def alternate(runners: Mapping[str, GpuRunner], effort: Effort, device: Device) -> dict[str, Times]:
    """The order is A B C A B C ...; before that each is called three times, of which the last two tell how many calls
    make a block of `effort.block` seconds, one at least."""
    calls = {}
    for name, runner in runners.items():
        runner.before()
        device.timed(runner.run, 1)
        calls[name] = min(_MOST, max(1, int(effort.block / max(device.timed(runner.run, 2)[0], 1e-9))))
    found: dict[str, Times] = {name: Times([], []) for name in runners}
    for _ in range(effort.blocks):
        for name, runner in runners.items():
            runner.before()
            seconds, asked = device.timed(runner.run, calls[name])
            found[name].device.append(seconds)
            found[name].host.append(asked)
    return found
