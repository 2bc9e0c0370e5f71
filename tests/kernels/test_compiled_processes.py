"""Processes that compile at once, cannot keep what they compile, fork, or are told how to compute: none goes wrong."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import thread_jobs as jobs

import rnnkit_kernels

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

# A pass of a cell there and back, held against the textbook in the process itself; prints how it was divided.
CODE = """
import os
import compiled_cases as cc
from rnnkit_kernels import cells
def right(cell, sizes, dtype="float32", split=None):
    case = cc.draw(cell, sizes, dtype)
    got = cc.compiled(case, split=split)
    cc.assert_the_textbooks(case, got, dtype)
    return got.tape
def told(tape):
    split = tape.split
    return f"{split.parts} {'units' if split.by_units else 'rows'} {tape.program.lanes.count}"
"""
LARGE = "(12, 48, 5, 40)"  # enough work to be worth sharing, and rows enough for every thread
FEW = "(6, 2, 5, 200)"  # few rows, many units


def test_two_processes_that_compile_one_cell_at_once_both_get_it_right_and_the_next_finds_it(tmp_path: Path) -> None:
    code = CODE + "print(told(right(cells.LSTM(), (3, 5, 3, 33))))"
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}

    def run(_: int) -> str:
        return jobs.alone(code, timeout=180, **environment)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(run, range(2)))
    assert [line.rpartition(" ")[0] for line in said] == ["1 rows"] * 2
    again = "from rnnkit_kernels.numba_cpu.emit import entry\nprint(sum(entry._entry.stats.cache_misses.values()))"
    assert jobs.alone(code + "\n" + again, timeout=180, **environment).split()[-1] == "0"


@pytest.mark.slow
def test_where_nothing_can_be_kept_everything_is_compiled_anew_and_right(tmp_path: Path) -> None:
    """A package folder and a home that cannot be written: files where folders would have to be, which stop root too."""
    copy = tmp_path / "kernels" / "rnnkit_kernels"
    shutil.copytree(Path(rnnkit_kernels.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder would have to be")
    (copy / "numba_cpu" / "__pycache__").write_text("likewise")
    code = f"""
import os, sys
os.environ.pop("NUMBA_CACHE_DIR", None)
sys.path.insert(0, {str(copy.parent)!r})
{CODE}
from rnnkit_kernels.numba_cpu import jit
right(cells.LSTM(), (3, 5, 3, 33))
print(jit.__file__, jit.lost())
"""
    said = jobs.alone(
        code, timeout=240, HOME=str(blocked), XDG_CACHE_HOME=str(blocked), PYTHONDONTWRITEBYTECODE="1"
    )  # fmt: skip
    assert said.startswith(str(copy))
    assert "compiled kernels are not kept for the next process" in said


@pytest.mark.parametrize("count", ["1", "2", "3"])
def test_as_many_threads_share_the_work_as_are_asked_for(count: str) -> None:
    code = CODE + f"print(told(right(cells.LSTM(), {LARGE})), '|', told(right(cells.LSTM(), {FEW})))"
    rows, units = jobs.alone(code, timeout=180, RNNKIT_NUM_THREADS=count).split(" | ")
    assert rows.rpartition(" ")[0] == f"{count} rows"
    assert units.rpartition(" ")[0] == ("1 rows" if count == "1" else f"{count} units")


@pytest.mark.parametrize(("single", "double"), [("8", "4"), pytest.param("4", "2", marks=pytest.mark.slow)])
def test_vectors_are_as_wide_as_is_asked_for(single: str, double: str) -> None:
    """In one cache for all widths: what was compiled for another is not taken."""
    sizes = "(3, 7, 5, 35)"
    code = CODE + f"print(told(right(cells.GRU(), {sizes})), told(right(cells.GRU(), {sizes}, 'float64')))"
    said = jobs.alone(code, timeout=180, RNNKIT_LANES=single, RNNKIT_NUM_THREADS="1")
    assert said == f"1 rows {single} 1 rows {double}"


@forks
def test_a_child_forked_after_use_computes_and_so_does_its_parent_afterwards() -> None:
    code = (
        CODE
        + f"""
import warnings
warnings.simplefilter("ignore")  # newer versions of Python warn of forks beside threads
work = lambda: (right(cells.LSTM(), {LARGE}).split.parts, right(cells.LSTM(), {FEW}).split.parts)
assert work() == (2, 2)
child = os.fork()
if not child:
    status = 1
    try:
        assert work() == (2, 2)
        right(cells.GRU(), (3, 5, 3, 33))  # compiled, or found, in the child
        status = 7
    finally:
        os._exit(status)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print(*work())
"""
    )
    assert jobs.alone(code, timeout=180, RNNKIT_NUM_THREADS="2") == "2 2"


@pytest.mark.parametrize("method", [pytest.param("fork", marks=forks), "spawn"])
def test_processes_of_a_pool_compute_at_once(method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        CODE
        + f"""
import multiprocessing
def work(seed):
    return right(cells.LSTM(), {LARGE}).split.parts
if __name__ == "__main__":
    work(0)
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(work, range(4)), work(0))
"""
    )
    code = f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
    if method == "spawn":  # a spawned process imports the script itself
        code = f"import subprocess, sys; subprocess.run([sys.executable, {str(script)!r}], check=True, timeout=150)"
    assert jobs.alone(code, timeout=180, RNNKIT_NUM_THREADS="2") == "[2, 2, 2, 2] 2"


def test_the_interpreter_ends_while_a_thread_of_python_still_computes() -> None:
    code = (
        CODE
        + f"""
import threading
right(cells.LSTM(), {LARGE})
def endless():
    while True:
        right(cells.LSTM(), {LARGE})
threading.Thread(target=endless, daemon=True).start()
"""
    )
    for _ in range(2):
        assert jobs.alone(code, timeout=60, RNNKIT_NUM_THREADS="2") == ""
