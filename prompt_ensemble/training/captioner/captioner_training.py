"""Training of a captioner from pairs of images and texts, in one call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble import __version__
from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.data.thinning import Thinning, thin
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.image_towers.eight_bits import multiplies_exactly
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, describe_tower
from prompt_ensemble.models.regressor.views import View
from prompt_ensemble.models.text_decoder.captioner import Captioner, CaptionerCard, save_captioner
from prompt_ensemble.models.text_decoder.word_pieces import WordPieces
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig
from prompt_ensemble.run.members import make_member
from prompt_ensemble.training.captioner.examples import CaptionExamples
from prompt_ensemble.training.captioner.language_model import (
    choose_what_learns,
    merge_what_was_learnt,
)
from prompt_ensemble.training.captioner.memory_start import start_memory
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.captioner.start import (
    check_same_shape,
    check_start,
    start_of,
    started_captioner,
)
from prompt_ensemble.training.decoder_loop import DecoderLoop
from prompt_ensemble.training.held_out import HeldOut, split_rows
from prompt_ensemble.training.judged_captions import HELD_OUT, JudgedPairs
from prompt_ensemble.training.row_chances import row_chances
from prompt_ensemble.training.self_critical import (
    Reward,
    sound_closeness,
    train_self_critically,
)
from prompt_ensemble.training.tower_features import tower_features
from prompt_ensemble.training.writer.texts import plain_prompt


class _CaptionLoss(nn.Module):
    """The loss of a batch, as the loop wants it."""

    def __init__(self, captioner: Captioner, smoothing: float) -> None:
        super().__init__()
        self.captioner = captioner
        self.smoothing = smoothing

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the next tokens."""
        memory = self.captioner.read(features)
        smoothing = self.smoothing if self.training else 0.0
        return self.captioner.decoder.loss(tokens, memory, smoothing)


