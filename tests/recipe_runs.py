"""A recipe run as a reader would run it, in seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, DATA = ROOT / "examples", ROOT.parent / "shared" / "data"


def needs(file):
    return pytest.mark.skipif(not (DATA / file).is_file(), reason=f"{file} is not beside the checkout")


def quick(name, out, *arguments):
    """What a quick run prints, and its scores by row: one number a column. Its picture is there, no line is too long.

    arguments  as on the command line, `--data` among them where the recipe needs it
    """
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--quick", "--out", str(out), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, done.stdout.replace(str(out), "").splitlines()[1:])) <= 80
    told = json.loads((out / f"{name}.json").read_text("utf-8"))
    assert (told["quick"], told["seeds"]) == (True, 1)
    return done.stdout, {row["name"].strip(): row["values"] for row in told["rows"]}
