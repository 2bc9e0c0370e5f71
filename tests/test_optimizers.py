"""Optimizers against Keras 3.15.1 (torch backend, all in float64), as pure functions, and at the border."""

from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import optimizers, trees
from rnnkit.optimizers import SGD, Adam, AdamW, RMSprop

OPTIONS = [
    SGD(),
    SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.5),
    RMSprop(),
    RMSprop(momentum=0.5, centered=True, global_clipnorm=1.0),
    Adam(clipnorm=1.0),
    AdamW(),
]
EACH = pytest.mark.parametrize("opt", OPTIONS, ids=str)

# W (2, 1) and b (1,), in one row, to twelve digits, after five steps from `start()` along `slopes(0)` to `slopes(4)`.
PEER = [
    (SGD, {}, [0.485, -1.22, 2.02]),
    (SGD, {"momentum": 0.9}, [0.5241275, -1.188221, 2.031016]),
    (SGD, {"momentum": 0.9, "nesterov": True}, [0.50671475, -1.1643989, 2.0479144]),
    (SGD, {"learning_rate": 0.1, "weight_decay": 0.05}, [0.334905501717, -0.920812166465, 2.14975497506]),
    (SGD, {"learning_rate": 0.1, "momentum": 0.5, "clipnorm": 1.0}, [0.437708160884, -1.02169016584, 2.13125]),
    (SGD, {"learning_rate": 0.1, "global_clipnorm": 1.5}, [0.425105214455, -1.07064728505, 2.08958094114]),
    (SGD, {"learning_rate": 0.1, "clipvalue": 1.5}, [0.4, -1.1, 2.15]),
    (RMSprop, {}, [0.499572827543, -1.24859129965, 2.0033600416]),
    (RMSprop, {"rho": 0.8, "momentum": 0.7, "epsilon": 0.001}, [0.50166600245, -1.24914868348, 2.0045723648]),
    (RMSprop, {"learning_rate": 0.01, "centered": True}, [0.49716865105, -1.23620247347, 2.03577203435]),
    (
        RMSprop,
        {"learning_rate": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
        [0.510575101124, -1.22856244337, 2.04261703699],
    ),
    (RMSprop, {"clipnorm": 1.0}, [0.499206203855, -1.2485392278, 2.00264650389]),
    (RMSprop, {"global_clipnorm": 1.5}, [0.499599248488, -1.24849258584, 2.00306655145]),
    (RMSprop, {"clipvalue": 0.5}, [0.501038485727, -1.25108382914, 2.00264650007]),
    (Adam, {}, [0.501337837116, -1.24956678084, 2.00129919146]),
    (
        Adam,
        {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.01},
        [0.603585303087, -1.19050368135, 2.12341745026],
    ),
    (Adam, {"weight_decay": 0.1}, [0.501087302166, -1.24894169347, 2.00029901659]),
    (Adam, {"clipnorm": 1.0}, [0.501232317683, -1.24931230408, 2.00143494137]),
    (Adam, {"global_clipnorm": 1.5}, [0.501369886442, -1.24941885595, 2.00106037825]),
    (Adam, {"clipvalue": 0.5}, [0.50179319618, -1.25118603751, 2.0014349375]),
    (AdamW, {}, [0.501327813795, -1.24954177254, 2.00125917678]),
    (
        AdamW,
        {"learning_rate": 0.01, "weight_decay": 0.1, "clipnorm": 1.0},
        [0.509770352962, -1.23686959797, 2.00432484497],
    ),
    (AdamW, {"global_clipnorm": 1.5}, [0.501359862965, -1.24939384879, 2.00102036513]),
    (AdamW, {"clipvalue": 0.5}, [0.501783171793, -1.25116101986, 2.00139491998]),
]


def start():
    return {"W": np.array([[0.5], [-1.25]]), "b": np.array([2.0])}


def slopes(t):
    row = np.array([((7 * k + 5 * t) % 11 - 5) / 2 for k in range(3)])
    return {"W": row[:2].reshape(2, 1), "b": row[2:]}


@pytest.mark.parametrize(("rule", "options", "end"), PEER)
def test_five_steps_end_where_those_of_keras_do(rule, options, end):
    opt, params = rule(**options), start()
    state = opt.init(params)
    for t in range(5):
        params, state = opt.step(params, slopes(t), state)
    assert state["iterations"] == 5
    np.testing.assert_allclose(np.concatenate([params["W"].ravel(), params["b"]]), end, rtol=5e-12)


@pytest.mark.parametrize("rule", [SGD, RMSprop, Adam, AdamW])
def test_every_rule_and_every_clipping_is_compared_with_keras(rule):
    compared = {name for other, options, _ in PEER if other is rule for name in options}
    assert {"clipnorm", "global_clipnorm", "clipvalue"} <= compared
    own = {entry.name for entry in dataclasses.fields(rule)} - {"clipnorm", "global_clipnorm", "clipvalue"}
    assert rule is AdamW or own <= compared | {"learning_rate", "weight_decay"}


@EACH
def test_a_nesting_does_not_change_a_step(opt):
    params, grads = ([tree["W"], ({"b": tree["b"]}, [])] for tree in (start(), slopes(1)))
    got, state = opt.step(params, grads, opt.init(params))
    want, _ = opt.step(start(), slopes(1), opt.init(start()))
    trees.same_structure(got, params, *(state[name] for name in opt.slots))
    np.testing.assert_array_equal(got[0], want["W"])
    np.testing.assert_array_equal(got[1][0]["b"], want["b"])


@EACH
def test_gradients_are_matched_by_key_not_by_order(opt):
    turned = dict(reversed(slopes(1).items()))
    got, _ = opt.step(start(), turned, opt.init(start()))
    want, _ = opt.step(start(), slopes(1), opt.init(start()))
    assert list(got) == ["W", "b"]
    trees.map(np.testing.assert_array_equal, got, want)


@EACH
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_step_writes_into_nothing_it_was_given(opt, seed, dtype):
    rng = np.random.default_rng(seed)
    params = [rng.normal(size=(2, 3)).astype(dtype), {"b": rng.normal(size=3).astype(dtype)}]
    grads = [rng.normal(size=(2, 3)).astype(dtype), {"b": rng.normal(size=3).astype(dtype)}]
    _, state = opt.step(params, grads, opt.init(params))
    before = copy.deepcopy((params, grads, state))
    for leaf in trees.leaves((params, grads, [state[name] for name in opt.slots])):
        leaf.setflags(write=False)
    new, after = opt.step(params, grads, state)
    trees.map(np.testing.assert_array_equal, before, (params, grads, state))
    assert not any(np.shares_memory(a, b) for a in trees.leaves(new) for b in trees.leaves((params, grads)))
    again, _ = opt.step(params, grads, state)
    trees.map(np.testing.assert_array_equal, new, again)
    assert after["iterations"] == 2


@pytest.mark.parametrize(("rule", "options", "end"), PEER)
def test_float32_parameters_stay_float32_and_near_float64(rule, options, end):
    # NumPy scalars would promote, were they not read as floats; so would float64 gradients.
    opt = rule(**{name: value if isinstance(value, bool) else np.float64(value) for name, value in options.items()})
    params = trees.map(lambda leaf: leaf.astype(np.float32), start())
    state = opt.init(params)
    for t in range(5):
        params, state = opt.step(params, slopes(t), state)
    assert {leaf.dtype for leaf in trees.leaves((params, [state[name] for name in opt.slots]))} == {np.dtype("float32")}
    # A dozen roundings of 6e-8 in each of five steps; 1 - rho and v - a^2 lose another digit.
    np.testing.assert_allclose(np.concatenate([params["W"].ravel(), params["b"]]), end, rtol=1e-5, atol=1e-6)


def test_clipping_scales_only_what_is_too_long():
    grads = {"W": np.array([3.0, 4.0]), "b": np.array([0.0, 12.0]), "z": np.zeros(2)}
    params = trees.map(np.zeros_like, grads)

    def clipped(**options):
        opt = SGD(1.0, **options)
        return trees.map(np.negative, opt.step(params, grads, opt.init(params))[0])

    assert trees.map(list, clipped(clipnorm=6.0)) == {"W": [3, 4], "b": [0, 6], "z": [0, 0]}
    assert trees.map(list, clipped(global_clipnorm=6.5)) == {"W": [1.5, 2], "b": [0, 6], "z": [0, 0]}
    assert trees.map(list, clipped(global_clipnorm=13.5)) == {"W": [3, 4], "b": [0, 12], "z": [0, 0]}
    assert trees.map(list, clipped(clipvalue=3.5)) == {"W": [3, 3.5], "b": [0, 3.5], "z": [0, 0]}


@pytest.mark.parametrize("clipping", ["clipnorm", "global_clipnorm"])
def test_a_float32_gradient_whose_square_overflows_is_still_clipped(clipping):
    params, grads = [np.zeros(2, np.float32)], [np.array([3e30, 4e30], np.float32)]
    opt = SGD(1.0, **{clipping: 1.0})
    np.testing.assert_allclose(opt.step(params, grads, opt.init(params))[0][0], [-0.6, -0.8], rtol=1e-6)


def test_a_centered_variance_that_rounds_below_zero_stays_finite():
    opt = RMSprop(centered=True, rho=0.5)
    params, grads = [np.zeros(50, np.float32)], [np.linspace(1e3, 2e3, 50, dtype=np.float32)]
    state = opt.init(params)
    for _ in range(60):  # a constant gradient: v and a^2 meet
        params, state = opt.step(params, grads, state)
    assert np.isfinite(params[0]).all()


@EACH
def test_a_quadratic_is_descended(opt):
    params = trees.map(lambda leaf: leaf.copy(), start())
    state, length = opt.init(params), lambda: sum(float(np.square(p).sum()) for p in trees.leaves(params))
    before = length()
    for _ in range(200):
        params, state = opt.step(params, params, state)
    assert length() < before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("learning_rate", value) for value in (-0.1, math.nan, math.inf)],
        *[("weight_decay", value) for value in (-1.0, math.nan)],
        *[(name, value) for name in ("clipnorm", "global_clipnorm", "clipvalue") for value in (0, -1.0, math.inf)],
        *[(name, value) for name in ("momentum", "rho", "beta_1", "beta_2") for value in (-0.1, 1.0, math.nan)],
        ("epsilon", 0.0),
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
    with pytest.raises(ValueError, match="take Adam for no decay"):
        AdamW(weight_decay=None)


