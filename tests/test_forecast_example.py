"""The example of a forecaster runs as a reader would run it."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "forecast.py"


@pytest.mark.slow
def test_the_example_forecasts_a_day_of_hours_and_draws_it(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra rnnkit[plot]")
    command = [sys.executable, str(EXAMPLE), "--quick", "--out", str(tmp_path / "day.png")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    rows = [line.split() for line in printed.splitlines()]
    own = next(row for row in rows if row[:2] == ["*", "model"])
    assert float(own[4]) < 1.5  # on the test part; the average of the window is off by 3.2, the last value by 4.1
    assert max(map(len, printed.splitlines())) <= 80
    assert "Chosen on the validation part: direct." in printed
    for name in ("day.png", "day-windows.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
