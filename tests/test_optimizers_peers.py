"""Optimizers, schedules, regularizers and constraints against Keras 3.15 and PyTorch, in float64, as numbers.

`peers/optimizers_cases.py` has the cases, `peers/make_optimizers.py` asks the peers. Answers are recorded to 12 digits
and compared to 1e-10 of the largest number of an array.

Where rnnkit means something else than Keras 3.15, on purpose:
- The variance of a centered RMSprop is kept from falling below 0; Keras goes on with NaN.
- OrthogonalRegularizer has the value 0 for a matrix with one row, and the slope 0 at a row of zeros; Keras has NaN.
- The name "l1_l2" stands for L1L2(0.01, 0.01), as Keras documents it; Keras takes "l1l2" alone, for L1L2(0, 0).
- CosineDecay refuses warmup_steps without a warmup_target; Keras passes over them.
- OneCycle stays at its last rate; PyTorch turns up again for one iteration and then refuses to go on.
"""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import peer_values
import pytest
from peers import optimizers_cases as cases

from rnnkit import Sequential, constraints, layers, optimizers, regularizers, schedules

RECORDED = json.loads((Path(__file__).with_name("peers") / "optimizers.json").read_text())


agrees = partial(peer_values.agrees, least=0.0)  # learning rates are small


def each(table):
    return pytest.mark.parametrize("case", table, ids=lambda case: cases.key(*case))


def schedule(name, options):
    return schedules.ALL[name](**options)


def optimizer(kind, options):
    rate = options.get("learning_rate")
    return getattr(optimizers, kind)(
        **options | ({"learning_rate": schedule(*rate)} if isinstance(rate, tuple) else {})
    )


@each(cases.OPTIMIZERS)
def test_ten_steps_of_an_optimizer_are_those_of_keras(case):
    opt, params = optimizer(*case), cases.start()
    state = opt.init(params)
    for t, theirs in enumerate(RECORDED["optimizers"][cases.key(*case)]):
        params, state = opt.step(params, cases.slopes(t), state)
        agrees(np.concatenate([params["W"].ravel(), params["b"]]), np.array(theirs), f"after step {t + 1}")
    assert state["iterations"] == cases.STEPS


@pytest.mark.parametrize("rule", optimizers.ALL)
def test_every_option_of_every_optimizer_is_compared_with_keras(rule):
    asked = [options for name, options in cases.OPTIMIZERS if name == rule.__name__]
    assert {field.name for field in dataclasses.fields(rule)} == {name for options in asked for name in options}
    assert any(isinstance(options.get("learning_rate"), tuple) for options in asked)


@each(cases.SCHEDULES)
def test_a_schedule_has_the_rates_of_keras(case):
    ours = [schedule(*case)(n) for n in cases.ITERATIONS]
    agrees(ours, np.array(RECORDED["schedules"][cases.key(*case)]))


@pytest.mark.parametrize("options", cases.ONE_CYCLES, ids=str)
def test_one_cycle_has_the_rates_of_pytorch(options):
    ours = [schedules.OneCycle(**options)(n) for n in range(options["total_steps"])]
    agrees(ours, np.array(RECORDED["one cycles"][cases.key(options)]))


def test_a_staircase_has_the_rates_of_a_step_decay_in_pytorch():
    theirs = np.array(RECORDED["step lr"])
    agrees([schedules.ExponentialDecay(**cases.STEP_LR)(n) for n in range(len(theirs))], theirs)


def test_every_schedule_is_compared_with_a_peer():
    assert set(schedules.ALL) == {name for name, _ in cases.SCHEDULES} | {"Constant", "OneCycle"}


@each(cases.regularized())
def test_a_regularizer_has_the_value_and_the_slope_of_keras(case):
    kind, options, name = case
    value, slope = regularizers.ALL[kind](**options)(cases.WEIGHTS[name])
    theirs_value, theirs_slope = RECORDED["regularizers"][cases.key(*case)]
    agrees(value, np.array(theirs_value))
    agrees(slope, np.array(theirs_slope))


@each(cases.constrained())
def test_a_constraint_puts_a_weight_where_keras_does(case):
    kind, options, name = case
    agrees(constraints.ALL[kind](**options)(cases.WEIGHTS[name]), np.array(RECORDED["constraints"][cases.key(*case)]))


@pytest.mark.parametrize("name", cases.RUNS)
def test_a_training_with_all_of_it_ends_where_that_of_keras_does(name):
    def made(value):
        known = regularizers.ALL | constraints.ALL
        return known[value[0]](**value[1]) if isinstance(value, tuple) else value

    stack, opt = cases.RUNS[name]
    model = Sequential(
        [getattr(layers, kind)(**{k: made(v) for k, v in options.items()}) for kind, options in stack], dtype="float64"
    )
    model.build((None, 4, 2))
    model.set_weights(peer_values.model_weights([w.shape for w in model.get_weights()]))
    model.compile(optimizer(*opt), "mse")
    history = model.fit(*cases.samples(), batch_size=2, epochs=4, shuffle=False, verbose=0)
    ours = [np.array(history.history["loss"]), *model.get_weights()]
    for k, (array, theirs) in enumerate(zip(ours, RECORDED["runs"][name], strict=True)):
        agrees(array, np.array(theirs), f"weight {k - 1}" if k else "loss")


def test_every_regularizer_and_constraint_of_keras_is_compared_with_it():
    assert set(regularizers.ALL) == {name for name, _ in cases.REGULARIZERS} | {"Orthogonality"}
    assert set(constraints.ALL) == {name for name, _ in cases.CONSTRAINTS}
