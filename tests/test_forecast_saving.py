"""A forecaster's file: it forecasts to the last bit as before, and nothing else is taken for one."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import QUIET, VALUES, hours, made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as to_bytes

import rnnkit
from rnnkit import Sequential, cells
from rnnkit.data import MinMaxScaler, Series, StandardScaler
from rnnkit.forecast import Forecaster
from rnnkit.layers import GRU, RNN, Dense, Flatten, Reshape, SimpleRNN

FILES = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TABLE = np.column_stack([np.sin(np.arange(150.0)), 50 + 9 * np.cos(np.arange(150.0) / 5), np.arange(150.0) % 7])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "forecaster.safetensors"


def there_and_back(forecaster: Forecaster, path: Path, **options: Any) -> Forecaster:
    forecaster.save(path)
    return Forecaster.load(path, **options)


def models(method: str, targets: int, horizon: int, window: int, **options: Any) -> Sequential:
    stacks = {
        "direct": lambda: [GRU(4), Dense(horizon * targets)],
        "iterated": lambda: [Flatten(), Dense(targets)],
        "seq2seq": lambda: [SimpleRNN(4, return_sequences=True), Dense(horizon * targets)],
    }
    return Sequential(stacks[method](), seed=2, **options)


SCALERS = {
    "standard": "standard", "minmax": "minmax", "none": None, "a class": MinMaxScaler,
    "fitted": StandardScaler.fit(TABLE[:40]), "fitted on one column": MinMaxScaler.fit(TABLE[:40, 1]),
}  # fmt: skip


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("method", ["direct", "iterated", "seq2seq"])
def test_a_loaded_forecaster_forecasts_to_the_last_bit_and_scores_the_same(
    method: str, scaler: str, path: Path
) -> None:
    targets = None if method == "iterated" else ["b", 0]
    model = models(method, 3 if targets is None else 2, 2, 6)
    one = Forecaster(
        model, window=6, horizon=2, lead=1, targets=targets, scaler=SCALERS[scaler], method=method, period=7
    )
    table = dict(zip("abc", TABLE.T, strict=True))
    one.fit(table, epochs=1, verbose=0)
    other = there_and_back(one, path)
    assert (other.plan.window, other.plan.horizon, other.plan.lead, other.plan.period) == (6, 2, 1, 7)
    assert (other.plan.method, other.plan.missing, other.plan.targets) == (method, "refuse", targets)
    assert repr(other) == repr(one)
    assert other.report is None
    np.testing.assert_array_equal(other.scale.origin, one.scale.origin)
    np.testing.assert_array_equal(other.scale.unit, one.scale.unit)
    assert other.scale.given == one.scale.given == scaler.startswith("fitted")
    for rows in (6, 7, 150):
        history = {name: column[:rows] for name, column in table.items()}
        np.testing.assert_array_equal(other.predict(history), one.predict(history))
    before, after = one.backtest(table), other.backtest(table)
    assert before.forecasts.keys() == after.forecasts.keys() == {*before.forecasts, "linear", "seasonal naive"}
    for name, forecast in before.forecasts.items():
        np.testing.assert_array_equal(forecast, after.forecasts[name])
    assert repr(before) == repr(after)
    kind = SCALERS[scaler]
    assert (
        (other.plan.scaler == kind)
        if not hasattr(kind, "_parts") or isinstance(kind, type)
        else (type(other.plan.scaler) is type(kind))
    )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_runs_on_what_it_ran_on_unless_another_backend_is_named(dtype: str, backend: str, path: Path) -> None:
    if backend == "numba":
        pytest.importorskip("numba", reason="needs the extra numba")
    one = Forecaster(models("direct", 1, 1, 6, dtype=dtype, backend=backend), window=6, horizon=1)
    one.fit(VALUES, epochs=1, verbose=0)
    other = there_and_back(one, path)
    assert (other.model.backend.name, str(other.model.dtype)) == (backend, dtype)
    np.testing.assert_array_equal(other.predict(VALUES), one.predict(VALUES))
    assert Forecaster.load(path, backend="numpy").model.backend.name == "numpy"


def test_names_dates_and_gaps_are_asked_for_as_before(path: Path) -> None:
    values = VALUES.copy()
    values[[50, 51, 119]] = np.nan
    one = made(missing="linear")
    one.fit(Series(values, dates=hours(120), name="T"), **QUIET)
    other = there_and_back(one, path)
    history = Series(values[:52], dates=hours(52), name="T")
    np.testing.assert_array_equal(other.predict(history), one.predict(history))
    with pytest.raises(
        ValueError, match="the rows of history are 2 hours apart; the forecaster was fitted on steps of 1"
    ):
        other.predict(VALUES[:20], dates=hours(20, step=2))
    with pytest.raises(ValueError, match="history has 2 columns; the forecaster was fitted on 1"):
        other.predict(TABLE[:, :2])
    same, later = Series(values, dates=hours(120)), Series(values, dates=hours(120, "2009-02-01T00"))
    for series in (same, later):  # a series that begins at another date holds no row that was trained on
        assert other.backtest(series, start=20).notes == one.backtest(series, start=20).notes
    assert other.backtest(same, start=20).notes != other.backtest(later, start=20).notes


def test_columns_without_names_stay_without_and_names_are_held_to(path: Path) -> None:
    table = dict(zip("abc", TABLE.T, strict=True))
    for given_, other_names in ((TABLE, True), (table, False)):
        one = Forecaster(models("direct", 3, 1, 6), window=6, horizon=1)
        one.fit(given_, **QUIET)
        other = there_and_back(one, path)
        turned = {name: table[name] for name in "bac"}
        if other_names:
            np.testing.assert_array_equal(other.predict(turned), one.predict(turned))
        else:
            with pytest.raises(
                ValueError, match="history has the columns b, a, c; the forecaster was fitted on a, b, c"
            ):
                other.predict(turned)


def test_a_series_of_months_comes_back_with_its_step(path: Path) -> None:
    when = np.datetime64("2000-01", "M") + np.arange(120)
    one = made()
    one.fit(VALUES, dates=when, **QUIET)
    other = there_and_back(one, path)
    np.testing.assert_array_equal(other.predict(VALUES[:9], dates=when[:9]), one.predict(VALUES[:9], dates=when[:9]))
    with pytest.raises(ValueError, match="3 months apart; the forecaster was fitted on steps of 1 month"):
        other.predict(VALUES[:9], dates=when[:27:3])


def test_a_loaded_forecaster_fits_on_and_cannot_begin_before_what_it_was(path: Path) -> None:
    one = Forecaster(models("direct", 1, 1, 6), window=6, horizon=1, scaler=StandardScaler)
    one.fit(VALUES, epochs=1, verbose=0)
    other = there_and_back(one, path)
    with pytest.raises(ValueError, match="refit trains from the weights that the model had before fit, which no file"):
        other.backtest(VALUES, refit=True)
    assert other.model.loss == one.model.loss
    report = other.fit(VALUES, epochs=1, verbose=0)
    assert report is other.report
    other.backtest(VALUES, start=110, refit=4)


def test_what_was_not_fitted_or_has_no_name_is_not_saved(path: Path) -> None:
    with pytest.raises(ValueError, match=r"save needs a fitted forecaster: call fit\(series\) first"):
        made().save(path)

    class Mine(StandardScaler):
        pass

    one = made(scaler=Mine.fit(VALUES[:50]))
    one.fit(VALUES, **QUIET)
    with pytest.raises(ValueError, match="a file knows the scalers StandardScaler and MinMaxScaler; got Mine"):
        one.save(path)
    other = Forecaster(Sequential([Flatten(), Dense(1, lambda a: a)], seed=0), window=6, horizon=1)
    other.fit(VALUES, **QUIET)
    with pytest.raises(ValueError, match="a lambda has no name that a file could keep"):
        other.save(path)
    assert list(path.parent.iterdir()) == []


class Leaving(cells.SimpleRNN):
    """A cell of a user's own."""


