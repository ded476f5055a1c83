"""Scores as tables in Markdown, so that no number of a model card is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def source_table(scores: Mapping[str, Any]) -> str:
    """Left-out sources: the first model with its interval, then all else."""
    first, *others = scores["mean"]
    rows = [
        [
            source, str(entry["images"]), str(entry["prompts"]),
            f"**{entry['scores'][first]:.4f}**", said_interval(entry["interval"]),
            *(f"{entry['scores'][name]:.4f}" for name in others),
        ]
        for source, entry in scores["sources"].items()
    ]  # fmt: skip
    mean = scores["mean"]
    rows.append(
        ["**mean of sources**", "", "", f"**{mean[first]:.4f}**", ""]
        + [f"{mean[name]:.4f}" for name in others]
    )
    return table(["source", "images", "prompts", first, "95% interval", *others], rows)


def margin_table(scores: Mapping[str, Any]) -> str:
    """The first model over everything else, paired."""
    rows = [
        [name, f"{margin['mean']:+.4f}", said_interval(margin["interval"], "+")]
        for name, margin in scores["margin_over"].items()
    ]
    return table(["margin over", "mean", "95% interval (prompts resampled in sources)"], rows)


def public_table(scores: Mapping[str, float]) -> str:
    """Mean cosine on the public images."""
    rows = [[name, f"{score:.4f}"] for name, score in scores.items()]
    return table(["on the seven public images", "mean cosine"], rows)


def said_interval(interval: Sequence[float], sign: str = "") -> str:
    """Both ends."""
    low, high = interval
    return f"{low:{sign}.4f} to {high:{sign}.4f}"
