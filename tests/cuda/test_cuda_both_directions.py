"""Both directions of a layer on a GPU: kernels launched as one, the bits of each by itself. Run on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER
from on_the_double import OnTheDouble

from rnnkit import Context, layers
from rnnkit_kernels import cells
from rnnkit_kernels.backends import Backend, backend
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.missing import facts
from rnnkit_kernels.cuda_gpu.place import Launch
from rnnkit_kernels.cuda_gpu.together import at_once
from tests.kernels.device_double import Device

L = layers
B, T, F = 3, 5, 2
LEVELS, AT_ONCE = (0, 0), (132, 90)
DEVICES = pytest.mark.parametrize("gpu", [LEVELS, AT_ONCE], ids=["levels", "at once"])


class Watched(OnTheDouble):
    """repeated: (launches, steps) of recurrences, and whether they were asked for on the stream beside."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.repeated: list[tuple[tuple[Launch, ...], int, bool]] = []
        self.aside = False

    def module(self, *text: str) -> Any:
        made = super().module(*text)

        class Noting:
            @staticmethod
            def repeat(launches: Sequence[Launch], table: Any, steps: int) -> None:
                if launches[0].kernel.startswith(("forward_", "backward_")):
                    self.repeated.append((tuple(launches), steps, self.aside))
                made.repeat(launches, table, steps)

        return Noting

    @contextmanager
    def beside(self) -> Iterator[Any]:
        @contextmanager
        def other() -> Iterator[None]:
            self.aside = True
            yield
            self.aside = False

        yield other()


def on(place: Any) -> Backend:
    return Backend("cuda", "in place of a GPU", place)


class Case:
    """A layer with return_sequences and return_state, whose outputs are not merged, and what goes in."""

    def __init__(self, layer: Any, dtype: str = "float32", masked: bool = False, dropout: bool = False) -> None:
        rng = np.random.default_rng(7)
        first = layer.init(rng, (B, T, F), dtype)[0]
        self.params = {name: (w + 0.1 * rng.standard_normal(w.shape)).astype(dtype) for name, w in first.items()}
        self.layer, self.dropout, self.x = layer, dropout, rng.standard_normal((B, T, F)).astype(dtype)
        self.mask = np.arange(T) < np.array([5, 3, 4])[:, None] if masked else None

    def context(self, kernels: Backend, **how: Any) -> Context:
        rng = np.random.default_rng(3) if self.dropout else None
        return Context(kernels, mask=kernels.array(self.mask), rng=rng, **how)

    def there(self, kernels: Backend) -> tuple[dict[str, Any], Any]:
        return {name: kernels.array(w) for name, w in self.params.items()}, kernels.array(self.x)

    def owed(self, outs: Sequence[Any]) -> list[Any]:
        rng = np.random.default_rng(11)
        return [rng.standard_normal(y.shape).astype(y.dtype) for y in outs]

    def real(self, a: Any) -> Any:
        return a if self.mask is None else np.where(self.mask[..., None], a, 0)

    def both(self, kernels: Backend, **how: Any) -> dict[str, Any]:
        """What the layer gives, there and back, by name."""
        outs, back = self.layer(*self.there(kernels), self.context(kernels, **how))
        dparams, dx = back(tuple(map(kernels.array, self.owed(outs))))
        found = {f"out {k}": y for k, y in enumerate(outs)} | dparams | {"dx": dx}
        return {name: kernels.host(a) for name, a in found.items()}

    def each(self, kernels: Backend) -> dict[str, Any]:
        """The same of its two layers by themselves, one after the other."""
        ctx, (params, x), parts = self.context(kernels), self.there(kernels), self.layer.parts
        split = self.layer.split(params)
        (f, f_back), (b, b_back) = (part(split[name], x, ctx) for name, part in parts.items())
        (f, *f_states), (b, *b_states) = ([kernels.host(y) for y in outs] for outs in (f, b))
        outs = [self.real(f), self.real(b[:, ::-1]), *f_states, *b_states]
        df, db, *owed = self.owed(outs)
        cotangents = [self.real(df), *owed[: len(f_states)]], [self.real(db)[:, ::-1], *owed[len(f_states) :]]
        given = [tuple(kernels.array(np.ascontiguousarray(d)) for d in way) for way in cotangents]
        (dforward, dx), (dbackward, dx_back) = f_back(given[0]), b_back(given[1])
        gradients = self.layer.join({"forward": dforward, "backward": dbackward})
        found = {name: kernels.host(d) for name, d in gradients.items()}
        return {f"out {k}": y for k, y in enumerate(outs)} | found | {"dx": kernels.host(dx) + kernels.host(dx_back)}


