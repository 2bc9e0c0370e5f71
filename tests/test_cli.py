"""The console script: what it prints, writes and refuses, in this process and with tiny networks."""

import os
import re
import signal
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import rnnkit
from rnnkit.cli import main
from rnnkit.commands import threads
from rnnkit.commands.cells import CELLS
from rnnkit.commands.task import Shuffled, Task, usual_window
from rnnkit.data import MinMaxScaler, Series
from rnnkit_kernels.cuda_gpu.missing import Facts, facts

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
TINY = ["--units", "3", "--epochs", "2", "--verbose", "0"]


def needs(name):
    return pytest.param(
        name, marks=pytest.mark.skipif(not (DATA / name).is_file(), reason=f"no {name} beside the checkout")
    )


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "waves.csv"
    rows = [f"{np.datetime64('2001-01', 'M') + k},{np.sin(k / 2):.6f},{k % 7}" for k in range(150)]
    path.write_text("\n".join(["month,height (m),noise", *rows]) + "\n")
    return path


def train(*options, out):
    return main(["train", *TINY, "--out", str(out), *map(str, options)])


def rows_of(text):
    """Name -> (MAE, RMSE) of the printed table."""
    found = re.findall(r"^[* ]  (.+?)  +(\d+\.\d+)  +(\d+\.\d+)$", text, re.M)
    return {name: (float(mae), float(rmse)) for name, mae, rmse in found}


def test_the_default_job_prints_the_network_beside_four_forecasts_and_writes_model_and_picture(tmp_path, capsys):
    assert main(["train", "--epochs", "1", "--units", "3", "--out", str(tmp_path / "new" / "out")]) == 0
    said = capsys.readouterr()
    assert set(rows_of(said.out)) == {"gru 3", "linear least squares", "seasonal naive", "moving average", "naive"}
    assert "24 steps in, 12 left out, 1 forecast" in said.out
    assert "from the training part" in said.out
    assert re.search(r"^Best: linear least squares\.", said.out, re.M)
    assert re.search(r"^epoch 1/1  loss \S+ val_loss \S+$", said.err, re.M)
    model = rnnkit.load(tmp_path / "new" / "out" / "model.safetensors")
    assert model.predict(np.zeros((2, 24, 1))).shape == (2, 1)


def test_the_default_network_is_the_course_s(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rnnkit.Sequential, "fit", lambda *_, **given: seen.update(given) or rnnkit.History())
    seen = {}
    assert main(["train", "--out", str(tmp_path)]) == 0
    assert (seen["epochs"], capsys.readouterr().out.count("gru 24-50-24, 18,841 parameters")) == (30, 1)
    kinds = [repr(layer) for layer in rnnkit.load(tmp_path / "model.safetensors").layers]
    assert kinds == [
        "GRU(units=24, activation='swish', return_sequences=True)", "Dropout(rate=0.1)",
        "GRU(units=50, activation='swish', return_sequences=True)", "Dropout(rate=0.1)",
        "GRU(units=24, activation='swish')", "Dropout(rate=0.1)", "Dense(units=1)",
    ]  # fmt: skip


