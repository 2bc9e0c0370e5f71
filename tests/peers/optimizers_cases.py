"""What Keras and PyTorch are asked about optimizers, schedules, regularizers and constraints; see `peer_values.py`."""

from __future__ import annotations

import numpy as np
from peer_values import draw

STEPS = 10

# A schedule as data: (its name, its arguments).
FALLING = ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5})
STAIRS = ("PiecewiseConstantDecay", {"boundaries": [1, 4], "values": [0.1, 0.05, 0.01]})

# (rule, its options); where the learning rate is a tuple it is a schedule.
OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"learning_rate": 0.1, "weight_decay": 0.05}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.5, "clipnorm": 1.0}),
    ("SGD", {"learning_rate": 0.1, "global_clipnorm": 1.5}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.5}),
    ("SGD", {"learning_rate": FALLING, "momentum": 0.5, "weight_decay": 0.05}),
    ("SGD", {"learning_rate": STAIRS, "gradient_accumulation_steps": 2}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "clipnorm": 0.5, "gradient_accumulation_steps": 4}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.8, "momentum": 0.7, "epsilon": 0.001}),
    ("RMSprop", {"learning_rate": 0.01, "centered": True}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"clipnorm": 1.0}),
    ("RMSprop", {"global_clipnorm": 1.5}),
    ("RMSprop", {"clipvalue": 0.5}),
    ("RMSprop", {"learning_rate": FALLING, "gradient_accumulation_steps": 3}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.01}),
    ("Adam", {"learning_rate": 0.1, "beta_2": 0.8, "amsgrad": True}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"clipnorm": 1.0}),
    ("Adam", {"global_clipnorm": 1.5}),
    ("Adam", {"clipvalue": 0.5}),
    ("Adam", {"learning_rate": FALLING}),
    ("Adam", {"learning_rate": FALLING, "clipvalue": 0.5, "weight_decay": 0.1, "gradient_accumulation_steps": 3}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1, "clipnorm": 1.0}),
    ("AdamW", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.01, "amsgrad": True, "global_clipnorm": 1.5}),
    ("AdamW", {"clipvalue": 0.5}),
    ("AdamW", {"learning_rate": STAIRS, "gradient_accumulation_steps": 2}),
    ("Nadam", {}),
    ("Nadam", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.01}),
    ("Nadam", {"weight_decay": 0.1, "clipnorm": 1.0}),
    ("Nadam", {"global_clipnorm": 1.5}),
    ("Nadam", {"clipvalue": 0.5}),
    ("Nadam", {"learning_rate": FALLING, "gradient_accumulation_steps": 3}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "epsilon": 0.01}),
    ("Adagrad", {"weight_decay": 0.1, "clipnorm": 1.0}),
    ("Adagrad", {"global_clipnorm": 1.5}),
    ("Adagrad", {"clipvalue": 0.5}),
    ("Adagrad", {"learning_rate": STAIRS, "gradient_accumulation_steps": 2}),
]


def start():
    """W (2, 3) and b (3,)."""
    return {"W": draw((2, 3), 1, 1.5), "b": draw((3,), 2)}


def slopes(t):
    """The gradients of step t; every other step they are short, so that the clippings bite and do not."""
    scale = 2.0 if t % 2 else 0.4
    return {"W": draw((2, 3), 100 + t, scale), "b": draw((3,), 200 + t, scale / 2)}


ITERATIONS = [*range(14), 20, 29, 30, 31, 60, 61, 999, 100_000]

SCHEDULES = [
    ("PiecewiseConstantDecay", {"boundaries": [10, 30], "values": [1.0, 0.5, 0.1]}),
    ("PiecewiseConstantDecay", {"boundaries": [3], "values": [0.1, 0.3]}),
    ("ExponentialDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "decay_rate": 0.9}),
    ("ExponentialDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "decay_rate": 0.9, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "end_learning_rate": 0.01, "power": 0.5}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "power": 2.0, "cycle": True}),
    ("PolynomialDecay", {"initial_learning_rate": 0.0, "decay_steps": 10, "end_learning_rate": 0.2}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "alpha": 0.2}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 25, "warmup_target": 0.1, "warmup_steps": 5}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.0, "decay_steps": 30, "alpha": 0.1, "warmup_target": 0.5, "warmup_steps": 10},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 25, "warmup_target": 0.1}),
]

