"""What members said, gathered by image: captions, and known prompts near to it."""

from __future__ import annotations

from collections.abc import Iterable

from prompt_ensemble.core.outputs import Line, Outputs


def lines_of_kind(kind: str, spoken: Iterable[Outputs]) -> dict[str, list[Line]]:
    """Image id to the lines of one kind, in the order of the members."""
    gathered: dict[str, list[Line]] = {}
    for outputs in spoken:
        for image_id, lines in zip(outputs.image_ids, outputs.lines, strict=True):
            gathered.setdefault(image_id, []).extend(line for line in lines if line.kind == kind)
    return gathered