def both_ways(kind: Any, *given: Any, **options: Any) -> Any:
    return L.Bidirectional(kind(*given, return_sequences=True, return_state=True, **options), None)


def assert_same_bits(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name, strict=True)


CASES = {
    "LSTM": lambda: Case(both_ways(L.LSTM, 5)),
    "masked, with dropout": lambda: Case(
        both_ways(L.LSTM, 5, dropout=0.3, recurrent_dropout=0.3), "float32", True, True
    ),
    "GRU that begins from what it has learned": lambda: Case(both_ways(L.GRU, 5, initial_state="learned")),
    "several levels": lambda: Case(both_ways(L.GRU, 5, reset_after=False), "float64", True),
    "row sums": lambda: Case(both_ways(L.LayerNormSimpleRNN, 19)),
}


@NEEDS_A_COMPILER
@DEVICES
@pytest.mark.parametrize("name", CASES)
def test_both_directions_are_launched_as_one_and_give_the_bits_of_each_alone(name: str, gpu: tuple[int, int]) -> None:
    place, alone = Watched(gpu=gpu), Watched(gpu=gpu)
    case = CASES[name]()
    assert_same_bits(case.both(on(place)), case.each(on(alone)))
    assert len(alone.repeated) == 4
    assert len(place.repeated) == 2
    for (launches, steps, aside), (other, wanted, _) in zip(place.repeated, alone.repeated[::2], strict=True):
        assert not aside
        assert steps == wanted == (1 if gpu == AT_ONCE else T)
        assert [launch.together for launch in launches] == [2] * len(launches)
        assert [launch.kernel for launch in launches] == [launch.kernel for launch in other]
        assert [launch.blocks for launch in launches] == [launch.blocks for launch in other]


@NEEDS_A_COMPILER
@pytest.mark.parametrize("gpu", [LEVELS, AT_ONCE], ids=["levels", "at once"])
def test_neither_the_order_of_blocks_nor_whose_they_are_makes_a_difference(gpu: tuple[int, int]) -> None:
    case = CASES["masked, with dropout"]()
    assert_same_bits(case.both(on(Watched(gpu=gpu, backwards=True))), case.each(on(Watched(gpu=gpu))))


@NEEDS_A_COMPILER
def test_a_gpu_that_one_direction_fills_gives_blocks_more_rows_and_the_same_bits() -> None:
    place, alone, case = Watched(gpu=(3, 90)), Watched(gpu=(3, 90)), Case(both_ways(L.LSTM, 70))
    assert_same_bits(case.both(on(place)), case.each(on(alone)))
    blocks = [launches[0].blocks[0] for launches, _, _ in (*place.repeated, *alone.repeated)]
    assert all(few < many for few in blocks[:2] for many in blocks[2:]), blocks


@NEEDS_A_COMPILER
@pytest.mark.parametrize(("back", "steps"), [(False, 32), (True, -32)])
def test_the_next_run_of_a_recording_begins_so_many_steps_on_for_both(back: bool, steps: int) -> None:
    place, program = OnTheDouble(), compiled_cell(cells.SimpleRNN(), back, Options(), B, 4)
    table = place.table([50] * (2 * program.layout.size))
    module: Any = program.module(place)
    module.launch(Launch(f"{program.prefix}_advance", (1, 1), 1, 0, together=2), table, steps)
    moved = np.flatnonzero(table != 50)
    assert list(moved) == [0, program.layout.size]
    assert list(table[moved]) == [50 + steps] * 2


