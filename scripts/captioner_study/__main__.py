"""``python -m scripts.captioner_study``: trains what ``make study-captioners`` compares.

The test images are whole groups of near-duplicate prompts that no training sees; of the rest each
training holds out groups of its own, by which it chooses its best weights.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import bar
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.pairs import Pair, Pairs, read_pairs
from prompt_ensemble.data.splits import hold_out
from prompt_ensemble.data.thinning import Thinning, thin
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.captioner.captioner_training import train_captioner
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.fine_tuning.fine_tuning import fine_tune
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.writer.texts import plain_prompt
from scripts.captioner_study.designs import (
    HEADS,
    LAYERS,
    WIDTH,
    save_untrained,
    save_untrained_writer,
    vocabulary,
)

TIERS = ("A", "photo")
ON_FEATURES = ("cross", "prefix")
"""BLIP's way to read an image, by cross-attention, and GIT's, in front of the words."""
DESIGNS = (*ON_FEATURES, "blip", "git")
PIECES = 3000
HELD_OUT = HeldOut(share=0.05)
_TEST_SHARE = 0.09
_LARGEST_GROUP = 60


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Listing of pairs.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder.")
@click.option("--steps", default=600, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", "seeds", multiple=True, default=(0, 1, 2), show_default=True, type=int)
@click.option("--design", "designs", multiple=True, default=ON_FEATURES, type=click.Choice(DESIGNS))
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1))
def main(
    data: Path,
    out: Path,
    steps: int,
    seeds: tuple[int, ...],
    designs: tuple[str, ...],
    threads: int,
) -> None:
    """Split the pairs, and train every design with every seed; a rerun continues."""
    torch.set_num_threads(threads)
    encoder = SentenceEncoder()
    training = out / "train.jsonl"
    if not training.is_file():
        _split(read_pairs(data, ()), out, encoder)
    pairs = read_pairs(training, ())
    for seed in seeds:
        for design in designs:
            run = out / f"{design}-{seed}"
            train = _train_on_features if design in ON_FEATURES else _train_on_pixels
            record = train(design, pairs, steps, seed, run, encoder)
            click.echo(f"{run}: held-out cosine {record['score']:.4f}")


def _train_on_features(
    design: str, pairs: Pairs, steps: int, seed: int, run: Path, encoder: SentenceEncoder
) -> dict[str, Any]:
    """A decoder on the frozen features of EfficientNet-Lite0."""
    recipe = CaptionerRecipe(
        library="lite-features", tower="0", backbone="efficientnet-lite0",
        vocabulary=PIECES, width=WIDTH, layers=LAYERS, heads=HEADS, longest=24, steps=steps,
        batch_size=32, rate=2e-3, smoothing=0.0, average=0.98, share_photo=0.5, seed=seed,
    )  # fmt: skip
    if design == "prefix":
        texts = [plain_prompt(prompt) for prompt in pairs.prompts]
        writer = save_untrained_writer(texts, PIECES, seed, run / "untrained")
        recipe = replace(
            recipe, decoder="language-model", language_model=str(writer), tuned="whole"
        )
    return train_captioner(
        pairs, recipe, run, encode=encoder.encode, roots=WeightRoots.usual(),
        held_out=HELD_OUT, cache=run.parent / "cache", cpu=True, progress=bar,
    )  # fmt: skip


def _train_on_pixels(
    design: str, pairs: Pairs, steps: int, seed: int, run: Path, encoder: SentenceEncoder
) -> dict[str, Any]:
    """BLIP or GIT itself, image tower and all, from random weights."""
    begun = save_untrained(design, vocabulary(pairs.prompts), seed, run / "untrained")
    return fine_tune(
        str(begun), pairs, _recipe(steps, seed), run, encode=encoder.encode,
        roots=WeightRoots.usual(), held_out=HELD_OUT, cpu=True, progress=bar,
    )  # fmt: skip


def _recipe(steps: int, seed: int) -> FineTuneRecipe:
    """The same for both designs."""
    return FineTuneRecipe(
        steps=steps, batch_size=32, rate=1.5e-3, tower_rate=1.5e-3, layer_decay=1.0, longest=20,
        smoothing=0.0, average=0.98, judge_every=200, judged_images=200, workers=0, seed=seed,
    )  # fmt: skip


def _split(pairs: Pairs, out: Path, encoder: SentenceEncoder) -> None:
    """``train.jsonl`` and ``test.jsonl``, which share no group of near-duplicate prompts.

    Of a large group, such as one of style templates, only some images take part: else chance
    would put a seventh of all images on one side at once.
    """
    thinner = thin(pairs, Thinning(images_a=3, images_other=1))
    rows = [row for row in thinner.rows if row.tier in TIERS]
    truth = unit_rows(encoder.encode([row.prompt for row in rows], progress=bar))
    groups = connected_groups(truth, progress=bar)
    kept = some_of_each(groups)
    is_test = hold_out(groups[kept], _TEST_SHARE)
    for name, part in (("test.jsonl", kept[is_test]), ("train.jsonl", kept[~is_test])):
        write_atomically(out / name, "".join(_line(rows[row]) for row in part.tolist()))


def some_of_each(groups: np.ndarray) -> np.ndarray:
    """Rows of which no group has more than ``_LARGEST_GROUP``, drawn by chance."""
    order = np.random.default_rng(0).permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, sizes)
    rows: np.ndarray = np.sort(order[place < _LARGEST_GROUP])
    return rows


def _line(pair: Pair) -> str:
    record = {
        "image": str(pair.image.absolute()), "prompt": pair.prompt, "source": pair.source,
        "tier": pair.tier,
    }  # fmt: skip
    return json.dumps(record, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