def test_a_users_own_classes_come_back_through_custom(path: Path) -> None:
    one = Forecaster(Sequential([RNN(Leaving(), 3), Dense(2), Reshape((2, 1))], seed=0), window=6, horizon=2)
    one.fit(VALUES, **QUIET)
    one.save(str(path))
    with pytest.raises(ValueError, match=r"read as a forecaster: it was made with 'Leaving'.*custom=\[Leaving\]"):
        Forecaster.load(path)
    np.testing.assert_array_equal(Forecaster.load(str(path), custom=[Leaving]).predict(VALUES), one.predict(VALUES))


def test_targets_may_be_an_array_and_numbers_numpys_own(path: Path) -> None:
    one = Forecaster(
        models("direct", 2, 1, 6), window=np.int64(6), horizon=np.int32(1), targets=np.array([2, 0]), period=np.int64(7)
    )
    one.fit(TABLE, **QUIET)
    np.testing.assert_array_equal(there_and_back(one, path).predict(TABLE), one.predict(TABLE))
    alone = Forecaster(models("direct", 1, 1, 6), window=6, horizon=1, targets=np.int64(1))
    alone.fit(TABLE, **QUIET)
    assert there_and_back(alone, path).plan.targets == 1


# Files that are no forecasters


@pytest.fixture(scope="module")
def good(tmp_path_factory: Any) -> bytes:
    path: Path = tmp_path_factory.mktemp("good") / "forecaster.safetensors"
    one = Forecaster(models("direct", 1, 2, 6), window=6, horizon=2, scaler=MinMaxScaler.fit(VALUES[:60]), period=5)
    one.fit(Series(VALUES, dates=hours(120), name="T"), **QUIET)
    one.save(path)
    return path.read_bytes()


