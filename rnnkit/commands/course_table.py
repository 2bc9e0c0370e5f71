"""The table of all results that recipes left in a folder: Markdown to read, PNG to look at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import write_atomically
from ..plots.figure import BLUE, GREY, INK, new_figure, save_figure

__all__ = ["collect", "markdown", "summary", "write"]

_LIMIT = 1 << 20  # bytes of one recipe's scores: what is larger is not one
_ROW = 0.21  # inches


def collect(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """What the recipes of these names left in the folder, in their order; those that left nothing are skipped.

    Raises ValueError for a file that no recipe wrote.
    """
    found = []
    for name in names:
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > _LIMIT:
                raise ValueError("too large")
            told = json.loads(path.read_text("utf-8"))
            markdown([told])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{path} is not what a recipe leaves ({error}); remove it and run it again") from None
        found.append(told)
    return found


def write(found: list[dict[str, Any]], folder: Path) -> str:
    """Writes course.md and course.png, and returns the sentence that says so."""
    if not found:
        return f"nothing was scored, so {folder} has no table"
    write_atomically(folder / "course.md", f"{summary(found)}\n{markdown(found)}".encode())
    try:
        save_figure(_drawn(found), folder / "course.png")
    except ImportError as error:
        return f"table: {folder / 'course.md'}; no picture of it: {error}"
    return f"table: {folder / 'course.md'} and {folder / 'course.png'}"


def markdown(found: list[dict[str, Any]]) -> str:
    """A table a recipe: scores, recorded figures, seconds an epoch here and in the peer."""
    parts = []
    for told in found:
        columns = told["columns"]
        head = ["", *(name for column in columns for name in (column, "recorded")), "s an epoch", "peer"]
        lines = [f"### {told['title']}", "", _line(head), _line(["---", *["---:"] * (len(head) - 1)])]
        lines += [_line(_cells(row)) for row in told["rows"]]
        parts.append("\n".join([*lines, "", _remark(told)]))
    return "\n\n".join(parts) + "\n"


def summary(found: list[dict[str, Any]]) -> str:
    """Every model that has a recorded figure, by the last column with one; of other recipes the best, by the first."""
    lines = [_line(["recipe", "model", "scored by", "recorded", "here", "s an epoch", "in Keras"])]
    lines.append(_line(["---"] * 3 + ["---:"] * 4))
    for told in found:
        models = [row for row in told["rows"] if row["kind"] == "model"]
        rows = [row for row in models if any(known is not None for known in row.get("recorded") or ())]
        if not rows:
            best = min if told["better"] == "lower" else max
            scored = [row for row in models if row["values"][0] is not None]
            rows = [best(scored, key=lambda row: row["values"][0])] if scored else []
        for row in rows:
            known = row.get("recorded") or [None]
            k = max((k for k, value in enumerate(known) if value is not None), default=0)
            by = told["columns"][k] + (", higher is better" if told["better"] == "higher" else "")
            cells = _cells(row)
            name = f"`{told['name']}`"
            lines.append(_line([name, row["name"].strip(), by, cells[2 + 2 * k], cells[1 + 2 * k], *cells[-2:]]))
    return "\n".join(lines) + "\n"


def _remark(told: dict[str, Any]) -> str:
    seeds = int(told["seeds"])
    of = "one seed" if seeds == 1 else f"medians of {seeds} seeds"
    peers = {row["peer"]["name"] for row in told["rows"] if row.get("peer")}
    beside = f"; peer: {', '.join(sorted(peers))}" if peers else ""
    better = f"{told['better']} is better" + ("; a quick run, no result" if told["quick"] else "")
    return f"`{told['name']}`: {of}; {better}{beside}."


def _cells(row: dict[str, Any]) -> list[str]:
    known = row.get("recorded") or [None] * len(row["values"])
    scores = [_number(number) for pair in zip(row["values"], known, strict=True) for number in pair]
    peer = row.get("peer")
    seconds = f"{row['seconds']:.2f}" if "seconds" in row else ""
    return [row["name"], *scores, seconds, f"{peer['seconds']:.2f}" if peer else ""]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _drawn(found: list[dict[str, Any]]) -> Any:
    """The same as a picture: a block a recipe, what reaches its recorded figure in blue."""
    lines = sum(len(told["rows"]) + 2.6 for told in found)
    figure = new_figure(11, max(1.5, lines * _ROW + 0.3))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(lines, -0.5)
    at = 0.0
    for told in found:
        axes.text(0, at, told["title"], color=INK, fontsize=10, fontweight="bold")
        places = [0.42 + 0.14 * k for k in range(len(told["columns"]))]
        for place, column in zip(places, told["columns"], strict=True):
            axes.text(place + 0.06, at + 1, column, color=GREY, fontsize=8, ha="right")
        axes.text(0.92, at + 1, "s an epoch", color=GREY, fontsize=8, ha="right")
        axes.text(0.995, at + 1, "peer", color=GREY, fontsize=8, ha="right")
        for k, row in enumerate(told["rows"]):
            _draw_row(axes, at + 2 + k, row, places, told["better"])
        at += len(told["rows"]) + 2.6
    return figure


def _draw_row(axes: Any, at: float, row: dict[str, Any], places: list[float], better: str) -> None:
    cells = _cells(row)
    axes.text(0.01, at, row["name"], color=INK if row["kind"] == "model" else GREY, fontsize=8.5)
    for k, place in enumerate(places):
        value, known = row["values"][k], (row.get("recorded") or [None] * len(places))[k]
        met = None not in (value, known) and (value <= known if better == "lower" else value >= known)
        axes.text(place + 0.06, at, cells[1 + 2 * k], color=BLUE if met else INK, fontsize=8.5, ha="right")
        axes.text(place + 0.066, at, f"({cells[2 + 2 * k]})" if cells[2 + 2 * k] else "", color=GREY, fontsize=8)
    axes.text(0.92, at, cells[-2], color=INK, fontsize=8.5, ha="right")
    axes.text(0.995, at, cells[-1], color=GREY, fontsize=8.5, ha="right")
