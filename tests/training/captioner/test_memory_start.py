"""A captioner that begins as a prompt writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tiny_writer import PREPROCESSING, TOWER, rows, save_tiny_writer
from torch.nn.functional import cosine_similarity

from prompt_ensemble.models.text_decoder.captioner import Captioner, CaptionerCard
from prompt_ensemble.models.text_decoder.writer import load_writer
from prompt_ensemble.training.captioner.memory_start import start_memory

TRUTH = rows(800)
FEATURES = (TRUTH @ np.random.default_rng(3).normal(size=(384, 384))).astype(np.float32)
"""Features in which the truth can be found again."""


@torch.no_grad()
def test_memory_begins_as_the_writer_would_read_the_truth(tmp_path: Path) -> None:
    writer, _, card = load_writer(save_tiny_writer(tmp_path))
    described = CaptionerCard(TOWER, PREPROCESSING, card.decoder, 384, rows=card.rows)
    captioner = Captioner(described).eval()
    wanted = writer.read(torch.from_numpy(TRUTH)).flatten(1)
    seen = torch.from_numpy(FEATURES)
    before = cosine_similarity(captioner.read(seen).flatten(1), wanted).mean()
    start_memory(captioner, writer, FEATURES, TRUTH, np.ones(len(TRUTH)))
    after = cosine_similarity(captioner.read(seen).flatten(1), wanted).mean()
    assert after > 0.5
    assert abs(before) < 0.2


@torch.no_grad()
def test_texts_without_a_chance_do_not_count(tmp_path: Path) -> None:
    writer, _, card = load_writer(save_tiny_writer(tmp_path))
    described = CaptionerCard(TOWER, PREPROCESSING, card.decoder, 384, rows=card.rows)
    chances = np.array([1.0] * 400 + [0.0] * 400)
    strange = np.concatenate([TRUTH[:400], rows(400, seed=8)])
    weights = []
    for truth in (TRUTH, strange):
        captioner = Captioner(described)
        start_memory(captioner, writer, FEATURES, truth, chances)
        weights.append(captioner.memory.weight)
    assert torch.allclose(*weights, atol=1e-5)
