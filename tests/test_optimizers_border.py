"""Optimizers and the trees that they step: what they take, and what they refuse. Beside it: `test_optimizers.py`."""

from __future__ import annotations

import dataclasses
import math

import pytest
from peers.optimizers_cases import slopes, start

from rnnkit import optimizers, schedules, trees
from rnnkit.optimizers import SGD, Adagrad, Adam, AdamW, Nadam, RMSprop


def test_what_is_no_schedule_is_refused():
    with pytest.raises(TypeError, match="learning_rate is the class OneCycle: write it with its brackets"):
        SGD(schedules.OneCycle)
    for rate, error in ((-0.1, ValueError), (math.nan, ValueError), (None, TypeError)):
        opt = SGD(lambda n, rate=rate: rate)
        with pytest.raises(error, match=f"at iteration 0 is {rate}, expected a number"):
            opt.step(start(), slopes(0), opt.init(start()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("learning_rate", value) for value in (-0.1, math.nan, math.inf)],
        *[("weight_decay", value) for value in (-1.0, math.nan)],
        *[(name, value) for name in ("clipnorm", "global_clipnorm", "clipvalue") for value in (0, -1.0, math.inf)],
        *[(name, value) for name in ("momentum", "rho", "beta_1", "beta_2") for value in (-0.1, 1.0, math.nan)],
        ("epsilon", 0.0),
        *[("initial_accumulator_value", value) for value in (-0.1, math.nan, math.inf)],
    ],
)
def test_a_number_out_of_range_is_refused(name, value):
    takers = [rule for rule in optimizers.ALL if name in {entry.name for entry in dataclasses.fields(rule)}]
    assert takers
    for rule in takers:
        with pytest.raises(ValueError, match=rf"{name} is .*, expected a number in"):
            rule(**{name: value})


def test_wrong_options_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="clipnorm and clipvalue are given together, expected one clipping at most"):
        Adam(clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(TypeError, match="learning_rate is 'fast', expected a number"):
        SGD("fast")
    with pytest.raises(TypeError, match="clipnorm is True, expected a number"):
        SGD(clipnorm=True)
    with pytest.raises(TypeError, match="amsgrad is 'no', expected True or False"):
        Adam(amsgrad="no")
    with pytest.raises(TypeError, match=r"nesterov is 0.9, expected True or False"):
        SGD(0.1, 0.9, 0.9)
    with pytest.raises(ValueError, match="take Adam for no decay"):
        AdamW(weight_decay=None)
    for wrong in (0, 1, 2.5):
        with pytest.raises(ValueError, match=f"accumulation_steps is {wrong}, expected a whole number of steps from 2"):
            SGD(gradient_accumulation_steps=wrong)


def test_wrong_trees_are_refused_in_a_sentence():
    opt, params = SGD(momentum=0.9), start()
    state = opt.init(params)
    with pytest.raises(ValueError, match=r"a gradient \(3,\) came for a parameter \(2, 3\)"):
        opt.step(params, {"W": params["b"], "b": params["b"]}, state)
    with pytest.raises(ValueError, match=r"a momentum \(3,\) came for a parameter \(2, 3\)"):
        opt.step(params, slopes(0), {"iterations": 0, "momentum": {"W": params["b"], "b": params["b"]}})
    with pytest.raises(ValueError, match=r"keys \['W', 'b'\] in one tree and a dict with keys \['W'\] in another"):
        opt.step(params, {"W": params["W"]}, state)
    with pytest.raises(ValueError, match="start from init"):
        Adam().step(params, slopes(0), state)


def test_arguments_by_position_are_in_the_order_of_keras():
    order = {
        SGD: "learning_rate momentum nesterov",
        RMSprop: "learning_rate rho momentum epsilon centered",
        Adam: "learning_rate beta_1 beta_2 epsilon amsgrad",
        AdamW: "learning_rate weight_decay beta_1 beta_2 epsilon amsgrad",
        Nadam: "learning_rate beta_1 beta_2 epsilon",
        Adagrad: "learning_rate initial_accumulator_value epsilon",
    }
    assert {
        rule: " ".join(f.name for f in dataclasses.fields(rule) if not f.kw_only) for rule in optimizers.ALL
    } == order
    assert AdamW(0.01, 0.1) == AdamW(learning_rate=0.01, weight_decay=0.1)


@pytest.mark.parametrize(
    ("name", "opt"),
    [
        ("sgd", SGD()),
        ("RMSprop", RMSprop()),
        ("ADAM", Adam()),
        ("adamw", AdamW()),
        ("nadam", Nadam()),
        ("Adagrad", Adagrad()),
    ],
)
def test_an_optimizer_is_found_by_name_class_or_as_itself(name, opt):
    assert optimizers.get(name) == opt == optimizers.get(type(opt))
    assert optimizers.get(opt) is opt
    assert type(opt)(**dataclasses.asdict(opt)) == opt


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(ValueError, match="unknown optimizer 'adams'; did you mean 'adam'"):
        optimizers.get("adams")
    for wrong in (0.01, int):
        with pytest.raises(TypeError, match="is no optimizer: expected a name such as 'adam'"):
            optimizers.get(wrong)


def test_trees_are_mapped_leaf_by_leaf_and_keep_their_nesting():
    tree = {"b": [1, (2, 3)], "a": {}, "c": ()}
    assert trees.map(lambda x, y: 10 * x + y, tree, tree) == {"b": [11, (22, 33)], "a": {}, "c": ()}
    assert trees.leaves(tree) == [1, 2, 3]
    trees.same_structure(tree, {"c": (), "a": {}, "b": [0, (0, 0)]})


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        ({"a": [1, 2]}, {"a": [1]}, r"tree\['a'\] is a list of 2 in one tree and a list of 1 in another"),
        ([(1,)], [[1]], r"tree\[0\] is a tuple of 1 in one tree and a list of 1 in another"),
        ([1], [{}], r"tree\[0\] is a leaf in one tree and a dict with keys \[\] in another"),
        ([1], [None], r"tree\[0\] is a leaf in one tree and None in another"),
        ([None], [None], r"tree\[0\] is None; expected an array"),
    ],
)
def test_trees_that_differ_are_refused_with_the_place(left, right, sentence):
    with pytest.raises(ValueError, match=sentence):
        trees.same_structure(left, right)
