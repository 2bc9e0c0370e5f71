"""rnnkit on arrays of another place: the same numbers, and nothing that makes the host wait within a step."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from layer_cases import an_input, example, started

from rnnkit import Context, constraints, layers, losses, metrics, optimizers, regularizers
from rnnkit_kernels.backends import backend
from rnnkit_kernels.devices import host, is_here
from tests.kernels.device_backend import ON_A_DEVICE
from tests.kernels.device_double import Device

NUMPY = backend("numpy")


def there(tree: Any) -> Any:
    """The tree with its arrays on the device."""
    if isinstance(tree, dict):
        return {k: there(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(there(v) for v in tree)
    return Device(tree.copy()) if isinstance(tree, np.ndarray) else tree


def here(tree: Any) -> Any:
    """The tree with its arrays in main memory, every one of which must have been on the device."""
    if isinstance(tree, dict):
        return {k: here(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(here(v) for v in tree)
    assert tree is None or type(tree) is Device, f"{type(tree)} came from the device"
    return None if tree is None else tree.get()


def assert_same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for k in wanted:
            assert_same(found[k], wanted[k])
    elif isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            assert_same(a, b)
    elif wanted is not None:
        assert found.dtype == np.asarray(wanted).dtype
        np.testing.assert_array_equal(found, wanted)


@pytest.fixture(autouse=True)
def _nothing_has_happened() -> None:
    Device.waits.clear()
    Device.uploads.clear()


def cosines(shape: tuple[int, ...]) -> np.ndarray:
    return np.cos(np.arange(prod(shape), dtype=np.float32)).reshape(shape)


@pytest.mark.parametrize("training", [False, True], ids=["use", "training"])
@pytest.mark.parametrize("masked", [False, True], ids=["all steps", "masked"])
@pytest.mark.parametrize("name", sorted(layers.ALL))
def test_every_layer_gives_the_same_numbers_and_nobody_waits(name: str, masked: bool, training: bool) -> None:
    layer, rng = example(name), np.random.default_rng(0)
    x = an_input(layer, rng, dtype="float32")
    params = {k: w.astype("float32") for k, w in started(layer, rng, x).items()}
    mask = rng.random(x.shape[:2]) < 0.7 if masked and layer.rank != 2 else None

    def through(kernels: Any, params: Any, x: Any, mask: Any, move: Any) -> Any:
        recorded: dict[str, Any] = {}
        ctx = Context(kernels, mask, np.random.default_rng(1) if training else None, record=recorded.__setitem__)
        y, pullback = layer(params, x, ctx)
        return y, *pullback(move(cosines(y.shape))), recorded, layer.next_mask(mask, x)

    wanted = through(NUMPY, params, x, mask, lambda a: a)
    found = through(ON_A_DEVICE, there(params), there(x), there(mask), Device)
    assert Device.waits == []
    assert Device.uploads == []
    assert_same(here(found), wanted)


OPTIONS = {
    "projection": layers.LSTM(3, projection=2, return_sequences=True),
    "zoneout": layers.LSTM(3, zoneout=0.2, cell_zoneout=0.3),
    "learned": layers.GRU(3, initial_state="learned", return_sequences=True),
    "dropout": layers.GRU(3, dropout=0.2, recurrent_dropout=0.3, reset_after=False),
    "clip": layers.SimpleRNN(3, gradient_clip=0.1, return_sequences=True, go_backwards=True),
    "state": layers.LSTM(3, return_state=True, return_sequences=True),
    "sum": layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
    "mul": layers.Bidirectional(layers.GRU(3), merge_mode="mul"),
    "same": layers.MaxPooling1D(3, 2, "same"),
    "mean": layers.AveragePooling1D(3, 1, "same"),
    "groups": layers.Conv1D(4, 2, groups=2, dilation_rate=2, padding="same", activation="relu"),
    "steps": layers.TimeDistributed(layers.BatchNormalization()),
    "gelu": layers.Dense(3, "gelu"),
    "softmax": layers.Dense(3, "softmax"),
    "selu": layers.Activation("selu"),
    "axes": layers.LayerNormalization(axis=(1, 2)),
    "still": layers.BatchNormalization(trainable=False),
}


@pytest.mark.parametrize("masked", [False, True], ids=["all steps", "masked"])
@pytest.mark.parametrize("name", OPTIONS)
def test_options_give_the_same_numbers_and_nobody_waits(name: str, masked: bool) -> None:
    layer, rng = OPTIONS[name], np.random.default_rng(0)
    x = an_input(layer, rng, dtype="float32")
    params = {k: w.astype("float32") for k, w in started(layer, rng, x).items()}
    mask = rng.random(x.shape[:2]) < 0.7 if masked else None
    reset = rng.random(x.shape[:2]) < 0.3 if isinstance(layer, layers.LSTM) else None

    def through(kernels: Any, params: Any, x: Any, mask: Any, reset: Any, move: Any) -> Any:
        ctx = Context(kernels, mask, np.random.default_rng(1), reset=reset)
        y, pullback = layer(params, x, ctx)
        several = isinstance(y, tuple)
        dy = tuple(move(cosines(a.shape)) for a in y) if several else move(cosines(y.shape))
        return y, *pullback(dy)

    wanted = through(NUMPY, params, x, mask, reset, lambda a: a)
    found = through(ON_A_DEVICE, there(params), there(x), there(mask), there(reset), Device)
    assert Device.waits == []
    assert_same(here(found), wanted)


def comparisons(example: Any, rng: np.random.Generator) -> dict[str, tuple[Any, Any, Any, Any]]:
    """y, target, sample weights and mask, with steps, for a loss or a metric."""
    y, target = (a.astype("float32") for a in example(rng, (3, 4, 5)))
    mask, weight = rng.random((3, 4)) < 0.7, rng.random((3, 4)).astype("float32")
    return {"plain": (y, target, None, None), "masked": (y, target, None, mask), "weighed": (y, target, weight, mask)}


LOSSES = [
    *losses.ALL, losses.BinaryCrossentropy(from_logits=True), losses.CategoricalCrossentropy(from_logits=True),
    losses.SparseCategoricalCrossentropy(from_logits=True), losses.SparseCategoricalCrossentropy(ignore_class=1),
    losses.Quantile((0.1, 0.2, 0.5, 0.7, 0.9)), losses.CategoricalCrossentropy(label_smoothing=0.1),
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("case", ["plain", "masked", "weighed"])
def test_every_loss_gives_the_same_numbers_and_nobody_waits(loss: Any, case: str) -> None:
    y, target, weight, mask = comparisons(loss.example, np.random.default_rng(0))[case]
    value, slope = loss(y, target, sample_weight=weight, mask=mask)
    assert type(value) is float
    found = loss(there(y), there(target), sample_weight=there(weight), mask=there(mask))
    assert Device.waits == []
    assert_same(here(found), (np.float64(value), slope))


METRICS = [
    *metrics.ALL.values(),
    metrics.PerHorizon("mae"), metrics.LastStep(), metrics.R2Score(class_aggregation=None),
    metrics.FromFunction(lambda t, y: metrics.mean_squared_error(t[:, -1:], y[:, -1:]), "last"),
]  # fmt: skip


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: f"{type(metric).__name__} {metric.name}")
@pytest.mark.parametrize("case", ["plain", "masked", "weighed"])
def test_every_metric_gives_the_same_numbers_and_nobody_waits(metric: Any, case: str) -> None:
    loss = getattr(metric, "loss", None)
    labels = any(word in type(metric).__name__ for word in ("Sparse", "Exact", "ByShape"))
    usual = losses.SparseCategoricalCrossentropy() if labels else losses.MSE()
    y, target, weight, mask = comparisons((usual if loss is None else loss).example, np.random.default_rng(0))[case]
    if type(metric).__name__ == "ExactMatch" and weight is not None:
        weight = weight[:, 0]
    if type(metric).__name__ == "FromFunction" and mask is not None:
        pytest.skip("it has mixed the steps")
    given = {"sample_weight": weight, "mask": mask}
    wanted = metric(y, target, **given)
    found = metric(there(y), there(target), **there(given))
    assert Device.waits == []
    assert not is_here(found[0])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(host(a), b)
    assert metric.result(*(host(a) for a in found)) == metric.result(*wanted)


WRONG = [
    (losses.SparseCategoricalCrossentropy(), np.array([0.0, 3.0, 1.0], "f"), "target has 3.0 at"),
    (losses.SparseCategoricalCrossentropy(from_logits=True), np.array([0.0, 0.5, 1.0], "f"), "target has 0.5 at"),
    (losses.BinaryCrossentropy(), np.array([[0, 1, 0], [0, 2, 0], [1, 1, 1]], "f"), "target has 2.0 at"),
]


@pytest.mark.parametrize(("loss", "target", "sentence"), WRONG, ids=["class", "fraction", "probability"])
def test_a_target_that_is_none_is_refused_here_and_makes_the_loss_nan_there(
    loss: Any, target: Any, sentence: str
) -> None:
    y = np.full((3, 3), 0.3, np.float32)
    with pytest.raises(ValueError, match=sentence):
        loss(y, target)
    value, _ = loss(there(y), there(target))
    assert Device.waits == []
    assert np.isnan(value.get())
    mask = np.array([True, False, True])
    assert np.isfinite(loss(there(y), there(target), mask=there(mask))[0].get())


@pytest.mark.parametrize("kind", regularizers.ALL.values(), ids=regularizers.ALL)
def test_every_regularizer_gives_the_same_numbers_and_nobody_waits(kind: Any) -> None:
    given = (0.1, 0.2) if kind is regularizers.L1L2 else (0.1,)
    weight = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    value, slope = kind(*given)(weight)
    found = kind(*given)(there(weight))
    assert Device.waits == []
    assert_same(here(found), (np.float64(value), slope))


@pytest.mark.parametrize("kind", constraints.ALL.values(), ids=constraints.ALL)
def test_every_constraint_gives_the_same_numbers_and_nobody_waits(kind: Any) -> None:
    weight = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    found = kind()(there(weight))
    assert Device.waits == []
    assert_same(here(found), kind()(weight))


OPTIMIZERS = [kind() for kind in optimizers.ALL] + [
    optimizers.SGD(momentum=0.9, nesterov=True), optimizers.RMSprop(momentum=0.9, centered=True),
    optimizers.Adam(clipnorm=0.1), optimizers.Adam(global_clipnorm=0.1), optimizers.Adam(clipvalue=0.1),
    optimizers.Adam(gradient_accumulation_steps=2, weight_decay=0.01), optimizers.Adam(amsgrad=True),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_optimizer_moves_as_far_and_nobody_waits(optimizer: Any) -> None:
    rng = np.random.default_rng(0)
    params, grads = ([{name: rng.standard_normal(3).astype("f") for name in ("b", "b_h")}] for _ in range(2))
    states = [optimizer.init(params), optimizer.init(there(params))]
    moved = [params, there(params)]
    for _ in range(3):
        moved[0], states[0] = optimizer.step(moved[0], grads, states[0], NUMPY.elementwise)
        moved[1], states[1] = optimizer.step(moved[1], there(grads), states[1], ON_A_DEVICE.elementwise)
    assert Device.waits == []
    assert_same(here(moved[1]), moved[0])
