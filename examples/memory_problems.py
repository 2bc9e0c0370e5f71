"""The adding and the copy problem, for memory.py: fresh batches of what can be answered only by remembering."""

import numpy as np

BATCH, SYMBOLS, LENGTH = 32, 8, 10


class Adding:
    """Batches x (B, T, 2), numbers and marks, and y (B, 1): fresh ones each time they are gone through."""

    loss, outputs, activation = "mse", 1, None
    steps, rounds = (10, 30, 100, 300), 10

    def __init__(self, T, count, seed):
        self.T, self.count, self.rng = T, count, np.random.default_rng(seed)

    def __len__(self):
        return self.count

    def __iter__(self):
        return (self.batch(BATCH) for _ in range(self.count))

    def batch(self, B):
        first, second = self.rng.integers(0, self.T // 2, B), self.rng.integers(self.T // 2, self.T, B)
        x, rows = np.zeros((B, self.T, 2), np.float32), np.arange(B)
        x[..., 0] = self.rng.random((B, self.T))
        x[rows, first, 1] = x[rows, second, 1] = 1
        return x, (x[rows, first, 0] + x[rows, second, 0])[:, None]

    @staticmethod
    def baseline(T):
        return 1 / 6


class Copy(Adding):
    """Batches x (B, T + 20, 10), one-hot: blank, eight symbols, the sign to begin; y (B, T + 20), their numbers."""

    loss, outputs, activation = "sparse_categorical_crossentropy", SYMBOLS + 2, "softmax"
    steps, rounds = (3, 10, 30), 20

    def batch(self, B):
        told = self.rng.integers(1, SYMBOLS + 1, (B, LENGTH))
        read, y = np.zeros((2, B, self.T + 2 * LENGTH), np.int64)
        read[:, :LENGTH] = y[:, -LENGTH:] = told
        read[:, -LENGTH - 1] = SYMBOLS + 1
        return np.eye(SYMBOLS + 2, dtype=np.float32)[read], y

    @staticmethod
    def baseline(T):
        return LENGTH * np.log(SYMBOLS) / (T + 2 * LENGTH)
