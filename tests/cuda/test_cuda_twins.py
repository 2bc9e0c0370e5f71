"""What levels of bf16 products store twice is what products read, and nothing else: every store takes time."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

from kernel_cases import label

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.emit.places import Options


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_each_operand_of_a_product_has_one_twin_that_is_stored_once(cell: Cell, back: bool) -> None:
    program = compiled_cell(cell, back, Options("float", True, True, "bf16"), 5, 19)
    read = {p.operand for level in program.lowered.levels for p in level.products} - {"x"}
    columns: set[int] = {int(name[2:]) for name in read if name.startswith("g.")}
    if "d" in read:
        assert program.lowered.gradient is not None
        columns |= set(range(*program.lowered.gradient.h_range))
    stores = re.findall(r"call\.twin_(\w+)\[(.*?)\] = bf16_of", program.text)
    wanted = ["g" for _ in columns] + [name.replace(".", "_") for name in read if name[0] in "hv"]
    assert sorted(name for name, _ in stores) == sorted(wanted)
    assert {int(found[1]) for name, at in stores if (found := re.search(r"\+ (\d+)\) \* padded", at))} == columns
