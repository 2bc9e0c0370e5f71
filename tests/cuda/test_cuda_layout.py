"""The table that kernels read: a word for each number and each array, under the names that their texts use."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

from kernel_cases import label

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.compiled import CompiledCell, compiled_cell
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.layout import NUMBERS, member, twin_of, twins

_MEMBER = re.compile(r"^  (long long|unsigned char|unsigned short|unsigned|real)(\*?) (\w+);$", re.MULTILINE)
_KINDS = {"levels": None, "bf16": None, "all steps": Division(19, 4, 2, 2)}


def _program(cell: Cell, back: bool, kind: str) -> CompiledCell:
    options = Options("float", True, True, "bf16" if kind == "bf16" else None)
    return compiled_cell(cell, back, options, 5, 19, _KINDS[kind])


def _members(struct: str) -> list[tuple[str, str, str]]:
    body = struct[struct.index("struct Call {") : struct.index("};")]
    found = _MEMBER.findall(body)
    assert len(found) == body.count(";")
    return found


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("kind", list(_KINDS))
def test_a_table_has_a_member_for_each_word_and_for_all_that_the_text_reads(cell: Cell, back: bool, kind: str) -> None:
    program = _program(cell, back, kind)
    layout, members = program.layout, _members(program.layout.struct)
    names = [name for _, _, name in members]
    assert names == [*NUMBERS, *map(member, layout.arrays)]
    assert len(set(names)) == len(names) == layout.size
    assert {name for name in names if name.startswith("s_")} == {f"s_{name}" for name in cell.state if name != "h"}
    assert set(re.findall(r"\bcall\.(\w+)", program.text)) <= set(names)
    for type_, star, name in members:
        expected = {"mask": "unsigned char", "twin": "unsigned short"}.get(name.partition("_")[0], "real")
        if name.startswith("panel_") and kind == "bf16":
            expected = "unsigned"
        assert (type_, star) == (("long long", "") if name in NUMBERS else (expected, "*")), name
    known = re.findall(r"lies_in_memory\(call\.(\w+)\)", layout.struct)
    assert known == names[len(NUMBERS) :]


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_weights_are_read_as_they_are_or_in_panels_and_twins_stand_beside_pairs_alone(cell: Cell, back: bool) -> None:
    levels, pairs, whole = (set(_program(cell, back, kind).layout.arrays) for kind in _KINDS)
    panels = {name for name in levels if name.startswith("panel.")}
    program = _program(cell, back, "bf16")
    products = [p for level in program.lowered.levels for p in level.products if p.operand != "x"]
    assert len(panels) == len(products) > 0
    assert whole == levels - panels | {"U"}
    assert pairs == levels | set(twins(program.lowered))
    assert set(twins(program.lowered)) == {twin_of(p.operand) for p in products}


def test_twins_are_named_after_what_they_hold() -> None:
    names = ("h", "n.h", "v.i", "d", "g.3")
    assert [twin_of(name) for name in names] == ["twin.h", "twin.h", "twin.v.i", "twin.g", "twin.g"]
    assert member("panel.0.1") == "panel_0_1"


class _Place:
    """A place whose arrays have given addresses, and that notes the words of tables."""

    def __init__(self) -> None:
        self.words: list[int] = []

    def address(self, array: Any) -> int:
        return int(array)

    def table(self, words: Any) -> Any:
        self.words = list(words)
        return words

    def module(self, *text: str) -> Any:
        return self

    def repeat(self, launches: Any, table: Any, steps: int) -> None:
        self.launches, self.steps = launches, steps


@pytest.mark.parametrize(("back", "first"), [(False, 0), (True, 6)], ids=["there", "back"])
def test_tables_of_several_calls_stand_behind_each_other_and_begin_where_the_way_does(back: bool, first: int) -> None:
    program, place = _program(cells.LSTM(), back, "levels"), _Place()
    arrays = program.layout.arrays
    given = [{name: np.int64(1000 * call + k) for k, name in enumerate(arrays[1:], 1)} for call in (1, 2)]
    program.run(place, (7, 5, 19), *given)  # type: ignore[arg-type]
    one, other = np.split(np.array(place.words), 2)
    size = len(NUMBERS)
    assert program.layout.size == len(one)
    for call, words in ((1, one), (2, other)):
        assert dict(zip(NUMBERS, words, strict=False)) == {"t": first, "steps": 7, "rows": 5, "units": 19}
        assert words[size] == 0, "what is not used has no address"
        assert (words[size + 1 :] == 1000 * call + np.arange(1, len(arrays))).all()
    assert place.steps == 7
    assert {launch.together for launch in place.launches} == {2}
