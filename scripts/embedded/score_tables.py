"""Scores as tables in Markdown, so that no number of a model card is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source_table(scores: Mapping[str, Any]) -> str:
    """Left-out sources: the first model with its interval, then all others and the controls."""
    first, *others = scores["mean"]
    rows = [
        [
            source, str(entry["images"]), str(entry["prompts"]),
            f"**{entry['scores'][first]:.4f}**", _interval_text(entry["interval"]),
            *(f"{entry['scores'][name]:.4f}" for name in others),
        ]
        for source, entry in scores["sources"].items()
    ]  # fmt: skip
    mean = scores["mean"]
    rows.append(
        ["**mean of sources**", "", "", f"**{mean[first]:.4f}**", ""]
        + [f"{mean[name]:.4f}" for name in others]
    )
    return _table(["source", "images", "prompts", first, "95% interval", *others], rows)


def margin_table(scores: Mapping[str, Any]) -> str:
    """Paired margins of the first model over all others and the controls."""
    rows = [
        [name, f"{margin['mean']:+.4f}", _interval_text(margin["interval"], "+")]
        for name, margin in scores["margin_over"].items()
    ]
    return _table(["margin over", "mean", "95% interval (prompts resampled in sources)"], rows)


def public_table(scores: Mapping[str, float]) -> str:
    """Mean cosine on the public images."""
    rows = [[name, f"{score:.4f}"] for name, score in scores.items()]
    return _table(["on the seven public images", "mean cosine"], rows)


def _interval_text(interval: Sequence[float], sign: str = "") -> str:
    low, high = interval
    return f"{low:{sign}.4f} to {high:{sign}.4f}"
