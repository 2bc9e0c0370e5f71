"""What is made of the saved rows of a GPU: Markdown, with every contender, and a picture of the ratios."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..results import Group, load
from .rows import GpuRow

__all__ = ["FILE", "markdown", "write_beside"]

FILE = Path(__file__).resolve().parent.parent / "results" / "cuda.json"
_DRAWN = ("recurrent", "inference")


def write_beside(file: Path) -> list[Path]:
    """Writes the tables and the picture beside the saved rows, and returns what was written: without matplotlib, or
    without a row that was timed beside PyTorch, there is no picture."""
    groups = load(file, GpuRow)
    text = file.with_suffix(".md")
    text.write_text(markdown(groups), encoding="utf-8")
    drawn = {name: groups[name] for name in _DRAWN if name in groups}
    if not any(row.ratio() is not None for group in drawn.values() for row in group.rows):
        return [text]
    try:
        from .. import pictures

        pictures.draw(drawn, file.with_suffix(".png"))
    except ImportError:
        return [text]
    return [text, file.with_suffix(".png")]


def markdown(groups: dict[str, Group]) -> str:
    """A section for each group: where it was measured, its rows with every contender, and its notes."""
    return "\n\n".join(_section(name, group) for name, group in groups.items()) + "\n"


def _section(name: str, group: Group) -> str:
    about = group.environment
    where = f"{about.get('gpu', '')}, {about.get('date', '')}; times by device events, medians of blocks taken in turn."
    if name in ("constants", "divisions"):
        rows = _values(group.rows)
    else:
        rows = _table(group.rows)
    parts = [f"## {name}", where, rows, "\n".join(f"- {note}" for note in group.notes), _failures(group.rows)]
    return "\n\n".join(filter(None, parts))


def _table(rows: Sequence[GpuRow]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in (*row.values, *row.failed)))
    heads = ["case", "B, T, F, H", "kernel", "page, us/step", "floor, us/step"]
    heads += [f"{name}, us" for name in names] + ["rnnkit, us/step", "host, us"]
    heads += [f"{name} / rnnkit" for name in names if name != "rnnkit"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * 3}{'---:|' * (len(heads) - 3)}"]
    for row in rows:
        cells = [row.label, ", ".join(map(str, row.shape)), row.origin, _number(row.page), _number(row.floor)]
        cells += ["failed" if name in row.failed else _number(row.values.get(name), 1e6) for name in names]
        cells += [_number(row.step()), _number(row.host.get("rnnkit"), 1e6)]
        cells += [_number(row.over(name)) for name in names if name != "rnnkit"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _values(rows: Sequence[GpuRow]) -> str:
    """Rows whose values have names of their own: of one constant, or of each division."""
    lines = ["| case | of | values |", "|---|---|---|"]
    for row in rows:
        texts = [
            f"{name} {_number(value, 1 if name == 'number' else 1e6 / max(1, row.steps))}"
            for name, value in sorted(row.values.items(), key=lambda item: item[1])
        ]
        lines.append(f"| {row.label} | {', '.join(map(str, row.shape))} | {', '.join(texts) or 'failed'} |")
    return "\n".join(lines)


def _failures(rows: Sequence[GpuRow]) -> str:
    lines = [
        f"- {row.label} {row.shape}, {name} failed: {' '.join(why.split())}"
        for row in rows
        for name, why in row.failed.items()
    ]
    return "\n".join(lines)


def _number(value: float | None, scale: float = 1.0) -> str:
    return "-" if value is None else f"{scale * value:.4g}"
