"""The examples run as a reader would run them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(example: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / example), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


@pytest.mark.slow
def test_a_users_cell_with_step_alone_is_derived_checked_and_trained() -> None:
    printed = run("own_cell.py")
    assert "UpdateGateRNN (textbook): right." in printed
    error = float(printed.rsplit("last fifth: ", 1)[1].split()[0])
    assert error < 2.0  # a constant forecast is off by 3.2, the last value by 6.4


def test_open_gates_carry_the_gradient_over_a_hundred_steps_and_half_open_ones_lose_it(tmp_path: Path) -> None:
    picture = tmp_path / "norms.png"
    rows = [line.split("|dL/dh|") for line in run("gradient_norms.py", "--out", str(picture)).splitlines()]
    first = {name.strip(): float(numbers.rsplit(" ", 1)[1]) for name, numbers in rows}
    assert first["GRU"] < 1e-12 < 1e-2 < first["GRU, z open"]
    assert first["LSTM"] < 1e-6 < 1e-2 < first["LSTM, f open"]
    assert picture.read_bytes().startswith(b"\x89PNG")