# Asked of PyTorch at every iteration from 0 to total_steps - 1.
ONE_CYCLES = [
    {"max_learning_rate": 0.1, "total_steps": 40},
    {"max_learning_rate": 0.5, "total_steps": 20, "pct_start": 0.5, "div_factor": 10.0, "final_div_factor": 100.0},
    {"max_learning_rate": 0.1, "total_steps": 13, "pct_start": 0.25},
    {"max_learning_rate": 0.1, "total_steps": 10, "pct_start": 0.0},
    {"max_learning_rate": 0.1, "total_steps": 10, "pct_start": 1.0},
]
# A staircase is PyTorch's StepLR: step_size 7, gamma 0.9, from 0.01.
STEP_LR = SCHEDULES[3][1]


def _with_zeros(weight):
    weight[0, 1] = 0
    return weight


# A weight; regularizers of matrices are asked about those with two axes.
WEIGHTS = {
    "matrix": draw((3, 4), 5, 1.5),
    "tall": draw((5, 2), 6),
    "zeros": _with_zeros(draw((3, 3), 7)),
    "filter": draw((2, 2, 3), 8, 2.0),
    "vector": draw((4,), 9),
    "row": draw((1, 3), 10),
}

REGULARIZERS = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.2, "l2": 0.1}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "rows"}),
]

CONSTRAINTS = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.8}),
    ("MaxNorm", {"max_value": 1, "axis": -1}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": -1}),
    ("UnitNorm", {"axis": (0, 1)}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.2, "max_value": 1.4}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.9, "rate": 0.3, "axis": -1}),
]


# Trainings in which all of it meets: a stack, and its optimizer. An entry that is a tuple is made from its class.
RUNS = {
    "regularized, along a schedule": (
        [
            (
                "LSTM",
                {
                    "units": 2,
                    "kernel_regularizer": ("L2", {"l2": 0.1}),
                    "recurrent_regularizer": ("OrthogonalRegularizer", {"factor": 0.3}),
                    "bias_regularizer": ("L1", {"l1": 0.05}),
                },
            ),
            ("Dense", {"units": 1, "kernel_regularizer": ("L1L2", {"l1": 0.02, "l2": 0.1})}),
        ],
        ("Adam", {"learning_rate": FALLING, "clipnorm": 0.5}),
    ),
    "constrained, with accumulated gradients": (
        [
            (
                "SimpleRNN",
                {
                    "units": 3,
                    "kernel_constraint": ("MaxNorm", {"max_value": 0.6}),
                    "recurrent_constraint": ("UnitNorm", {}),
                    "bias_constraint": ("NonNeg", {}),
                },
            ),
            (
                "Dense",
                {"units": 1, "kernel_constraint": ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.9, "rate": 0.5})},
            ),
        ],
        ("SGD", {"learning_rate": STAIRS, "momentum": 0.9, "gradient_accumulation_steps": 2}),
    ),
}


def samples():
    """x (6, 4, 2) and y (6, 1)."""
    return draw((6, 4, 2), 11, 1.5), draw((6, 1), 12, 2.0)


def regularized():
    """(regularizer, its options, weight by name), as far as Keras has an answer that is a number."""
    return [
        (kind, options, name)
        for kind, options in REGULARIZERS
        for name, weight in WEIGHTS.items()
        if kind != "OrthogonalRegularizer" or (weight.ndim == 2 and name != "row")
    ]


def constrained():
    """(constraint, its options, weight by name), as far as the weight has the axes."""
    return [
        (kind, options, name)
        for kind, options in CONSTRAINTS
        for name, weight in WEIGHTS.items()
        if weight.ndim > 1 or np.ndim(options.get("axis", 0)) == 0
    ]


def key(*case):
    """A case as one word in the file of answers."""
    return repr(case)
