"""An optimizer's step for a GPU, run on the CPU: one launch for all parameters, which move as far to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_numbers import numbers, same
from nvrtc import NEEDS_NVRTC, compiled
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit.optimizers import SGD, Adagrad, Adam, Nadam, RMSprop
from rnnkit_kernels.cuda_gpu.elementwise import CudaElementwise
from rnnkit_kernels.cuda_gpu.rules import RULES
from rnnkit_kernels.cuda_gpu.source import assembled

CUDA = CudaElementwise(OnCpu())
DTYPES = ("float32", "float64")

# An optimizer, and the numbers of its rule at rate 0.01 in step t.
OPTIMIZERS: dict[str, tuple[Any, Any]] = {
    "sgd": (SGD(0.01), lambda o, t: (0.01,)),
    "momentum": (SGD(0.01, momentum=0.9), lambda o, t: (0.01, 0.9)),
    "nesterov": (SGD(0.01, momentum=0.9, nesterov=True), lambda o, t: (0.01, 0.9)),
    "adagrad": (Adagrad(0.01), lambda o, t: (0.01, 1e-7)),
    "rmsprop": (RMSprop(0.01), lambda o, t: o.compiled(0.01, t)[1]),
    "rmsprop_momentum": (RMSprop(0.01, momentum=0.5), lambda o, t: (0.01, 0.9, 1 - 0.9, 1e-7, 0.5)),
    "rmsprop_centered": (RMSprop(0.01, centered=True), lambda o, t: (0.01, 0.9, 1 - 0.9, 1e-7)),
    "rmsprop_momentum_centered": (
        RMSprop(0.01, momentum=0.5, centered=True),
        lambda o, t: (0.01, 0.9, 1 - 0.9, 1e-7, 0.5),
    ),
    "adam": (Adam(0.01), lambda o, t: o.compiled(0.01, t)[1]),
    "amsgrad": (Adam(0.01, amsgrad=True), lambda o, t: Adam(0.01).compiled(0.01, t)[1]),
    "nadam": (Nadam(0.01), lambda o, t: nadams(o, t)),
}
SHAPES = [(3,), (1,), (7, 5), (40, 60), (0,), (1024,), (3, 1025), ()]


def nadams(optimizer: Any, t: int) -> tuple[float, ...]:
    product = np.prod([optimizer._mu(k) for k in range(1, t + 1)]).item()
    now, after = optimizer._mu(t), optimizer._mu(t + 1)
    shares = 1 - optimizer.beta_1, 1 - optimizer.beta_2
    return 0.01, *shares, 1e-7, after / (1 - product * after), (1 - now) / (1 - product), 1 - optimizer.beta_2**t


class Counting(OnCpu):
    """A place that counts launches."""

    launched = 0

    def module(self, *args: str) -> Any:
        made = super().module(*args)
        inner = made.repeat

        def repeat(launches: Any, table: Any, steps: int) -> None:
            self.launched += len(launches) * steps
            inner(launches, table, steps)

        made.repeat = repeat
        return made


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_moves_all_parameters_in_one_launch_as_far_to_the_last_bit(name: str, dtype: str) -> None:
    optimizer, numbers_of = OPTIMIZERS[name]
    params = [numbers(shape, dtype, 7) for shape in SHAPES]
    params[3] = np.asfortranarray(params[3])
    params[2].flags.writeable = False
    state = optimizer.init(params)
    for t in (1, 2, 3):
        grads = [(numbers(p.shape, dtype, 10 * t + k) * 10.0 ** (t - 2)).astype(dtype) for k, p in enumerate(params)]
        grads[5][:3] = np.nan, np.inf, 0.0
        rows = list(zip(params, grads, *(state[slot] for slot in optimizer.slots), strict=True))
        before = [[a.copy() for a in row] for row in rows]
        place = Counting()
        with np.errstate(invalid="ignore"):
            found = CudaElementwise(place).moved(name, numbers_of(optimizer, t), rows)
            params, state = optimizer.step(params, grads, state)
        assert place.launched == 1
        for row, copies in zip(rows, before, strict=True):
            for a, copy in zip(row, copies, strict=True):
                same(a, copy)
        for new, *expected in zip(found, params, *(state[slot] for slot in optimizer.slots), strict=True):
            assert new is not None
            for a, b in zip(new, expected, strict=True):
                same(a, b)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("name", ["rmsprop_centered", "rmsprop_momentum_centered"])
def test_a_centered_variance_that_rounding_takes_below_zero_is_zero(name: str) -> None:
    optimizer, numbers_of = OPTIMIZERS[name]
    p = g = np.full(3, 0.5)
    slots = {"velocity": np.array([0.0, 0.2, np.nan]), "momentum": np.zeros(3), "average_gradient": np.full(3, 0.9)}
    kept = {slot: slots[slot] for slot in optimizer.slots}
    (found,) = CUDA.moved(name, numbers_of(optimizer, 1), [(p, g, *kept.values())])
    expected = optimizer.update(p, g, kept, 0.01, 1)
    assert found is not None
    same(found[0], expected.param)
    assert np.isfinite(found[0]).tolist() == [True, True, False]


@NEEDS_A_COMPILER
@pytest.mark.parametrize("optimizer", [Adam(0.01, weight_decay=0.1, global_clipnorm=0.5), RMSprop(0.01)], ids=repr)
def test_an_optimizer_takes_its_rule_from_here(optimizer: Any) -> None:
    params = [numbers(shape, "float32", 7) for shape in SHAPES]
    ours = numpys = (params, optimizer.init(params))
    for t in (1, 2, 3):
        grads = [numbers(shape, "float32", 10 * t + k) for k, shape in enumerate(SHAPES)]
        place = Counting()
        ours = optimizer.step(ours[0], grads, ours[1], CudaElementwise(place))
        numpys = optimizer.step(numpys[0], grads, numpys[1])
        assert place.launched == 1
        for a, b in zip(ours[0], numpys[0], strict=True):
            same(a, b)


def test_which_rules_there_are_and_what_they_take_is_known() -> None:
    assert set(OPTIMIZERS) == set(RULES)
    a = numbers((4,), "float32")
    assert CUDA.moved("another", (), [(a, a)]) == [None]
    assert CUDA.moved("adam", (0.1, 0.1, 0.1, 1e-7), []) == []
    with pytest.raises(ValueError, match="'sgd' has 1 numbers, got 2"):
        CUDA.moved("sgd", (0.1, 0.2), [(a, a)])
    with pytest.raises(ValueError, match=r"'adam' takes a parameter, its gradient and 2 slots, got 3 arrays"):
        CUDA.moved("adam", (0.1, 0.1, 0.1, 1e-7), [(a, a, a)])


@NEEDS_A_COMPILER
def test_rows_of_other_dtypes_are_left_and_each_of_ours_is_moved_in_its_own() -> None:
    single, double, half = (numbers((4,), dtype) for dtype in ("float32", "float64", "float16"))
    found = CUDA.moved("sgd", (0.1,), [(half, half), (single, single), (single, double), (double, double)])
    assert found[0] is found[2] is None
    assert found[1] is not None
    assert found[3] is not None
    same(found[1][0], single - 0.1 * single)
    same(found[3][0], double - 0.1 * double)


@NEEDS_A_COMPILER
def test_the_bits_do_not_depend_on_which_blocks_and_threads_come_first() -> None:
    rows = [(numbers((70, 40), "float32", k),) * 3 for k in range(3)]
    backwards = CudaElementwise(OnCpu(backwards=True)).moved("momentum", (0.1, 0.9), rows)
    for found, expected in zip(backwards, CUDA.moved("momentum", (0.1, 0.9), rows), strict=True):
        assert found is not None
        assert expected is not None
        for a, b in zip(found, expected, strict=True):
            same(a, b)


@NEEDS_NVRTC
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("real", ["float", "double"])
def test_every_rule_compiles_without_spills(real: str, architecture: str) -> None:
    _, usage = compiled(assembled(real, "rules.cuh", ""), architecture)
    assert usage.keys() == {f"step_{rule}" for rule in RULES}
    for name, taken in usage.items():
        assert (taken.stack, taken.spill_stores, taken.spill_loads) == (0, 0, 0), name
        assert taken.registers <= 96, name
