"""Lists the systems of the course, trains one of them or all, and writes the
table of all results beside the figures recorded for them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rnnkit_kernels.sentences import unknown

from .arguments import whole
from .course_table import collect, write
from .report import say

__all__ = ["EXAMPLES", "HELP", "RECIPES", "add_arguments", "run"]

HELP = "the course's systems on real data, beside their recorded figures"
EXAMPLES = """\
examples:
  rnnkit course                                what there is
  rnnkit course jena --data FOLDER             one of them
  rnnkit course all --data FOLDER --out table  all, and the table
  rnnkit course all --data FOLDER --quick      minutes instead of hours

The help of a recipe, 'python examples/NAME.py --help', tells where its data
file comes from. A recipe that fails is named at the end; the others go on."""

# In the order of the course's texts.
RECIPES: tuple[str, ...] = (
    "filter",
    "synthetic",
    "search",
    "seattle",
    "central_england",
    "sines",
    "sines_sequences",
    "wavenet",
    "hourly",
    "jena",
    "texts",
    "glove",
    "imdb",
    "song",
    "digits",
    "dates",
    "imputation",
    "shakespeare",
    "memory",
)


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("recipes", nargs="*", metavar="RECIPE", help="names as listed without any, or all")
    add("--data", type=Path, metavar="FOLDER", help="where the data files lie")
    add("--out", type=Path, default=Path("course"), metavar="FOLDER", help="for pictures, scores and table (course)")
    add("--seeds", type=whole(1), default=3, metavar="N", help="trainings a model; the median is its score (3)")
    add("--quick", action="store_true", help="seconds each, to see that it runs")
    add(
        "--peer", action="store_true", help="only time epochs, here and in Keras (extra peers), for the scores in --out"
    )


def run(options: Namespace) -> int:
    """0; 1 where a recipe failed. Raises ImportError where the checkout's `examples` is not there."""
    folder = _examples()
    if not options.recipes:
        for name in RECIPES:
            say(f"{name:<18}{_title(folder / f'{name}.py')}", " " * 18)
        return 0
    names = RECIPES if options.recipes == ["all"] else tuple(options.recipes)
    for name in names:
        if name not in RECIPES:
            raise unknown("recipe", name, ("all", *RECIPES))
    if options.data is not None and not options.data.is_dir():
        raise NotADirectoryError(f"--data is the folder of the data files; {options.data} is not a folder")
    with_data = [name for name in names if _needs_data(folder / f"{name}.py")]
    if with_data and options.data is None:
        raise ValueError(f"{', '.join(with_data)}: data files are needed; give --data FOLDER, where they lie")
    failed = []
    for name in names:
        start = time.monotonic()
        command = [sys.executable, str(folder / f"{name}.py"), "--out", str(options.out), "--seeds", str(options.seeds)]
        command += [f"--{flag}" for flag in ("quick", "peer") if getattr(options, flag)]
        if name in with_data:
            command += ["--data", str(options.data)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"  {time.monotonic() - start:.0f} s\n", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    say(write(collect(options.out, RECIPES), options.out))
    if failed:
        print(f"rnnkit: {', '.join(failed)} ended with an error, shown above", file=sys.stderr)
    return 1 if failed else 0


def _examples() -> Path:
    folder = Path(__file__).resolve().parents[2] / "examples"
    if not (folder / "recipe.py").is_file():
        raise ImportError(
            "the recipes are not installed with rnnkit: take a checkout of its repository, install it with "
            "pip install --editable '.[numba,plot]', and run rnnkit course there"
        )
    return folder


def _title(script: Path) -> str:
    return (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "").split("\n")[0]


def _needs_data(script: Path) -> bool:
    return "--data" in (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "")
