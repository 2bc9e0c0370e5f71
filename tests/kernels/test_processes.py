"""Processes that fork, make pools and end while kernels' threads and memory are in use."""

import os
import sys

import pytest

pytest.importorskip("numba", reason="the team of threads needs the extra numba")

import thread_jobs as jobs

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which processors a thread may use")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@linux
def test_threads_may_use_the_same_processors_after_a_job_as_before():
    code = """
import os, threading, time, thread_jobs as jobs
allowed = os.sched_getaffinity(0)
for _ in range(3):
    jobs.use()
    time.sleep(0.01)
print([os.sched_getaffinity(t.native_id) == allowed for t in threading.enumerate() if t.name.startswith("rnnkit-")])
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="2") == "[True]"


@linux
def test_a_thread_that_sleeps_is_woken_beside_its_caller_and_then_free_to_move():
    code = """
import os, time, numpy as np, thread_jobs as jobs
from numba import cfunc
from rnnkit_kernels.numba_cpu.parallel import atomics, threads
@cfunc("void(int64, int64)")
def where(table, part):
    atomics.store(table + 128 * part, atomics.processor())
    atomics.meet(table + jobs.BARRIER, 2)  # so both threads have begun
memory, table = jobs.words()
together = 0
with threads.team(2) as t:
    for k in range(50):
        time.sleep(0.002)
        t.run(where.address, table, 2)
        together += memory[0] == memory[jobs.LINE]
print(t.size, together)
"""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    size, together = map(int, jobs.alone(code, RNNKIT_NUM_THREADS="2").split())
    assert size == 2
    assert together <= 10  # the caller itself may be moved meanwhile


@linux
def test_a_thread_that_was_called_in_vain_works_on_where_the_team_grows_beyond_the_cores():
    code = """
import time, thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import crew, threads
jobs.use()
memory, table = jobs.words()
for _ in range(100):
    time.sleep(0.005)  # a sleeper is woken too late for so little work
    with threads.team(2) as t:
        t.run(jobs.count().address, table, 2)
    if threads._crew.memory[(crew.BYTES + crew.EXILED) // 8]:
        break
with threads.team(8) as t:
    memory, table = jobs.words()
    t.run(jobs.rounds(t.size, 20).address, table, t.size)
    print(t.size, memory[jobs.LINE])
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="8") == "8 0"


@forks
def test_a_child_forked_after_use_starts_threads_of_its_own():
    code = """
import os, thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import threads
assert jobs.use() == 2
with threads.team(2) as t:
    child = os.fork()
    if not child:
        assert t.size == 1
        t.run(jobs.count().address, jobs.words()[1], 3)
if not child:
    assert jobs.use() == 2
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print(jobs.use())
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="2") == "2"


@forks
def test_a_child_forked_while_another_thread_computes_starts_threads_of_its_own():
    code = """
import os, threading, time, thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import threads
jobs.use()
memory, table = jobs.words()
def work():
    with threads.team(2) as t:
        t.run(jobs.until_told().address, table, t.size)
thread = threading.Thread(target=work)
thread.start()
while not memory[1]:
    time.sleep(0.001)
with threads.team(2) as t:
    assert t.size == 1
child = os.fork()
if not child:
    assert jobs.use() == 2
    os._exit(7)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
memory[0] = 1
thread.join()
assert status == 7, status
print(jobs.use())
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="2") == "2"


@pytest.mark.parametrize("method", [pytest.param("fork", marks=forks), "spawn"])
def test_processes_of_a_pool_have_teams_of_their_own(method):
    code = f"""
import multiprocessing, thread_jobs as jobs
if __name__ == "__main__":
    jobs.use()
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(jobs.use, [10, 20, 30]), jobs.use())
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="2", timeout=120) == "[2, 2, 2] 2"


@pytest.mark.parametrize(
    "before",
    [
        "jobs.use()",
        "jobs.use(); time.sleep(0.02)",
        "threading.Thread(target=endless, daemon=True).start(); time.sleep(0.3)",
        "threads.team(2).__enter__()",
    ],
    ids=["while they look", "while they sleep", "while they compute", "while reserved"],
)
def test_the_interpreter_ends_at_once_whatever_the_threads_do(before):
    code = f"""
import threading, time, thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import threads
jobs.until_told().address, jobs.use()
def endless():
    with threads.team(2) as t:
        t.run(jobs.until_told().address, jobs.words()[1], t.size)
{before}
"""
    for _ in range(2):
        assert jobs.alone(code, RNNKIT_NUM_THREADS="2") == ""


def test_when_the_interpreter_ends_idle_threads_sleep_at_once_and_still_do_their_jobs():
    code = """
import atexit
def last():
    print(jobs.use(), set(threads._crew.memory[crew.PATIENCE // 8 :: crew.BYTES // 8].tolist()))
atexit.register(last)
import thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import crew, threads
jobs.use()
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="2") == "2 {0}"


def test_where_no_thread_can_be_started_the_caller_computes_alone():
    code = """
import thread_jobs as jobs
from rnnkit_kernels.numba_cpu.parallel import crew
class Refused(crew.Thread):
    def start(self):
        raise RuntimeError("can't start new thread")
crew.Thread = Refused
print(jobs.use(), jobs.use())
"""
    assert jobs.alone(code, RNNKIT_NUM_THREADS="4") == "1 1"


@forks
def test_a_forked_child_makes_arrays_though_the_list_was_held_and_ends_without_a_word():
    code = """
import os, numpy as np
from rnnkit_kernels.numba_cpu import memory
kept, gone = (memory.zeros(100_000, np.float32) for _ in range(2))
del gone
memory._POOL._lock.acquire()
child = os.fork()
if not child:
    array = memory.zeros(100_000, np.float32)
    assert memory.held() == 0
    del array, kept
    assert memory.held() > 0
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
memory._POOL._lock.release()
"""
    assert jobs.alone(code) == ""


def test_arrays_that_outlive_the_interpreter_end_without_a_word():
    code = """
import sys, numpy as np
from rnnkit_kernels.numba_cpu import memory
sys.keep = [memory.empty(100_000, np.float32)]
sys.keep.append(sys.keep)
np.keep = memory.empty(100_000, np.float32)
alive = memory.empty(100_000, np.float32)
"""
    assert jobs.alone(code) == ""
