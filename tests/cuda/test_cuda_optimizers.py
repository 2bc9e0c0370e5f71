"""An optimizer's step for a GPU, run on the CPU: one launch for all parameters, which move as far to the last bit."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np
import pytest
from cuda_numbers import numbers, same
from nvrtc import NEEDS_NVRTC, compiled
from on_cpu import NEEDS_A_COMPILER, OnCpu

from rnnkit import optimizers, schedules
from rnnkit.optimizers import SGD, Adam, RMSprop
from rnnkit_kernels.cuda_gpu.elementwise import CudaElementwise
from rnnkit_kernels.cuda_gpu.rules import RULES
from rnnkit_kernels.cuda_gpu.source import assembled

CUDA = CudaElementwise(OnCpu())
DTYPES = ("float32", "float64")
SHAPES = [(3,), (1,), (7, 5), (40, 60), (0,), (1024,), (3, 1025), ()]


def forms(kind: Any) -> list[Any]:
    """An optimizer with and without each of its flags and its momentum, with numbers that are not its usual ones."""
    fresh = {"momentum": (0.0, 0.7)}
    named = {f.name: (False, True) if f.type == "bool" else fresh.get(f.name) for f in fields(kind)}
    chosen = {name: values for name, values in named.items() if values is not None}
    usual = {"beta_1": 0.8, "beta_2": 0.99, "rho": 0.8, "epsilon": 1e-3, "initial_accumulator_value": 0.2}
    given = {name: value for name, value in usual.items() if name in named}
    return [kind(0.01, **given, **dict(zip(chosen, values, strict=True))) for values in product(*chosen.values())]


OPTIMIZERS = [form for kind in optimizers.ALL for form in forms(kind)]
BESIDE = [
    SGD(0.1, momentum=0.9, weight_decay=0.1), RMSprop(weight_decay=0.0),
    *(kind(schedules.ExponentialDecay(0.1, 2, 0.5), weight_decay=0.3) for kind in optimizers.ALL),
    Adam(0.01, weight_decay=0.1, global_clipnorm=0.5), Adam(0.01, clipnorm=0.5), SGD(0.01, clipvalue=0.1),
    SGD(0.01, gradient_accumulation_steps=2, weight_decay=0.1),
]  # fmt: skip


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
@pytest.mark.parametrize("optimizer", OPTIMIZERS + BESIDE, ids=repr)
def test_a_step_moves_all_parameters_in_one_launch_as_far_to_the_last_bit(optimizer: Any, dtype: str) -> None:
    params = [numbers(shape, dtype, 7) for shape in SHAPES]
    params[3] = np.asfortranarray(params[3])
    params[2].flags.writeable = False
    params[0][:] = 0.0, -0.0, np.inf
    state = optimizer.init(params)
    n = optimizer.gradient_accumulation_steps or 1
    for t in range(4):
        grads = [(numbers(p.shape, dtype, 10 * t + k) * 10.0 ** (t - 1)).astype(dtype) for k, p in enumerate(params)]
        if optimizer.clipnorm is optimizer.global_clipnorm is None:
            grads[5][:3] = np.nan, np.inf, 0.0
        given = [*params, *grads, *(a for slot in optimizer.slots for a in state[slot])]
        before = [a.copy() for a in given]
        place = Counting()
        with np.errstate(invalid="ignore"):
            found, found_state = optimizer.step(params, grads, state, CudaElementwise(place))
            params, state = optimizer.step(params, grads, state)
        assert place.launched == ((t + 1) % n == 0)
        for a, copy in zip(given, before, strict=True):
            same(a, copy)
        assert found_state.keys() == state.keys()
        for news, expected in [(found, params), *((found_state[slot], state[slot]) for slot in optimizer.slots)]:
            for a, b in zip(news, expected, strict=True):
                same(a, b)


def test_every_rule_is_that_of_an_optimizer_and_has_as_many_numbers_and_slots_as_that() -> None:
    named = {}
    for optimizer in OPTIMIZERS:
        rule, taken = optimizer.compiled(0.01, 1, optimizer.numbers | {"u_product": 0.5})
        named[rule] = (len(taken), len(optimizer.slots))
    assert named == RULES


@pytest.mark.parametrize("kind", optimizers.ALL, ids=lambda kind: kind.__name__)
def test_who_writes_a_rule_of_their_own_is_asked_for_it(kind: Any) -> None:
    @dataclass(frozen=True)
    class Still(kind):  # type: ignore[misc]
        def update(self, p: Any, g: Any, kept: Any, rate: float, t: int) -> Any:
            return optimizers.Updated(p, {slot: kept[slot] for slot in self.slots})

    params = [numbers((3,), "float32")]
    optimizer = Still(weight_decay=0.0)
    moved, _ = optimizer.step(params, params, optimizer.init(params), CUDA)
    same(moved[0], params[0])


@NEEDS_A_COMPILER
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_centered_variance_that_rounding_takes_below_zero_is_zero(momentum: float) -> None:
    optimizer = RMSprop(0.01, momentum=momentum, centered=True)
    p = g = np.full(3, 0.5)
    slots = {"velocity": np.array([0.0, 0.2, np.nan]), "momentum": np.zeros(3), "average_gradient": np.full(3, 0.9)}
    kept = {slot: slots[slot] for slot in optimizer.slots}
    found = optimizer.step(p, g, {"iterations": 0, **kept}, CUDA)[0]
    same(found, optimizer.update(p, g, kept, 0.01, 1).param)
    assert np.isfinite(found).tolist() == [True, True, False]


def test_which_rules_there_are_and_what_they_take_is_known() -> None:
    a = numbers((4,), "float32")
    assert CUDA.moved("another", (), [(a, a)], (0.1, 0.1)) == [None]
    assert CUDA.moved("adam", (0.1, 0.1, 0.1, 1e-7), []) == []
    with pytest.raises(ValueError, match="'sgd' has 1 numbers, got 2"):
        CUDA.moved("sgd", (0.1, 0.2), [(a, a)])
    with pytest.raises(ValueError, match=r"'adam' takes a parameter, its gradient and 2 slots, got 3 arrays"):
        CUDA.moved("adam", (0.1, 0.1, 0.1, 1e-7), [(a, a, a)])


@NEEDS_A_COMPILER
@pytest.mark.parametrize("decay", [None, (0.1, 0.5)])
def test_rows_of_other_dtypes_are_left_and_each_of_ours_is_moved_in_its_own(decay: Any) -> None:
    single, double, half = (numbers((4,), dtype) for dtype in ("float32", "float64", "float16"))
    found = CUDA.moved("sgd", (0.1,), [(half, half), (single, single), (single, double), (double, double)], decay)
    assert found[0] is found[2] is None
    for new, a in ((found[1], single), (found[3], double)):
        assert new is not None
        same(new[0], (a if decay is None else a - a * 0.1 * 0.5) - 0.1 * a)


@NEEDS_A_COMPILER
def test_what_no_kernel_takes_decays_once_too() -> None:
    params = [numbers((4,), dtype) for dtype in ("float16", "float32")]
    optimizer = SGD(0.5, weight_decay=0.1)
    found = optimizer.step(params, params, optimizer.init(params), CUDA)[0]
    for a, b in zip(found, optimizer.step(params, params, optimizer.init(params))[0], strict=True):
        same(a, b)


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
