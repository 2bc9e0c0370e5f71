"""What is said of the processor fits together, and wishes are understood or refused."""

import numpy as np
import pytest

machine = pytest.importorskip("rnnkit_kernels.numba_cpu.machine", reason="needs the extra numba")

AVX512 = frozenset({"avx512f", "avx512dq", "avx512vl", "avx512bw", "avx2", "fma"})


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    monkeypatch.delenv("RNNKIT_LANES", raising=False)


@pytest.mark.parametrize(
    ("features", "arm", "lanes", "registers", "says"),
    [
        (AVX512, False, 16, 32, "AVX-512: vectors of 16"),
        (AVX512 - {"avx512vl"}, False, 8, 16, "AVX2 only"),
        (frozenset({"avx2", "fma"}), False, 8, 16, "AVX2 only: vectors of 8 float32, half of"),
        (frozenset({"avx"}), False, 4, 16, "neither AVX-512 nor AVX2"),
        (frozenset({"neon"}), True, 4, 32, "NEON"),
    ],
)
def test_lanes_and_registers_are_those_of_the_widest_vectors(monkeypatch, features, arm, lanes, registers, says):
    monkeypatch.setattr(machine, "_features", lambda: features)
    monkeypatch.setattr(machine, "_arm", lambda: arm)
    assert (machine.lanes(np.float32), machine.lanes("f8")) == (lanes, lanes // 2)
    assert machine.registers() == registers
    assert machine.summary().startswith(says)
    rows = machine.tile_rows()
    assert rows == tuple(range(rows[0], 0, -1))
    assert 4 * rows[0] + 1 < registers


@pytest.mark.parametrize("wish", [1, 2, 4, 8, 16])
def test_a_wish_sets_the_lanes(monkeypatch, wish):
    monkeypatch.setenv("RNNKIT_LANES", str(wish))
    assert machine.lanes(np.float32) == wish
    assert machine.lanes(np.float64) == max(1, wish // 2)
    assert f"RNNKIT_LANES asks for {wish}" in machine.summary()


@pytest.mark.parametrize("wish", ["0", "3", "32", "-8", "eight", ""])
def test_a_wish_that_is_no_power_of_two_up_to_16_is_refused_in_a_sentence(monkeypatch, wish):
    monkeypatch.setenv("RNNKIT_LANES", wish)
    with pytest.raises(ValueError, match="RNNKIT_LANES is how many float32 a vector holds, a power of two"):
        machine.lanes(np.float32)


def test_other_numbers_than_floats_of_4_and_8_bytes_are_refused():
    with pytest.raises(ValueError, match="float32 or float64; got int64"):
        machine.lanes(np.int64)


def test_caches_are_read_from_the_system_and_have_defaults(tmp_path):
    for k, (kind, level, size) in enumerate([("Instruction", 1, "64K"), ("Data", 1, "48K"), ("Unified", 2, "2M")]):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, value in (("type", kind), ("level", level), ("size", size)):
            (folder / name).write_text(f"{value}\n")
    assert machine._sysfs(1, str(tmp_path)) == 48 << 10
    assert machine._sysfs(2, str(tmp_path)) == 2 << 20
    assert machine._sysfs(1, str(tmp_path / "nothing")) == 0
    assert 8 << 10 <= machine.cache_bytes(1) <= machine.cache_bytes(2)
    with pytest.raises(ValueError, match="level 1 and 2; got 3"):
        machine.cache_bytes(3)


def test_settings_of_the_compiler_bound_what_there_is():
    jobs = pytest.importorskip("thread_jobs")
    code = "from rnnkit_kernels.numba_cpu import machine; print(machine.lanes('f4'))"
    assert jobs.alone(code, NUMBA_CPU_FEATURES="+avx2,+fma,-avx512f") == "8"
    if machine.lanes(np.float32) > 4 and not machine._arm():
        assert jobs.alone(code, NUMBA_ENABLE_AVX="0") == "4"
