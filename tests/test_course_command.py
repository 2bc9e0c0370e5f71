"""`rnnkit course`: what it lists, runs, collects and refuses, and the frame that its recipes share."""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from rnnkit.cli import main
from rnnkit.commands import course
from rnnkit.commands.course_table import collect, markdown, summary

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

RECIPE = '''"""A recipe of nothing.

    python {name}.py
"""
import numpy as np
from recipe import Recipe


def network(library, **seed):
    model = library.Sequential([library.layers.Dense(1)], **seed)
    model.compile(loss="mse", optimizer=library.optimizers.Adam(learning_rate=0.1), metrics=["mae"])
    return model


recipe = Recipe(__doc__, ["loss", "more"], better="lower")
x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
recipe.baseline("nothing | at all", [1.5, None], [1.25, None])
recipe.train("a line", network, x, 3 * x, epochs=30, batch_size=16, recorded=[0.5, 9],
             score=lambda model, history: [history.history["loss"][-1], len(history.epoch)])
recipe.finish()
'''


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    """A folder of two recipes, the second of which fails."""
    folder = tmp_path / "examples"
    folder.mkdir()
    (folder / "recipe.py").write_text((EXAMPLES / "recipe.py").read_text())
    (folder / "line.py").write_text(RECIPE.format(name="line"))
    (folder / "broken.py").write_text('"""Fails."""\nraise SystemExit("no luck")\n')
    monkeypatch.setattr(course, "_examples", lambda: folder)
    monkeypatch.setattr(course, "RECIPES", ("broken", "line"))
    return folder


def test_every_recipe_of_the_folder_is_listed_and_every_listed_one_is_there():
    scripts = {path.stem for path in EXAMPLES.glob("*.py") if "from recipe import" in path.read_text()}
    assert set(course.RECIPES) == scripts


def test_every_recipe_says_in_its_docstring_how_it_is_run_and_ends_its_title_with_a_full_stop():
    for name in course.RECIPES:
        text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text()))
        assert f"python examples/{name}.py" in text
        assert text.splitlines()[0].endswith(".")


def test_without_names_the_recipes_and_their_titles_are_listed(recipes, capsys):
    assert main(["course"]) == 0
    assert "line              A recipe of nothing." in capsys.readouterr().out


def test_a_recipe_leaves_medians_ranges_and_seconds_and_the_command_their_table(recipes, tmp_path, capfd):
    out = tmp_path / "out"
    assert main(["course", "line", "--out", str(out), "--seeds", "3"]) == 0
    told = json.loads((out / "line.json").read_text())
    baseline, model = told["rows"]
    assert baseline["values"] == [1.5, None]
    low, high = model["range"][0]
    assert low <= model["values"][0] <= high < 0.5
    assert model["epochs"] == 30
    assert model["seconds"] > 0
    text = (out / "course.md").read_text()
    assert "| nothing / at all | 1.5 | 1.25 |  |  |  |  |" in text
    assert "medians of 3 seeds" in text
    assert (out / "course.png").read_bytes().startswith(b"\x89PNG")
    assert "a line" in capfd.readouterr().out


def test_a_recipe_that_fails_is_named_and_the_others_go_on(recipes, tmp_path, capfd):
    assert main(["course", "all", "--quick", "--out", str(tmp_path / "out")]) == 1
    said = capfd.readouterr()
    assert "rnnkit: broken ended with an error" in said.err
    assert "a quick run, no result" in (tmp_path / "out" / "course.md").read_text()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["lines"], "lines"),
        (["line", "--data", "nowhere"], "nowhere is not a folder"),
        (["line", "--seeds", "0"], "--seeds"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(recipes, capsys, given, sentence):
    assert main(["course", *given]) == 2
    assert sentence in capsys.readouterr().err


def test_recipes_with_data_files_ask_for_their_folder_before_any_is_run(recipes, tmp_path, capsys):
    (recipes / "broken.py").write_text((recipes / "line.py").read_text())
    (recipes / "line.py").write_text('"""Needs one.\n\n    python line.py --data FILE\n"""\n')
    assert main(["course", "all", "--out", str(tmp_path / "out")]) == 2
    assert "rnnkit: line: data files are needed; give --data FOLDER" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"title": 1}', "\0", '{"columns": ["a"], "title": "t", "rows": [{}]}']
)
def test_a_file_that_no_recipe_wrote_is_named_and_not_drawn(tmp_path, content):
    (tmp_path / "line.json").write_text(content)
    with pytest.raises(ValueError, match=r"line\.json is not what a recipe leaves"):
        collect(tmp_path, ["line"])


