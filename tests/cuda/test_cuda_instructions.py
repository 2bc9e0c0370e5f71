"""The instructions that only a GPU has, read as a text: what stands for them on a CPU cannot show these mistakes."""

from __future__ import annotations

import re

import pytest

from rnnkit_kernels.cuda_gpu.source import part

_ASM = re.compile(r"asm( volatile)?\((.*?)\);", re.DOTALL)
_LETTERS = {"f32": "f", "f64": "d", "b32": "r", "b16": "h", "v2.f32": "f"}


def _found() -> list[tuple[bool, str, list[str], bool]]:
    """Of each instruction: whether it stays where it is, its text, the letters of its operands, and whether it says
    that it changes memory."""
    found = []
    for volatile, whole in _ASM.findall("".join(part(name) for name in ("device.cuh", "clusters.cuh"))):
        text = "".join(re.findall(r'"([^"]*)"', _before(whole)))
        operands = whole[len(_before(whole)) :]
        letters = re.findall(r'"[=+]?(\w)"\(', operands)
        found.append((bool(volatile), text, letters, '"memory"' in operands))
    return found


def _before(whole: str) -> str:
    """The text of an instruction, up to its operands: the first colon outside quotation marks."""
    inside = False
    for k, letter in enumerate(whole):
        inside ^= letter == '"'
        if letter == ":" and not inside:
            return whole[:k]
    return whole


FOUND = _found()


def test_every_instruction_is_read() -> None:
    assert len(FOUND) >= 16
    for _, text, letters, _ in FOUND:
        assert len(set(re.findall(r"%(\d)", text.replace("%%", "")))) == len(letters), text


@pytest.mark.parametrize(
    "instruction", ["mma.sync", "barrier.cluster", "cp.async", "st.shared::cluster", "globaltimer"]
)
def test_what_has_an_effect_or_all_lanes_make_together_stays_where_it_is(instruction: str) -> None:
    own = [volatile for volatile, text, *_ in FOUND if instruction in text]
    assert own
    assert all(own)


@pytest.mark.parametrize("instruction", ["barrier.cluster", "cp.async", "st.shared::cluster"])
def test_what_others_see_says_that_it_changes_memory(instruction: str) -> None:
    own = [memory for _, text, _, memory in FOUND if instruction in text]
    assert own
    assert all(own)


def test_what_is_put_into_other_blocks_is_as_wide_as_its_operand() -> None:
    kinds = {}
    for _, text, letters, _ in FOUND:
        for kind in re.findall(r"st\.shared::cluster\.([\w.]+)", text):
            assert letters[:2] == ["r", "r"]
            assert set(letters[2:]) == {_LETTERS[kind]}, text
            kinds[kind] = len(letters) - 2
    assert kinds == {"f32": 1, "f64": 1, "b32": 1, "b16": 1, "v2.f32": 2}


def test_the_first_of_a_pair_goes_into_the_lower_half() -> None:
    """PTX ISA, cvt: of two inputs, the first is stored in the upper half."""
    (pair,) = re.findall(
        r'cvt\.rn\.bf16x2\.f32 %0, %1, %2;" : "=r"\(bits\) : "f"\((\w+)\), "f"\((\w+)\)', part("device.cuh")
    )
    assert pair == ("high", "low")


@pytest.mark.parametrize(("factors", "length"), [("tf32", 8), ("bf16", 16)])
def test_a_tensor_core_adds_to_the_sums_that_it_is_given(factors: str, length: int) -> None:
    (text,) = [text for _, text, *_ in FOUND if f"m16n8k{length}." in text]
    assert text.startswith(f"mma.sync.aligned.m16n8k{length}.row.col.f32.{factors}.{factors}.f32 ")
    sums, a, b, added = re.findall(r"\{(.*?)\}", text)
    assert sums == added == "%0, %1, %2, %3"
    assert (a, b) == ("%4, %5, %6, %7", "%8, %9")
