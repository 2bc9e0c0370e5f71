"""Pictures: valid PNG files of a sane size, drawn without pyplot, and refusals in a sentence."""

import struct
import sys

import numpy as np
import pytest

from rnnkit import History, Sequential, bptt, layers

pytest.importorskip("matplotlib", reason="pictures need the extra rnnkit[plot]")

from rnnkit import plots


def size(content: bytes) -> tuple[int, int]:
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert content[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


@pytest.fixture
def history():
    made = History()
    for epoch in range(12):
        value = float(np.exp(-epoch / 3))
        made.add(epoch, {"loss": value, "mae": value**0.5, "val_loss": value + 0.01, "val_mae": value**0.5 + 0.01})
    return made


def traced(layer, steps=20):
    rng = np.random.default_rng(0)
    model = Sequential([layer, layers.Dense(1)], seed=1)
    return bptt.trace(model, rng.standard_normal((4, steps, 1)), rng.standard_normal((4, 1)))


def test_a_history_plots_itself_into_a_png_file(history, tmp_path):
    figure = history.plot(tmp_path / "curves.png")
    width, height = size((tmp_path / "curves.png").read_bytes())
    assert 600 < width < 3000
    assert 300 < height < 2000
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "mae"]


def test_training_and_validation_share_a_panel_and_a_wide_loss_has_a_log_axis(history):
    loss, mae = plots.learning_curves(history).axes
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "validation"]
    assert (loss.get_yscale(), mae.get_yscale()) == ("log", "linear")
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in (loss, mae))


def test_one_epoch_is_drawn_as_a_dot():
    history = History()
    history.add(0, {"loss": 0.5})
    (axes,) = plots.learning_curves(history).axes
    assert axes.lines[0].get_marker() == "o"


def test_a_history_without_an_epoch_is_refused():
    with pytest.raises(ValueError, match="no epoch to draw"):
        plots.learning_curves(History())


def test_a_forecast_on_dates_has_its_unit_and_its_baselines(tmp_path):
    truth = np.sin(np.arange(50.0))
    dates = np.datetime64("2001-01", "M") + np.arange(50)
    figure = plots.forecast(dates, truth, truth + 0.1, {"naive": np.roll(truth, 1)}, "degC")
    (axes,) = figure.axes
    assert axes.get_ylabel() == "degC"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["truth", "forecast", "naive"]
    plots.save_figure(figure, tmp_path / "forecast.png")
    assert size((tmp_path / "forecast.png").read_bytes()) == (1596, 552)


def test_a_forecast_of_another_length_than_its_steps_is_refused():
    with pytest.raises(ValueError, match=r"forecast is one value for each of the 5 steps; got shape \(4,\)"):
        plots.forecast(np.arange(5), np.zeros(5), np.zeros(4))


@pytest.mark.parametrize(
    "scores", [None, {"gru": {"mae": 0.4}, "naive": {"mae": 0.9}}], ids=["curve", "curve and scores"]
)
def test_a_training_report_has_curves_scores_forecast_and_its_last_part(history, scores, tmp_path):
    truth = np.sin(np.arange(400.0))
    figure = plots.training_report(history, np.arange(400), truth, truth, "Sines", "V", scores, kept=12)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == (4 if scores else 3)
    assert titles[0] == "Loss; the weights of epoch 12 are kept"
    assert titles[-1] == "The last 100 forecasts"
    plots.save_figure(figure, tmp_path / "report.png")
    assert size((tmp_path / "report.png").read_bytes()) == (1596, 1248)


def test_a_report_of_an_interrupted_first_epoch_is_drawn_without_a_curve():
    figure = plots.training_report(History(), np.arange(3), np.zeros(3), np.ones(3))
    assert figure.axes[0].get_title(loc="left") == "No epoch was finished"


def test_gradient_norms_draw_every_state_of_every_cell_on_a_log_axis(tmp_path):
    lstm = traced(layers.LSTM(3))
    figure = plots.gradient_norms(
        {"SimpleRNN": traced(layers.SimpleRNN(3)), "LSTM": lstm, "GRU": traced(layers.GRU(3))[0]}
    )
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.texts].count("LSTM, c") == 1
    assert len(axes.lines) == 4
    back, drawn = axes.lines[1].get_data()
    assert list(back) == list(range(21))
    np.testing.assert_array_equal(drawn, lstm[0].norms()["h"][::-1])
    plots.save_figure(figure, tmp_path / "norms.png")
    assert size((tmp_path / "norms.png").read_bytes()) == (1596, 696)


def test_gradient_norms_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one trace"):
        plots.gradient_norms({})


def test_a_picture_shows_itself_in_a_notebook(history):
    assert size(plots.learning_curves(history)._repr_png_())


def test_no_picture_touches_pyplot(history):
    before = "matplotlib.pyplot" in sys.modules
    plots.learning_curves(history)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_a_picture_that_cannot_be_written_leaves_the_old_file_alone(history, tmp_path, monkeypatch):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    figure = plots.learning_curves(history)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        plots.save_figure(figure, path)
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]
    assert path.read_bytes() == b"old"


def test_without_matplotlib_the_extra_is_named(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'rnnkit\[plot\]'"):
        history.plot()