def fit_captioner(
    features: np.ndarray,
    texts: Sequence[str],
    truth: np.ndarray,
    chances: np.ndarray,
    tower: tuple[TowerSpec, Preprocessing],
    recipe: CaptionerRecipe,
    out: Path,
    *,
    roots: WeightRoots,
    reward: Reward,
    checkpoint_every: int = 500,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> tuple[Captioner, WordPieces, CaptionerCard]:
    """A captioner, its words and its description; resumes what ``out`` holds.

    ``truth`` holds unit rows of the texts; ``roots`` find what the recipe starts from; ``reward``
    is for the self-critical steps.
    """
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    torch.manual_seed(recipe.seed)
    start = start_of(texts, recipe, roots)
    squares = max(1, recipe.cells**2)
    width = features.shape[1] // squares
    record = {
        "recipe": asdict(recipe), "pairs": len(texts),
        "versions": {"prompt_ensemble": __version__, "torch": torch.__version__},
    }  # fmt: skip
    card = CaptionerCard(*tower, start.spec, width, recipe.cells, recipe.rows, record)
    check_same_shape(card, recipe, roots)
    captioner = Captioner(card)
    captioner.load_state_dict({**captioner.state_dict(), **start.weights})
    if start.writer and not recipe.cells and start.writer.rows == recipe.rows:
        start_memory(captioner, start.writer, features, truth, chances)
    choose_what_learns(captioner.decoder, recipe)
    device = accelerator.device
    rows = torch.from_numpy(features).to(device)
    tokens = start.words.encode(texts, min(start.spec.longest, recipe.longest))
    examples = CaptionExamples(
        rows, tokens.to(torch.int32).to(device),
        torch.from_numpy(np.cumsum(chances)).float().to(device),
        rows.float().std(0) * recipe.feature_noise,
    )  # fmt: skip
    loop = DecoderLoop(_CaptionLoss(captioner, recipe.smoothing), recipe, accelerator)
    loop.train(
        examples, out, checkpoint_every=checkpoint_every, stop_after=stop_after, progress=progress
    )
    loop.put(loop.average.state)
    left = None if stop_after is None else stop_after - recipe.steps
    if recipe.self_critical_steps and (left is None or left > 0):
        train_self_critically(
            captioner, start.words, examples, reward, recipe, out, accelerator,
            checkpoint_every=checkpoint_every, stop_after=left, progress=progress,
        )  # fmt: skip
    merge_what_was_learnt(captioner.decoder)
    return captioner.eval(), start.words, card


def train_captioner(
    pairs: Pairs,
    recipe: CaptionerRecipe,
    out: Path,
    *,
    encode: Encode,
    roots: WeightRoots,
    held_out: HeldOut | None = None,
    cache: Path | None = None,
    checkpoint_every: int = 500,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, resuming what ``out`` holds; returns the run's record, also in ``run.json``.

    The captioner is saved in ``out/captioner`` once all steps are taken.
    """
    held_out = held_out or HeldOut()
    check_start(recipe, roots)
    pairs = thin(pairs, Thinning(recipe.images_a, recipe.images_other))
    tower = describe_tower(recipe.library, recipe.tower, recipe.backbone, roots)
    truth = unit_rows(encode(pairs.prompts))
    training, judged = split_rows(pairs, truth, held_out)
    images, image_of = _distinct_images(pairs)
    features = _features(images, tower, recipe, pairs.digest, cache or out, roots, progress)
    texts = [plain_prompt(prompt) for prompt in pairs.prompts]
    training = np.array([row for row in training.tolist() if texts[row]], np.int64)
    if not len(training):
        raise BadConfig("no prompt to train on has two plain words or more; give other pairs")
    chances = row_chances(pairs.prompts, pairs.tiers.tolist(), recipe.shares())
    record: dict[str, Any] = {
        "recipe": asdict(recipe), "held_out": asdict(held_out), "pairs_sha256": pairs.digest,
        "pairs": len(pairs), "trained_on": len(training), "judged_on": len(judged),
        "versions": {"prompt_ensemble": __version__, "torch": torch.__version__},
    }  # fmt: skip
    write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")
    captioner, words, card = fit_captioner(
        features[image_of[training]], [texts[row] for row in training], truth[training],
        chances[training], tower, recipe, out, roots=roots,
        reward=sound_closeness(encode, truth[training]), checkpoint_every=checkpoint_every,
        stop_after=stop_after, cpu=cpu, progress=progress,
    )  # fmt: skip
    if stop_after is not None and stop_after < recipe.steps + recipe.self_critical_steps:
        return record
    folder = out / "captioner"
    save_captioner(captioner, words, replace(card, training=record), folder)
    if len(judged):
        rows, device = features[image_of[judged]], "cpu" if cpu else "auto"
        first = started_captioner(recipe, roots)
        before = captions_of(first, roots, rows, device) if first else None
        held = JudgedPairs(tuple(pairs.rows[row] for row in judged), truth[judged], encode)
        record |= held.write(captions_of(folder, roots, rows, device), before, out / HELD_OUT)
    SeenPrompts.of(pairs.prompts[row] for row in training).save(folder / TRAINED_ON)
    record["captioner"] = str(folder)
    write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")
    return record


def captions_of(
    folder: Path, roots: WeightRoots, features: np.ndarray, device: str = "auto"
) -> list[str]:
    """What a saved captioner says of these features, as a member of an ensemble says it."""
    options = {"features_from": "tower"}
    member = make_member(
        MemberConfig("captioner", "captioner", str(folder), 1.0, 64, options), roots
    )
    opened = member.predictor.open(choose_placement(device))
    said: list[str] = []
    for start in range(0, len(features), 64):
        rows = features[start : start + 64].astype(np.float32)
        ids = tuple(map(str, range(len(rows))))
        needed = {"tower": Outputs.of_vectors(ids, rows[:, :0], rows)}
        with torch.inference_mode():
            said += [lines[0].text for lines in opened.run(Batch(ids, needed=needed)).lines]
    return said


def _distinct_images(pairs: Pairs) -> tuple[list[Path], np.ndarray]:
    """Each image once, and for every pair the number of its image."""
    numbers: dict[Path, int] = {}
    image_of = [numbers.setdefault(pair.image, len(numbers)) for pair in pairs.rows]
    return list(numbers), np.array(image_of)


def _features(
    images: Sequence[Path],
    tower: tuple[TowerSpec, Preprocessing],
    recipe: CaptionerRecipe,
    digest: str,
    cache: Path,
    roots: WeightRoots,
    progress: Progress,
) -> np.ndarray:
    """The tower's features of the images in float16, from the cache if they are there."""
    parts = [digest, asdict(tower[0]), asdict(tower[1]), recipe.cells, multiplies_exactly()]
    parts += [recipe.images_a, recipe.images_other]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    file = cache / f"features-{key}.npy"
    if not file.exists():
        store = file.with_suffix(".store")
        rows = tower_features(images, *tower, View(), roots, store, progress, recipe.cells)
        part = file.with_suffix(".part.npy")
        np.save(part, rows.astype(np.float16))
        part.replace(file)
    features: np.ndarray = np.load(file)
    return features