def test_wrong_trees_are_refused_in_a_sentence():
    opt, params = SGD(momentum=0.9), start()
    state = opt.init(params)
    with pytest.raises(ValueError, match=r"a gradient \(1,\) came for a parameter \(2, 1\)"):
        opt.step(params, {"W": params["b"], "b": params["b"]}, state)
    with pytest.raises(ValueError, match=r"a momentum \(1,\) came for a parameter \(2, 1\)"):
        opt.step(params, slopes(0), {"iterations": 0, "momentum": {"W": params["b"], "b": params["b"]}})
    with pytest.raises(ValueError, match=r"keys \['W', 'b'\] in one tree and a dict with keys \['W'\] in another"):
        opt.step(params, {"W": params["W"]}, state)
    with pytest.raises(ValueError, match="start from init"):
        Adam().step(params, slopes(0), state)


def test_the_second_argument_of_adamw_is_the_decay_as_in_keras():
    assert AdamW(0.01, 0.1) == AdamW(learning_rate=0.01, weight_decay=0.1)
    assert Adam(0.01, 0.8) == Adam(learning_rate=0.01, beta_1=0.8)


@pytest.mark.parametrize(
    ("name", "opt"), [("sgd", SGD()), ("RMSprop", RMSprop()), ("ADAM", Adam()), ("adamw", AdamW())]
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