def test_a_file_has_nothing_but_arrays_and_a_configuration(good: bytes, path: Path) -> None:
    path.write_bytes(good)
    with safe_open(path, framework="numpy") as file:
        names, metadata = set(file.keys()), file.metadata()
    assert names == {
        "model.0.W", "model.0.U", "model.0.b", "model.0.b_h", "model.1.W", "model.1.b", "scale.origin", "scale.unit",
        "scaler.low", "scaler.high", "linear.mean", "linear.std", "linear.weights",
    }  # fmt: skip
    assert list(metadata) == ["rnnkit"]
    assert json.loads(metadata["rnnkit"])["plan"]["window"] == 6


def test_a_model_is_no_forecaster_and_a_forecaster_no_model(good: bytes, path: Path) -> None:
    path.write_bytes(good)
    with pytest.raises(
        ValueError, match=r"cannot be read as a model: it is a forecaster, which Forecaster\.load reads"
    ):
        rnnkit.load(path)
    Forecaster.load(path).model.save(path)
    with pytest.raises(ValueError, match=r"cannot be read as a forecaster: it is a model, which rnnkit\.load reads"):
        Forecaster.load(path)
    path.write_bytes(to_bytes({"weight": np.ones(3)}))
    with pytest.raises(ValueError, match="it is a safetensors file without a forecaster"):
        Forecaster.load(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Forecaster.load(path.with_name("nowhere"))


@FILES
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_refused(good: bytes, path: Path, share: float) -> None:
    path.write_bytes(good[: int(share * len(good))])
    with pytest.raises(ValueError, match=r"is no whole safetensors file .*; it may be cut short, or be something"):
        Forecaster.load(path)


@settings(FILES, max_examples=150)
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_file_with_a_wrong_byte_is_refused_or_loads_as_a_whole(good: bytes, path: Path, at: float, flip: int) -> None:
    content = bytearray(good)
    content[int(at * len(good))] ^= flip
    path.write_bytes(bytes(content))
    try:
        loaded = Forecaster.load(path)
    except (ValueError, ImportError):
        return
    assert np.isfinite(loaded.scale.origin).all()
    assert (loaded.scale.unit > 0).all()


def changed(good: bytes, path: Path, change: Any, tensors: Any = None) -> Forecaster:
    """Loads the good file with its configuration changed, or with other tensors."""
    path.write_bytes(good)
    with safe_open(path, framework="numpy") as file:
        config = json.loads(file.metadata()["rnnkit"])
    change(config)
    held = tensors_of(good) | (tensors or {})
    path.write_bytes(to_bytes({k: v for k, v in held.items() if v is not None}, {"rnnkit": json.dumps(config)}))
    return Forecaster.load(path)


WRONG = {
    "window": (lambda c: c["plan"].update(window=10**12), r"weight linear\.weights should be \(\(1000000000001, 2\)"),
    "no linear": (lambda c: c.update(linear=False), r"weight linear\.mean should be absent"),
    "another horizon": (lambda c: (c["plan"].update(horizon=3)), r"weight linear\.weights should be \(\(7, 3\)"),
    "no window": (lambda c: c["plan"].pop("window"), "its configuration is broken"),
    "a fraction": (lambda c: c["plan"].update(window=6.5), "window is a whole number; got 6.5"),
    "method": (lambda c: c["plan"].update(method="direkt"), "unknown method 'direkt'; did you mean 'direct'"),
    "targets": (lambda c: c["plan"].update(targets=["p"]), "unknown target 'p'"),
    "nested targets": (lambda c: c["plan"].update(targets=[{}]), "its configuration is broken"),
    "scaler": (lambda c: c["plan"].update(scaler={"class": "Popen", "shape": []}), "its configuration is broken"),
    "scaler's shape": (lambda c: c["plan"]["scaler"].update(shape=[9**9]), r"its scaler has the shape \(387420489,\)"),
    "scaler's name": (lambda c: c["plan"].update(scaler="standart"), "weight scaler.high should be absent"),
    "columns": (lambda c: c["columns"].update(names=[]), "its columns are"),
    "a column's name": (lambda c: c["columns"].update(names=[[1]]), "its columns are"),
    "two columns": (lambda c: c["columns"].update(names=["a", "b"], units=["", ""]), r"weight linear\.mean should be"),
    "dates": (lambda c: c.update(begins="yesterday"), "yesterday"),
    "no date": (lambda c: c.update(begins="NaT"), "its series begins at 'NaT', which is no date"),
    "step": (lambda c: c.update(step=[1, "weeks"]), "its step is in 'weeks': expected one of months, microseconds"),
    "cuts": (lambda c: c.update(cuts=[1]), r"its cuts are \[1\]: expected the rows at which"),
    "negative cuts": (lambda c: c.update(cuts=[-1, 2]), "cuts is a whole number from 0 up, got -1"),
    "period": (lambda c: c.update(period=0), "period is a whole number from 1 up, got 0"),
    "backend": (lambda c: c.update(backend="tpu"), "unknown backend 'tpu'"),
    "model": (lambda c: c.pop("model"), "its configuration is broken"),
    "a layer": (lambda c: c["model"]["layers"][0].update(units=10**9), r"weight 0\.U should be"),
    "no layer": (lambda c: c["model"]["layers"][0].update({"class": "os.system"}), "made with 'os.system'"),
    "another format": (lambda c: c.update(format="rnnkit forecaster 99"), "without a forecaster of rnnkit in it"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_configuration_that_does_not_fit_is_refused_before_memory_is_taken(
    good: bytes, path: Path, what: str
) -> None:
    change, sentence = WRONG[what]
    with pytest.raises(ValueError, match=rf"forecaster\.safetensors cannot be read as a forecaster: .*{sentence}"):
        changed(good, path, change)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"scale.unit": np.array([0.0])}, r"the unit of its scale is \[0\.\], and is above 0"),
        ({"scale.origin": np.array([np.nan])}, r"scale\.origin has a number that is not finite, 1 of 1"),
        ({"scale.origin": None}, r"weight scale\.origin should be \(\(1,\), 'F64'\) and is absent"),
        ({"scale.unit": np.ones(1, np.float32)}, r"weight scale\.unit should be \(\(1,\), 'F64'\) and is"),
        (
            {"scaler.low": np.array(9.0), "scaler.high": np.array(1.0)},
            r"weight scaler\.(low|high) should be|high is larger",
        ),
        ({"model.0.U": None}, r"weight 0\.U should be"),
        ({"more": np.ones(1)}, "weight more should be absent"),
        ({"model.7.W": np.ones(1)}, r"weight 7\.W should be absent"),
    ],
)
def test_arrays_that_do_not_match_the_configuration_are_refused(
    good: bytes, path: Path, tensors: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        changed(good, path, lambda c: None, tensors)


def test_a_model_that_no_longer_answers_the_plan_is_refused(path: Path) -> None:
    one = made()
    one.fit(VALUES, **QUIET)
    one.save(path)
    good = path.read_bytes()
    arrays = {f"linear.{name}": None for name in ("mean", "std", "weights")}
    with pytest.raises(ValueError, match="'direct' with window 6, horizon 4 and 1 target needs a model that"):
        changed(good, path, lambda c: (c["plan"].update(horizon=4), c.update(linear=False)), arrays)
    with pytest.raises(ValueError, match=r"weight 1\.W should be \(\(7, 1\), 'F32'\) and is \(\(6, 1\)"):
        changed(good, path, lambda c: (c["plan"].update(window=7), c.update(linear=False)), arrays)


def test_a_save_that_fails_midway_leaves_the_old_file(path: Path, monkeypatch: Any) -> None:
    one = made()
    one.fit(VALUES, **QUIET)
    one.save(path)
    old = path.read_bytes()
    one.fit(VALUES, epochs=1, verbose=0)

    def fails(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="No space left on device"):
            one.save(path)
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == [path.name]
