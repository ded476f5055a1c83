"""The report: one Markdown text for benchmarks/README.md and one JSON with all figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.gpu_check.checks import Row

MARKDOWN, JSON = "gpu_check.md", "gpu_check.json"


def write_report(out: Path, machine: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Both files."""
    out.mkdir(parents=True, exist_ok=True)
    content = {"machine": dict(machine), "rows": [asdict(row) for row in rows]}
    (out / JSON).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (out / MARKDOWN).write_text(markdown(machine, rows), encoding="utf-8")


def markdown(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    """A heading with the card's name and one table."""
    head = f"### {machine.get('name', 'unknown')}\n\n"
    rest = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "name")
    lines = ["| part | check | what | outcome | figures |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row.part, row.check, row.what, row.outcome, figures(row))
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return head + rest + "\n\n" + "\n".join(lines) + "\n"


def figures(row: Row) -> str:
    """Detail and numbers as one cell."""
    numbers = [f"{name} {number(value)}" for name, value in row.figures.items()]
    return "; ".join(([row.detail] if row.detail else []) + numbers)


def number(value: float | str) -> str:
    """Enough digits to compare."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
