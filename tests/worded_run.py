"""A run with an answer in words, whoever finds the words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from colour_member import colour_ensemble

from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.run.prediction import Prediction

HOSTILE = '<b id="bad">bold</b> & "quoted" </script><script>problems.push("ran")</script>'
"""The prompt of the third image."""


def worded(images: Path | dict) -> Prediction:
    """A prediction whose images have the trusts 0.10, 0.11 … and the last one no prompt."""
    with load_ensemble(colour_ensemble(), device="cpu") as ensemble:
        prediction = ensemble.predict(images)
    ids = [image.image_id for image in prediction.album.good]
    lines = [
        [
            Line(
                "prompt", HOSTILE if number == 2 else f"a cat number {number}", 0.1 + number / 100
            ),
            Line("prompt", "a dog", 0.09),
            Line("known", f"an owl of image {number}", 0.5),
        ]
        for number in range(len(ids) - 1)
    ]
    return replace(prediction, words=Outputs.of_lines(ids, [*lines, []]))
