"""What a captioner generates with where the user sets nothing, as the commands print it."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.members.captioners.layouts import KINDS
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.weights import WeightRoots


def default_generation(kind: str, path: Path | None, roots: WeightRoots) -> Generation | None:
    """As the folder at ``path`` asks, or else as is published; None for kinds that do not speak."""
    if kind not in KINDS:
        return None
    captioner = predictor_class(kind)
    assert issubclass(captioner, CaptionPredictor)
    options = captioner.Options()
    if path is None:
        return captioner.published_for(options)
    return captioner(str(path), options, roots).generation


def published_lines() -> list[tuple[str, str]]:
    """Each kind and what it is published with."""
    roots = WeightRoots(())
    found = ((kind, default_generation(kind, None, roots)) for kind in KINDS)
    return [(kind, generation.brief()) for kind, generation in found if generation]