def test_a_recipe_that_was_not_run_has_no_part_in_the_table(tmp_path):
    assert collect(tmp_path, ["line"]) == []
    assert markdown([]) == "\n"


def test_a_missing_data_file_is_refused_by_the_recipe_with_where_to_look(tmp_path):
    script = EXAMPLES / "central_england.py"
    done = subprocess.run(
        [sys.executable, str(script), "--data", str(tmp_path)],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no" in done.stderr
    assert "--help for where a user gets it" in done.stderr


def test_models_with_a_recorded_figure_are_summed_up_and_of_other_recipes_the_best():
    rows = [
        {"name": "as before", "kind": "baseline", "values": [0.7, 3], "recorded": [0.7, 3]},
        {"name": "small", "kind": "model", "values": [0.8, 5], "recorded": [0.95, None], "seconds": 1.5},
        {"name": "large", "kind": "model", "values": [0.9, 4], "recorded": None, "seconds": 2},
    ]
    told = {"name": "words", "title": "Words.", "columns": ["accuracy", "loss"], "better": "higher", "rows": rows}
    assert summary([told]).splitlines()[2:] == [
        "| `words` | small | accuracy, higher is better | 0.95 | 0.8 | 1.50 |  |"
    ]
    rows[1] |= {"recorded": [0.95, 6], "peer": {"name": "Keras", "seconds": 3}}
    told |= {"better": "lower"}
    assert summary([told]).splitlines()[2:] == ["| `words` | small | loss | 6 | 5 | 1.50 | 3.00 |"]
    rows[1]["recorded"] = None
    assert summary([told]).splitlines()[2:] == ["| `words` | small | accuracy |  | 0.8 | 1.50 | 3.00 |"]
    told |= {"better": "higher"}
    assert summary([told]).splitlines()[2:] == ["| `words` | large | accuracy, higher is better |  | 0.9 | 2.00 |  |"]


@pytest.mark.parametrize("page", ["README.md", "README.es.md"])
def test_the_readmes_table_is_made_of_the_scores_in_the_checkout(page):
    text = (ROOT / page).read_text()
    shown = text[text.index("<!-- course") :].split("-->", 1)[1].split("<!-- /course -->")[0]
    assert shown.strip() == summary(collect(EXAMPLES / "results", course.RECIPES)).strip()
    assert all(f"`{name}`" in shown for name in course.RECIPES)


def test_times_beside_keras_are_refused_where_there_are_no_scores_to_add_them_to(recipes, tmp_path, capfd):
    assert main(["course", "line", "--out", str(tmp_path / "out"), "--peer"]) == 1
    assert "run without it first" in capfd.readouterr().err


@pytest.mark.skipif(not (find_spec("keras") and find_spec("jax")), reason="needs the extra peers")
def test_times_beside_keras_are_added_to_the_scores_and_change_none_of_them(recipes, tmp_path):
    out = tmp_path / "out"
    assert main(["course", "line", "--out", str(out)]) == 0
    before = json.loads((out / "line.json").read_text())
    assert main(["course", "line", "--out", str(out), "--peer"]) == 0
    after = json.loads((out / "line.json").read_text())
    assert after["rows"][1].pop("peer")["seconds"] > 0
    assert after["rows"][1].pop("seconds") > 0
    before["rows"][1].pop("seconds")
    assert after == before
