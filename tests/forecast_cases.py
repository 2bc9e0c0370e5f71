"""What the tests of a forecaster share: a wave, a forecaster of one dense layer, hours."""

import numpy as np
from hypothesis import settings

from rnnkit import Sequential
from rnnkit.forecast import Forecaster
from rnnkit.layers import Dense, Flatten

VALUES = np.sin(np.arange(120.0))
QUIET = {"epochs": 0, "verbose": 0}
few = settings(max_examples=25, derandomize=True, deadline=None)


def made(answer=1, **changed):
    given_ = {"window": 6, "horizon": 1} | changed
    return Forecaster(Sequential([Flatten(), Dense(answer)], seed=0), **given_)


def hours(n, start="2009-01-01T00", step=1):
    return np.datetime64(start, "h") + step * np.arange(n)
