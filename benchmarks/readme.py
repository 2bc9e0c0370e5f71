"""The README's section on speed, made from the saved results: nobody types a number."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

from . import machine
from .arguments import CELL_NAMES
from .results import FILE, Group, Row, load, mean_ratio

__all__ = ["BEGIN", "END", "placed", "renew", "section"]

BEGIN, END = "<!-- speed: python -m benchmarks --readme -->", "<!-- /speed -->"
_TIMED = {
    "training": "{label}, ({shape}), with Adam",
    "convolution": "{label}, B, T, C, filters, k, d = {shape}",
    "streaming": "{label}, one step of one row, F, H = {shape}",
}
_PEERS = ("Keras", "JAX", "ONNX")


def renew(readme: Path = machine.ROOT / "README.md", results: Path = FILE) -> int:
    """Draws the picture and replaces the section. Returns 0; 2, with a sentence, where something is missing."""
    if not results.exists():
        print(f"there are no results in {results}: run python -m benchmarks first", file=sys.stderr)
        return 2
    from . import pictures

    groups = load(results)
    picture = results.parent / pictures.FILE.name
    try:
        text = placed(readme.read_text(encoding="utf-8"), section(groups, os.path.relpath(picture, readme.parent)))
        pictures.draw(groups, picture)
    except (ValueError, ImportError) as error:
        print(f"{readme.name}: {error}", file=sys.stderr)
        return 2
    readme.write_text(text, encoding="utf-8")
    print(f"{readme} and {picture} are made from {results}")
    return 0


def placed(text: str, new: str) -> str:
    """The text with what stands between the two comments replaced. Raises ValueError where they are not there."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the comments {BEGIN} and {END} are needed, in this order")
    return f"{head}{BEGIN}\n{new.strip()}\n{END}{tail}"


def section(groups: dict[str, Group], picture: str = "") -> str:
    """Markdown: where it was measured, the picture, the grid's ratios, what else is timed, what it costs."""
    parts = [_where(groups)]
    if picture:
        parts.append(f"![Ratios to PyTorch by shape and cell, and how time grows]({picture})")
    if "recurrent" in groups:
        parts.append(_grid(groups))
    if any(name in groups for name in _TIMED):
        parts.append(_timed(groups))
    if "options" in groups:
        parts.append(_options(groups["options"]))
    parts.append("\n".join(f"- {line}" for line in _costs(groups)))
    return "\n\n".join(filter(None, parts))


def _where(groups: dict[str, Group]) -> str:
    about = next(iter(groups.values())).environment
    known = {"torch": "PyTorch", "numba": "Numba", "numpy": "NumPy"}
    versions = [f"{title} {about['versions'][name]}" for name, title in known.items() if name in about["versions"]]
    busy = any(row.busy for group in groups.values() for row in group.rows)
    text = (
        f"float32, {about['threads']} threads for everybody on {about['cpu']}; {', '.join(versions)}; {about['date']}."
        " A ratio is PyTorch's time over rnnkit's, in alternating blocks of one process: above 1 rnnkit is faster. Each"
        " row is held against the textbook in float64 before it is timed. `python -m benchmarks` (extra `bench`)"
        " measures all of it anew; `--quick` shows in seconds that it runs."
        + " A star: other processes took part of the machine."
        * busy
    )
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _grid(groups: dict[str, Group]) -> str:
    measures = [name for name in ("recurrent", "inference") if name in groups]
    titles = {"recurrent": "", "inference": " inference"}
    heads = [f"{cell}{titles[name]}" for name in measures for cell in CELL_NAMES]
    lines = [f"| B, T, F, H | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for shape in dict.fromkeys(row.shape for row in groups["recurrent"].rows):
        cells = [_ratio(groups[name], shape, cell) for name in measures for cell in CELL_NAMES]
        lines.append(f"| {', '.join(map(str, shape))} | {' | '.join(cells)} |")
    means = [mean_ratio(_of(groups[name], cell)) for name in measures for cell in CELL_NAMES]
    lines.append(f"| **geometric mean** | {' | '.join(f'**{_number(mean)}**' for mean in means)} |")
    return "\n".join(lines)


def _timed(groups: dict[str, Group]) -> str:
    lines = ["| forward + backward; a whole step; one row | rnnkit, ms | PyTorch, ms | ratio |", "|---|---:|---:|---:|"]
    for name, title in _TIMED.items():
        for row in groups[name].rows if name in groups else ():
            if row.ratio() is not None:
                what = title.format(label=row.label, shape=", ".join(map(str, row.shape)))
                times = " | ".join(f"{1e3 * row.values[who]:.4g}" for who in ("rnnkit", "PyTorch"))
                lines.append(f"| {what} | {times} | {_starred(row)} |")
    return "\n".join(lines)


def _options(group: Group) -> str:
    """Each option with its cost at every shape, one line."""
    lines = ["| time with an option over that without | narrow, wide | PyTorch |", "|---|---:|---:|"]
    for label in dict.fromkeys(row.label for row in group.rows):
        rows = [row for row in group.rows if row.label == label]
        costs = [_number(1 / ratio) + "*" * row.busy for row in rows if (ratio := row.ratio("option")) is not None]
        loops = [
            f"{row.values['loop'] / row.values['option']:.1f}" for row in rows if {"loop", "option"} <= set(row.values)
        ]
        beside = f"a loop over the steps takes {', '.join(loops)} times as long" if loops else ""
        lines.append(f"| {label} | {', '.join(costs) or 'failed'} | {beside} |")
    return "\n".join(lines)


def _costs(groups: dict[str, Group]) -> list[str]:
    lines = []
    for name, title in (("recurrent", "forward + backward"), ("inference", "inference")):
        found = [(peer, means) for peer in _PEERS if name in groups and (means := _peer(groups[name], peer))]
        if found:
            told = "; ".join(f"{peer} {', '.join(means)}" for peer, means in found)
            lines.append(f"Others, {title}, geometric means of the ratio to PyTorch: {told}.")
    for row in groups["start"].rows if "start" in groups else ():
        if row.shape and {"cold", "warm"} <= set(row.values):
            told = f"{row.values['cold']:.1f} s from an empty cache, {row.values['warm']:.2f} s from then on"
            lines.append(f"First gradients of a process, {row.label}, imports included: {told}.")
    if "memory" in groups and (
        ratios := [ratio for row in groups["memory"].rows if (ratio := row.ratio()) is not None]
    ):
        told = f"between {_number(min(ratios))} and {_number(max(ratios))} times rnnkit's"
        lines.append(f"PyTorch's peak of memory, forward + backward, is {told}.")
    return lines


def _peer(group: Group, peer: str) -> list[str]:
    means = {cell: mean_ratio(_of(group, cell), peer) for cell in CELL_NAMES}
    return [f"{cell} {_number(mean)}" for cell, mean in means.items() if mean == mean]


def _of(group: Group, cell: str) -> list[Row]:
    return [row for row in group.rows if row.label == cell]


def _ratio(group: Group, shape: tuple[int, ...], cell: str) -> str:
    found = [row for row in _of(group, cell) if row.shape == shape]
    if not found or found[0].ratio() is None:
        return "failed" if found and found[0].failed else "-"
    return _starred(found[0])


def _starred(row: Row) -> str:
    """The ratio, with a star where other processes disturbed it."""
    return f"{_number(row.ratio())}{'*' * row.busy}"


def _number(ratio: float | None) -> str:
    if ratio is None or ratio != ratio:
        return "-"
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"
