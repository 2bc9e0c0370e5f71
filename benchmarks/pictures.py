"""The picture of the results: ratios by shape and cell with the line of PyTorch's speed, and how time grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnkit.plots.figure import COLOURS, GREY, INK, new_figure, save_figure, style

from .arguments import CELL_NAMES
from .contenders import REFERENCE
from .results import Group, Row

__all__ = ["FILE", "draw"]

FILE = Path(__file__).resolve().parent / "results" / "speed.png"
_BARS = {"recurrent": "Forward + backward", "inference": "Inference"}
_SIZES = {"B": "rows B", "T": "steps T", "H": "units H", "threads": "threads"}


def draw(groups: dict[str, Group], path: Path = FILE) -> None:
    """Writes the picture of the groups that are there. Raises ImportError where matplotlib is missing."""
    bars = [name for name in _BARS if name in groups]
    scaled = "scaling" in groups
    figure = new_figure(11.5, 4.2 * bool(bars) + 3.4 * scaled)
    parts = list(
        figure.subfigures(bool(bars) + scaled, 1, squeeze=False, height_ratios=[4.2] * bool(bars) + [3.4] * scaled)[
            :, 0
        ]
    )
    if bars:
        panels = parts.pop(0).subplots(1, len(bars), squeeze=False)[0]
        for panel, name in zip(panels, bars, strict=True):
            _ratios(panel, _BARS[name], groups[name].rows)
    if scaled:
        _curves(parts.pop(0).subplots(1, len(_SIZES)), groups["scaling"].rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, path)


def _ratios(panel: Any, title: str, rows: Sequence[Row]) -> None:
    shapes = list(dict.fromkeys(row.shape for row in rows))
    width = 0.8 / len(CELL_NAMES)
    for k, cell in enumerate(CELL_NAMES):
        found = [(shapes.index(row.shape), row.ratio()) for row in rows if row.label == cell and row.ratio()]
        places = [place + (k - (len(CELL_NAMES) - 1) / 2) * width for place, _ in found]
        # Bars stand on the line of PyTorch's speed: what is slower hangs down from it.
        panel.bar(places, [ratio - 1 for _, ratio in found], width, bottom=1, color=COLOURS[k], label=cell)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    panel.axhline(1, color=INK, linewidth=1.2)
    style(panel, f"{title}: times as fast as {REFERENCE}", "B, T, F, H")
    panel.set_xticks(range(len(shapes)), [", ".join(map(str, shape)) for shape in shapes], rotation=40, ha="right")
    panel.legend(frameon=False, fontsize=9, labelcolor=GREY)


def _curves(panels: Any, rows: Sequence[Row]) -> None:
    for panel, (name, axis) in zip(panels, _SIZES.items(), strict=True):
        own = [row for row in rows if row.label.split()[0] == name]
        for k, contender in enumerate(("rnnkit", REFERENCE)):
            points = [(_size(row), 1e3 * row.values[contender]) for row in own if contender in row.values]
            if points:
                panel.plot(*zip(*points, strict=True), "o-", color=COLOURS[k], markersize=4, label=contender)
        panel.set_xscale("log", base=2 if name != "T" else 10)
        if name == "threads":
            panel.set_ylim(bottom=0)  # a few of them: what they save is read off a plain scale
        else:
            panel.set_yscale("log")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.xaxis.set_minor_formatter(lambda value, _: "")
        style(panel, "LSTM, ms" if name == "B" else "", axis)
    panels[0].legend(frameon=False, fontsize=9, labelcolor=GREY)


def _size(row: Row) -> int:
    """The size that changes along the curve of this row."""
    name, *rest = row.label.split()
    return int(rest[0]) if rest else row.shape["BTFH".index(name)]
