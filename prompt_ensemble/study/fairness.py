"""What makes a comparison unfair, as far as the captioners' folders tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.run.leakage import seen_sentence
from prompt_ensemble.study.learning_curves import LearningCurve
from prompt_ensemble.study.material import Material

LEAK = "LEAK"


def doubts(
    material: Material, captioners: Mapping[str, Path], curves: Mapping[str, LearningCurve]
) -> tuple[str, ...]:
    """A sentence for each captioner that was trained on these prompts, and for unlike trainings."""
    prompts = {image.image_id: image.prompts[0] for image in material.images}
    files = {name: path / TRAINED_ON for name, path in captioners.items()}
    told = [
        seen_sentence(name, SeenPrompts.load(file), material.image_ids, prompts)
        for name, file in files.items()
        if file.is_file()
    ]
    leaks = [sentence for sentence in told if sentence.startswith(LEAK)]
    return (*leaks, *_unlike(curves))


def _unlike(curves: Mapping[str, LearningCurve]) -> Sequence[str]:
    """What the noted trainings do not have in common."""
    found = []
    seen = {curve.images_seen for curve in curves.values()}
    if len(seen) > 1:
        told = ", ".join(f"{name} {curve.images_seen:,}" for name, curve in curves.items())
        found.append(f"The trainings saw unlike numbers of images: {told}")
    if len({curve.pairs for curve in curves.values()}) > 1:
        found.append("The trainings learnt from unlike listings of pairs")
    return found
