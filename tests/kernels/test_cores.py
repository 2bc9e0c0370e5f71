"""As many threads compute as the user, the cores and the control group say."""

import os
import sys

import pytest

pytest.importorskip("numba", reason="the team of threads needs the extra numba")

import thread_jobs as jobs

from rnnkit_kernels.numba_cpu.parallel import cores, threads

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which processors a thread may use")


@pytest.mark.parametrize("count", [1, 8])
def test_as_many_threads_compute_as_the_user_says(count):
    code = """
import threading, thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import threads
with threads.team(100) as t:
    memory, table = jobs.words()
    t.run(jobs.rounds(t.size, 200).address, table, t.size)
    print(t.size, threading.active_count(), memory[jobs.LINE])
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS=str(count)) == f"{count} {count} 0"


@linux
def test_a_process_that_is_bound_to_one_core_computes_in_one_thread(monkeypatch):
    monkeypatch.delenv("RNNKIT_NUM_THREADS", raising=False)
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import threading, thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import threads
print(threads.available(), jobs.use(), threading.active_count())
"""
    assert jobs.alone(code) == "1 1 1"


@pytest.mark.parametrize("wish", ["0", "-2", "two", "", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused_in_a_sentence(monkeypatch, wish):
    monkeypatch.setenv("RNNKIT_NUM_THREADS", wish)
    with pytest.raises(ValueError, match="RNNKIT_NUM_THREADS is how many threads to compute with, a whole number from"):
        threads.team(2)
    threads.team(1).run(jobs.count().address, jobs.words()[1], 1)


def test_without_a_wish_there_are_as_many_threads_as_cores(monkeypatch):
    monkeypatch.delenv("RNNKIT_NUM_THREADS", raising=False)
    assert threads.available() == cores.cores() <= os.cpu_count()


@pytest.mark.parametrize(
    ("groups", "files", "granted"),
    [
        ("0::/a/b\n", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/elsewhere\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/\n", {"cpu.max": "max 100000"}, cores.LIMIT),
        ("0::/\n", {}, cores.LIMIT),
        (
            "4:cpu,cpuacct:/a\n3:memory:/b\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "300000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            3,
        ),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, cores.LIMIT),
    ],
)
def test_a_control_group_bounds_the_cores(tmp_path, groups, files, granted):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    (tmp_path / "groups").write_text(groups)
    assert cores.quota(str(tmp_path / "groups"), str(tmp_path)) == granted
