"""The recipes on series run as a reader would run them, and learn what a broken gradient would not let them learn."""

from __future__ import annotations

import numpy as np
import pytest
from recipe_runs import DATA, EXAMPLES, needs, quick

pytest.importorskip("matplotlib", reason="a recipe draws: the extra plot")


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.mark.slow
def test_the_filter_of_the_course_is_computed_and_then_learnt(tmp_path):
    printed, rows = quick("filter", tmp_path)
    assert list(rows.values())[:4] == [[-1.5], [3.0], [-3.0], [-6.0]]
    assert rows["15, by a filter that was learnt"][0] == pytest.approx(3.0, abs=1e-4)
    assert "learnt: -0.5000, 1.0000, -0.5000" in printed


def test_a_convolution_with_the_filter_of_the_course_is_the_sum_by_hand(examples):
    import filter as recipe

    x = np.random.default_rng(0).standard_normal((3, 9, 1)).astype(np.float32)
    by_hand = x[:, 1:-1] - (x[:, :-2] + x[:, 2:]) / 2
    np.testing.assert_allclose(recipe.by_hand(x), by_hand, rtol=0, atol=1e-6)


def test_forecasts_without_a_network_have_the_recorded_errors(examples):
    import synthetic

    from rnnkit.data import scores, trend_season_noise

    series = trend_season_noise(**synthetic.NOISY).values
    found = [scores(series[synthetic.SPLIT :], guess)["mae"] for guess in synthetic.baselines(series).values()]
    assert found == pytest.approx([6.8992977, 5.5328355, 7.007173, 5.1360006], abs=1e-5)
    series = trend_season_noise(**synthetic.QUIET).values
    found = [scores(series[synthetic.SPLIT :], guess)["mae"] for guess in synthetic.baselines(series).values()]
    assert found == pytest.approx([5.79973, 5.224395, 5.839311, 4.329321], abs=1e-5)


@pytest.mark.slow
def test_networks_on_a_made_up_series_come_close_to_its_noise(tmp_path):
    _, rows = quick("synthetic", tmp_path)
    assert rows["noise 6: the same, smoothed"][0] == pytest.approx(5.1360, abs=5e-5)
    assert rows["noise 5: the noise alone"][0] == pytest.approx(4.00707, abs=5e-5)
    assert max(rows[name][0] for name in rows if "dense" in name.lower()) < 6.2
    assert rows["GRU(16), window less its mean"][0] < 4.5


@pytest.mark.slow
def test_a_search_in_two_processes_is_kept_and_not_made_again(tmp_path):
    pytest.importorskip("optuna", reason="the search is Optuna's: the extra search")
    _, rows = quick("search", tmp_path, "--workers", "2", "--trials", "3")
    assert {"128 filters of 3, stride 1", "128 filters of 9, stride 1"} < set(rows)
    assert max(loss for loss, _ in rows.values()) < 120  # untrained: 5,000
    assert quick("search", tmp_path, "--workers", "1", "--trials", "3")[1] == rows  # as kept, without another training


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_left_and_never_beyond_what_is_asked(examples, tmp_path):
    pytest.importorskip("optuna", reason="the search is Optuna's: the extra search")
    from studies import completed, searched

    def tried(trials, workers=1):
        first = [{"x": 3}, {"x": 5}, {"x": 7}, {"x": 9}]
        study = searched(tmp_path / "s.db", "a", _parabola, trials, workers=workers, first=first)
        return [trial.params["x"] for trial in completed(study)]

    asked = tried(4, workers=2)
    assert sorted(asked) == [3, 5, 7, 9]
    more = tried(6)
    assert (more[:4], len(more)) == (asked, 6)
    assert tried(5) == more


def _parabola(trial):
    return (trial.suggest_int("x", 0, 9) - 4) ** 2


@pytest.mark.slow
@needs("station.csv")
def test_a_gru_beats_the_calendar_on_the_stations_months(tmp_path):
    _, rows = quick("seattle", tmp_path, "--data", DATA)
    assert rows["as the same month last year"][0] == pytest.approx(0.2540, abs=5e-5)
    assert rows["as the month before"][0] == pytest.approx(0.5609, abs=5e-5)
    std, degrees = rows["GRU(32), Adam"]
    assert std < 0.225
    assert degrees / std == pytest.approx(5.1465, abs=5e-4)


@pytest.mark.slow
def test_a_gru_follows_the_hours_of_a_rising_wave(tmp_path):
    _, rows = quick("hourly", tmp_path)
    assert rows["GRU 24-50-24, the course's"][0] < 1.2
    assert rows["GRU(24), window less its mean"][0] < 0.55


@pytest.mark.slow
@needs("tdaily_cet.txt.gz")
def test_two_networks_learn_the_days_of_central_england(tmp_path):
    _, rows = quick("central_england", tmp_path, "--data", DATA / "tdaily_cet.txt.gz")
    assert rows["SimpleRNN(100) x 2, course's"][0] < 0.4
    assert rows["GRU(32), Adam"][0] < 0.265


@needs("tdaily_cet.txt.gz")
def test_the_day_before_has_its_recorded_error_in_central_england():
    from rnnkit.data import naive, read_cet, scores

    values = read_cet(DATA / "tdaily_cet.txt.gz").values
    assert len(values) == 90_663
    days = np.arange(80_000, len(values))
    error = scores(values[80_000:], naive(values, days))["mae"]
    assert error == pytest.approx(1.3440, abs=5e-5)
    assert error / values.std() == pytest.approx(0.25136, abs=5e-6)