OTHERS = {
    "units": lambda: L.LSTM(4, go_backwards=True, return_sequences=True, return_state=True),
    "cell": lambda: L.PeepholeLSTM(5, go_backwards=True, return_sequences=True, return_state=True),
    "recurrent dropout": lambda: L.LSTM(
        5, go_backwards=True, return_sequences=True, return_state=True, recurrent_dropout=0.5
    ),
}


@NEEDS_A_COMPILER
@DEVICES
@pytest.mark.parametrize("name", OTHERS)
def test_directions_with_other_kernels_run_beside_each_other(name: str, gpu: tuple[int, int]) -> None:
    forward = L.LSTM(5, return_sequences=True, return_state=True)
    case = Case(L.Bidirectional(forward, None, backward_layer=OTHERS[name]()), dropout=True)
    place = Watched(gpu=gpu)
    assert_same_bits(case.both(on(place)), case.each(on(Watched(gpu=gpu))))
    assert [aside for _, _, aside in place.repeated] == [True, False] * 2
    assert {launch.together for launches, _, _ in place.repeated for launch in launches} == {1}


@NEEDS_A_COMPILER
def test_what_the_textbook_takes_is_launched_by_nobody_and_clipped_directions_only_on_the_way_there() -> None:
    for options, count in (({"zoneout": 0.2}, 0), ({"gradient_clip": 1e-3}, 1)):
        case, place = Case(both_ways(L.LSTM, 5, **options), dropout=True), Watched()
        assert_same_bits(case.both(on(place)), case.each(on(Watched())))
        assert len(place.repeated) == count


@NEEDS_A_COMPILER
def test_whoever_looks_on_sees_both_directions_in_their_order() -> None:
    case, seen = CASES["LSTM"](), []

    def watch(layer: Any, tape: Any, path: str) -> Any:
        seen.append((path, tape.origin))
        return lambda grads: seen.append((path, sorted(grads.weights)))

    case.both(on(OnTheDouble()), watch=watch)
    weights = ["U", "W", "b"]
    assert seen == [("forward", "cuda"), ("backward", "cuda"), ("forward", weights), ("backward", weights)]


@NEEDS_A_COMPILER
def test_calls_of_other_sizes_or_kinds_are_not_made_at_once() -> None:
    kernel = on(OnTheDouble()).kernel(cells.SimpleRNN())

    def call(T: int = 2, B: int = 3, H: int = 4, dtype: str = "f", **options: Any) -> Any:
        weights = {"W": Device(np.ones((F, H), dtype)), "U": Device(np.ones((H, H), dtype))}
        x, state = Device(np.ones((T, B, F), dtype)), {"h": Device(np.zeros((B, H), dtype))}
        return kernel.forward_later(weights, x, state, **options)

    mask, drop = Device(np.ones((2, 3), bool)), Device(np.ones((3, 4), "f"))
    others = [call(T=3), call(B=2), call(H=5), call(dtype="d"), call(mask=mask), call(drop=drop)]
    for one in [*others, call(zone={"h": 0.5})]:
        assert at_once(call(), one) is None
        assert at_once(one, call()) is None
    tape = call()()[2]
    back = kernel.backward_later(tape, Device(np.ones((2, 3, 4), "f")))
    assert at_once(call(), back) is None
    (h, _, tape), (_, _, none) = at_once(call(), call(tape=False))  # type: ignore[misc]
    assert (h.shape, tape.origin, none) == ((2, 3, 4), "cuda", None)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_gives_the_bits_of_each_direction_alone_twenty_times(name: str) -> None:
    if (lacking := facts().missing) is not None:
        pytest.skip(f"needs a CUDA device: {lacking}")
    case, kernels = CASES[name](), backend("cuda")
    wanted = case.each(kernels)
    for _ in range(20):
        assert_same_bits(case.both(kernels), wanted)
