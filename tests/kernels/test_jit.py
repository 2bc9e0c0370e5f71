"""Compiled code is kept for the next process, unless something it is made of has changed."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import thread_jobs as jobs

from rnnkit_kernels.numba_cpu import jit

PARTS = {
    "__init__.py": "",
    "inner.py": """
from numba import extending, types
from .jit import compiled
@extending.intrinsic
def constant(typingctx):
    return types.int64(), lambda context, builder, sig, args: context.get_constant(types.int64, 1)
""",
    "middle.py": """
from .inner import constant
from .jit import compiled
@compiled
def middle():
    return constant()
""",
    "outer.py": """
from .middle import middle
from .jit import compiled, c_function, lost
@compiled
def outer(x):
    return x // 1 + middle()
def results():
    import ctypes
    called = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(c_function(outer, "int64(int64)"))
    return outer(10), called(10), sum(outer.stats.cache_hits.values())
""",
}
CODE = "import sys; sys.path.insert(0, {!r}); from kept.outer import results, lost; print(*results(), lost())"


@pytest.fixture
def kept(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    for name, text in PARTS.items():
        (folder / name).write_text(text)
    shutil.copy(Path(jit.__file__), folder / "jit.py")
    return folder


def test_code_is_kept_until_a_file_of_what_it_calls_changes(kept):
    code = CODE.format(str(kept.parent))
    assert jobs.alone(code) == "11 11 0 None"
    assert jobs.alone(code) == "11 11 1 None"
    inner = kept / "inner.py"
    inner.write_text(inner.read_text().replace("types.int64, 1", "types.int64, 25"))
    assert jobs.alone(code) == "35 35 0 None"


def test_where_nothing_can_be_written_code_is_compiled_anew_and_it_is_said(kept):
    blocked = kept.parent / "file"
    blocked.write_text("a file where a folder would have to be")
    (kept / "__pycache__").write_text("likewise")
    code = CODE.format(str(kept.parent))
    for _ in range(2):
        said = jobs.alone(code, HOME=str(blocked), XDG_CACHE_HOME=str(blocked), PYTHONDONTWRITEBYTECODE="1")
        assert said.startswith("11 11 0 compiled kernels are not kept for the next process")
        assert said.endswith("set NUMBA_CACHE_DIR to a folder that can")


def test_two_processes_that_compile_at_once_both_get_it_right(kept):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(jobs.alone, [CODE.format(str(kept.parent))] * 2))
    assert {line[:5] for line in said} == {"11 11"}


def test_code_for_two_signatures_that_is_kept_at_once_is_not_mixed_up(tmp_path):
    files = [jit._Kept(str(tmp_path), "function", ("stamp",)) for _ in range(2)]
    for file in files:
        file.flush()
    for file in files:
        file._load_index = dict  # what both read before either wrote
    files[0].save("key 0", "code 0")
    files[1].save("key 1", "code 1")
    assert len(list(tmp_path.glob("*.nbc"))) == 2
    fresh = jit._Kept(str(tmp_path), "function", ("stamp",))
    assert fresh.load("key 0") in (None, "code 0")
    assert fresh.load("key 1") == "code 1"
    assert jit._Kept(str(tmp_path), "function", ("another stamp",)).load("key 1") is None


def test_a_division_by_zero_raises_nothing_in_compiled_code():
    @jit.compiled
    def divided(a, b):
        return a / b

    assert divided(1.0, 0.0) == float("inf")