def test_the_table_fits_sixty_columns(csv, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    train("--data", csv, out=tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 60


def test_the_printed_errors_are_those_of_the_saved_model_on_rows_it_never_saw(csv, tmp_path, capsys):
    train("--data", csv, "--window", 12, out=tmp_path)
    mae, rmse = rows_of(capsys.readouterr().out)["gru 3"]
    values = np.loadtxt(csv, delimiter=",", skiprows=1, usecols=1)
    mean, std = values[:120].mean(), values[:120].std()
    past = np.stack([values[t - 12 : t] for t in range(120, 150)])
    model = rnnkit.load(tmp_path / "model.safetensors")
    error = model.predict(((past - mean) / std)[..., None])[:, 0] * std + mean - values[120:]
    assert np.abs(error).mean() == pytest.approx(mae, rel=1e-3)
    assert np.sqrt((error**2).mean()) == pytest.approx(rmse, rel=1e-3)


def test_the_same_seed_prints_the_same_numbers(csv, tmp_path, capsys):
    said = []
    for seed in (1, 1, 2):
        train("--data", csv, "--seed", seed, out=tmp_path)
        said.append(rows_of(capsys.readouterr().out)["gru 3"])
    assert said[0] == said[1] != said[2]


def test_the_picture_is_a_png(csv, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra rnnkit[plot]")
    train("--data", csv, out=tmp_path)
    content = (tmp_path / "report.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1596, 1248)


def test_without_matplotlib_the_picture_is_skipped_and_all_else_is_done(csv, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert train("--data", csv, out=tmp_path) == 0
    said = capsys.readouterr().out
    assert re.search(r"^no picture: .*rnnkit\[plot\]", said, re.M)
    assert [path.name for path in tmp_path.glob("*.*") if path != csv] == ["model.safetensors"]
    assert "gru 3" in rows_of(said)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains_in_two_layers(cell, csv, tmp_path, capsys):
    assert train("--data", csv, "--cell", cell, "--layers", 2, "--epochs", 1, "--window", 4, out=tmp_path) == 0
    assert f"{cell} 3-3" in rows_of(capsys.readouterr().out)


def test_several_steps_are_forecast_at_once(csv, tmp_path, capsys):
    assert train("--data", csv, "--horizon", 3, "--lead", 2, out=tmp_path) == 0
    assert "24 steps in, 2 left out, 3 forecast" in capsys.readouterr().out
    assert rnnkit.load(tmp_path / "model.safetensors").output_shape == (None, 3)


@pytest.mark.parametrize("column", ["height", "height (m)", "1"])
def test_a_column_is_chosen_by_name_with_or_without_unit_or_by_position(column, csv, tmp_path, capsys):
    assert train("--data", csv, "--column", column, out=tmp_path) == 0
    assert "series: height (m), 150 values, period 12" in capsys.readouterr().out


def test_missing_values_are_filled_or_left_out_and_both_is_said(csv, tmp_path, capsys):
    lines = csv.read_text().splitlines()
    for k in (1, 2, 60, 145):
        date, _, rest = lines[k].split(",")
        lines[k] = f"{date},,{rest}"
    csv.write_text("\n".join(lines))
    assert train("--data", csv, "--column", "height", out=tmp_path) == 0
    said = capsys.readouterr().out
    assert "2 missing at the ends: left out" in said
    assert "2 missing inside: filled linearly, not scored" in said
    assert "29 test" in said


@pytest.mark.parametrize("name", [*map(needs, ("station.csv", "international-airline-passengers.csv", "sunspots.csv"))])
def test_real_files_train(name, tmp_path, capsys):
    assert train("--data", DATA / name, "--epochs", 1, out=tmp_path) == 0
    said = capsys.readouterr().out
    assert "period 12" in said
    assert len(rows_of(said)) == 5


@pytest.mark.parametrize("name", [needs("tdaily_cet.txt.gz")])
def test_a_long_file_trains_on_a_part_of_its_windows_and_says_so(name, tmp_path, capsys):
    assert train("--data", DATA / name, "--epochs", 1, "--window", 5, "--batch", 256, out=tmp_path) == 0
    assert re.search(r"4,096 of 65,\d+ windows an epoch, drawn anew each time", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "nowhere.csv"], r"nowhere\.csv: No such file or directory"),
        (["--data", "CSV", "--column", "hight"], r"unknown column 'hight'; did you mean 'height \(m\)'\?"),
        (["--column", "height"], r"give --data FILE"),
        (["--data", "CSV", "--window", "200"], r"window 200 \+ lead 0 \+ horizon 1 = 201 steps are too long"),
        (["--data", "CSV", "--horizon", "31"], r"the last 30 of 150 values, is shorter than the horizon 31"),
        (["--units", "3,x"], r"--units: units are whole numbers from 1 up, such as 32 or 24,50,24; got '3,x'"),
        (["--units", "3,0"], r"got '3,0'"),
        (["--units", "3,4", "--layers", "2"], r"--layers repeats a single --units"),
        (["--cell", "gruu"], r"unknown cell 'gruu'; did you mean 'gru'\?"),
        (["--activation", "tahn"], r"unknown activation 'tahn'; did you mean 'tanh'\?"),
        (["--backend", "cudnn"], r"unknown backend 'cudnn'; did you mean 'cuda'\?"),
        (["--epochs", "0"], r"--epochs: a whole number from 1 up is expected; got '0'"),
        (["--learning-rate", "nan"], r"a number above 0 is expected; got 'nan'"),
        (["--dropout", "1"], r"the share dropped is in \[0, 1\); got '1'"),
        (["--no-such-option"], r"unrecognized arguments: --no-such-option"),
        (["--out", "CSV"], r"waves\.csv: (File exists|Not a directory)"),
        (["--out", "CSV/below"], r"waves\.csv.*: Not a directory"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence_on_standard_error_and_exit_code_2(options, sentence, csv, tmp_path, capsys):
    given = [option.replace("CSV", str(csv)) for option in options]
    assert main(["train", "--out", str(tmp_path / "out"), *given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("rnnkit")
    assert re.search(sentence, said.err)
    assert not (tmp_path / "out").exists()


def test_weights_that_stop_being_finite_are_a_sentence_too(csv, tmp_path, capsys):
    assert (
        train("--data", csv, "--activation", "exponential", "--learning-rate", 1e6, "--cell", "rnn", out=tmp_path) == 2
    )
    assert re.search(r"^rnnkit: .*(smaller learning rate)", capsys.readouterr().err)


def test_ctrl_c_goes_on_to_scores_and_saving_with_what_there_is(csv, tmp_path, capsys, monkeypatch):
    whole = Shuffled.__iter__
    passes = []

    def stopped(self):
        passes.append(self)
        for batch in whole(self):
            yield batch
            if len(passes) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(Shuffled, "__iter__", stopped)
    assert train("--data", csv, "--epochs", 5, out=tmp_path) == 0
    said = capsys.readouterr().out
    assert "Ctrl-C after 1 of 5 epochs" in said
    assert "gru 3" in rows_of(said)
    assert (tmp_path / "model.safetensors").is_file()


def test_ctrl_c_in_the_first_epoch_still_ends_with_a_model_and_scores(csv, tmp_path, capsys, monkeypatch):
    def stopped(self):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(Shuffled, "__iter__", stopped)
    assert train("--data", csv, out=tmp_path) == 0
    said = capsys.readouterr().out
    assert "Ctrl-C after 0 of 2 epochs" in said
    assert "weights kept" not in said
    assert (tmp_path / "model.safetensors").is_file()


def test_ctrl_c_anywhere_else_is_one_word_and_exit_code_130(capsys, monkeypatch):
    monkeypatch.setattr("rnnkit.commands.doctor.run", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "rnnkit: stopped\n"


def test_the_best_epoch_s_weights_are_kept_unless_the_last_are_asked_for(csv, tmp_path, capsys):
    train("--data", csv, "--epochs", 6, "--learning-rate", 0.5, out=tmp_path)
    assert re.search(r"weights kept: epoch \d of 6", capsys.readouterr().out)
    train("--data", csv, "--keep", "last", out=tmp_path)
    assert "weights kept" not in capsys.readouterr().out


def test_no_window_that_trains_or_validates_forecasts_a_row_of_the_test_part():
    values = np.arange(100.0)
    task = Task(Series(values), np.zeros(100, bool), MinMaxScaler(0.0, 1.0), window=5, lead=2, horizon=3)
    (x, y), (_, held), truth = task.fitted, task.validation, task.truth()
    assert len(x) + len(held) == 80 - 5 - 2 - 3 + 1
    assert y.max() < held.max() == 79
    assert truth.min() == 80
    assert list(truth[0]) == [80, 81, 82]
    assert list(task.pairs[0][task.test[0]][:, 0]) == [73, 74, 75, 76, 77]


@pytest.mark.parametrize(
    ("period", "n", "window"),
    [(12, 900, 24), (24, 5000, 24), (7, 900, 28), (365, 9000, 60), (None, 900, 24), (12, 30, 8)],
)
def test_the_usual_window_is_whole_seasons_and_fits_a_short_series(period, n, window):
    assert usual_window(Series(np.zeros(n), period=period)) == window


def test_gradcheck_prints_a_line_for_each_cell_and_method(capsys):
    assert main(["gradcheck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["cell", "method", "elements", "direction", "worst", "verdict"]
    assert len(lines) == 2 * len(rnnkit.cells.ALL) + 2
    assert lines[-1] == f"all {2 * len(rnnkit.cells.ALL)} right"


def test_gradcheck_of_one_cell_prints_the_whole_report(capsys):
    assert main(["gradcheck", "--cell", "mgu", "--activation", "relu"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("MGU (")
    assert "pre-activation" in said
    assert "relu has a kink: checked by differences only" in said


def test_gradcheck_ends_with_exit_code_1_when_a_gradient_is_wrong(capsys, monkeypatch):
    class Wrong(rnnkit.cells.SimpleRNN):
        def adjoint(self, *given):
            right = super().adjoint(*given)
            return right._replace(x=tuple(1.01 * d for d in right.x))

    monkeypatch.setattr(rnnkit.cells, "ALL", (Wrong(),))
    assert main(["gradcheck"]) == 1
    assert "2 of 2 wrong" in capsys.readouterr().out


def doctor_with(monkeypatch, found):
    """What it says where this is what the GPU backend has."""
    monkeypatch.setattr("rnnkit.commands.doctor.facts", lambda: found)
    assert main(["doctor"]) == 0


def test_doctor_says_what_is_there_in_lines_of_eighty_columns(capsys, monkeypatch):
    device = "GPU 0, NVIDIA H200, compute capability 9.0, 139.8 GiB, 138.9 free"
    gpu = {"wheel": "cupy-cuda13x 14.2.0", "runtime": "CUDA 13.2", "driver": "for CUDA 13.0", "device": device}
    doctor_with(monkeypatch, Facts(gpu))
    lines = capsys.readouterr().out.splitlines()
    compiled = ["vectors", "caches", "threads", "compiled"] if find_spec("numba") else []
    assert [line.split()[0] for line in lines] == [
        "rnnkit", "numpy", "cores", "numpy", "numba", *compiled, *gpu, "cuda", "matplotlib", "safetensors", "tqdm",
    ]  # fmt: skip
    assert f"device       {device}" in lines
    assert "cuda         backend: ready" in lines
    assert max(map(len, lines)) <= 80


def test_doctor_says_what_the_gpu_backend_lacks_and_keeps_to_eighty_columns(capsys, monkeypatch):
    found = Facts({"wheel": "cupy-cuda13x 14.2.0"}).lacks(
        "there is no NVIDIA driver on this machine: " + 9 * "buy it, "
    )
    doctor_with(monkeypatch, found)
    told = capsys.readouterr().out
    assert "cuda         backend: there is no NVIDIA driver on this machine: buy it" in told
    assert "ready; 'auto'" in told
    assert max(map(len, told.splitlines())) <= 80


def test_training_holds_the_blas_to_one_thread_unless_the_environment_chose_and_gives_it_back(monkeypatch):
    for name in threads.CHOSEN_BY:
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(limits=2, user_api="blas"):
        if threads.blas()[1] != 2:
            pytest.skip("this NumPy's BLAS takes no number of threads")
        with threads.one_thread():
            assert threads.blas()[1] == 1
        assert threads.blas()[1] == 2
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        with threads.one_thread():
            assert threads.blas()[1] == 2


def test_doctor_names_the_extra_that_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("rnnkit.commands.doctor.find_spec", lambda name: None)
    doctor_with(monkeypatch, facts(installed=lambda name: None))
    told = capsys.readouterr().out
    assert "missing, no pictures: pip install 'rnnkit[plot]'" in told
    assert "not installed, no compiled kernels: pip install 'rnnkit[numba]'" in told
    assert "cuda         backend: CuPy is not installed: pip install 'rnnkit[cuda13]', or" in told


def test_help_shows_examples_and_a_mistyped_command_gets_the_nearest(capsys):
    for given in ([], ["--help"], ["train", "--help"], ["gradcheck", "--help"], ["doctor", "--help"]):
        assert main(given) == 0
    assert "rnnkit train --data station.csv" in capsys.readouterr().out
    assert main(["trian"]) == 2
    assert "unknown command 'trian'; did you mean 'train'?" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rnnkit {rnnkit.__version__}\n"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")
def test_a_real_interrupt_of_the_running_program_leaves_a_model_and_no_traceback(tmp_path):
    given = [sys.executable, "-m", "rnnkit", "train", "--units", "4", "--epochs", "5000", "--out", str(tmp_path)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    with subprocess.Popen(
        given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    ) as running:
        assert running.stderr is not None
        running.stderr.readline()  # the first epoch has ended
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert "Traceback" not in err
    assert re.search(r"Ctrl-C after \d+ of 5000 epochs", out)
    assert (tmp_path / "model.safetensors").is_file()
