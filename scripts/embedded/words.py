"""Texts for left-out images, as the preset ``embedded`` and its parts say them, to be judged.

Each way of saying becomes a table of texts that ``prompt-ensemble evaluate`` reads.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.exact_index import ExactIndex
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import load_preset
from prompt_ensemble.words.answer import Speaker
from scripts.embedded.known_prompts import KnownPrompts

SHOWN = "shown"
"""The way in which the preset itself answers."""


def left_out_blend(folder: Path) -> Embeddings:
    """The preset's blend of left-out predictions, of those members that have any."""
    weights = load_preset("embedded").blend_weights
    files = {name: folder / f"{name}.safetensors" for name in weights}
    parts = {name: Embeddings.load(file) for name, file in files.items() if file.is_file()}
    return blend(parts, {name: weights[name] for name in parts})


def some_of(whole: Embeddings, images: int, seed: int = 1) -> Embeddings:
    """As many rows drawn at random, in their order; all if there are fewer."""
    chosen = np.random.default_rng(seed).permutation(len(whole.image_ids))[:images]
    return whole.take([whole.image_ids[row] for row in np.sort(chosen).tolist()])


def said_in_words(
    predicted: Embeddings,
    known: KnownPrompts,
    encode: Encode,
    roots: WeightRoots,
    progress: Progress = silent,
) -> dict[str, dict[str, str]]:
    """Way of saying → image id → text."""
    preset = load_preset("embedded").words
    assert preset is not None
    ways = {
        SHOWN: preset,
        "written": replace(preset, phrases=""),
        "composed of phrases": replace(preset, writer="", rounds=preset.rounds + 2),
    }
    placement = choose_placement("auto")
    said: dict[str, dict[str, str]] = {}
    for way, options in ways.items():
        speaker = Speaker(options, roots, placement)
        with progress(way, len(predicted.image_ids)) as advance:
            words = speaker.say(predicted, {}, {}, encode, advance=advance)
        said[way] = {
            image_id: lines[0].text
            for image_id, lines in zip(words.image_ids, words.lines, strict=True)
        }
    said["nearest known prompt"] = _nearest(predicted, known)
    return said


def _nearest(predicted: Embeddings, known: KnownPrompts) -> dict[str, str]:
    """Of each image the known prompt that is nearest to its blend."""
    index = ExactIndex()
    index.add(known.vectors)
    _, nearest = index.nearest(predicted.vectors)
    texts = (known.texts[row] for row in nearest.tolist())
    return dict(zip(predicted.image_ids, texts, strict=True))


def write_texts(said: Mapping[str, Mapping[str, str]], folder: Path) -> None:
    """A table for each way of saying."""
    for way, texts in said.items():
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow(["image_id", "prompt"])
        rows.writerows(texts.items())
        write_atomically(folder / f"{way.replace(' ', '-')}.csv", table.getvalue())
