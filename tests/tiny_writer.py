"""Prompt writers and captioners small enough to train in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.images.preprocessing import HALF, Preprocessing
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.text_decoder.captioner import Captioner, CaptionerCard, save_captioner
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.vocabulary import learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces
from prompt_ensemble.models.text_decoder.writer import Writer, WriterCard, save_writer

TEXTS = (
    "a cat sleeping on a red sofa",
    "a dog running on the beach, oil painting",
    "a castle on a hill at night, fog",
    "portrait of an old man with a hat",
    "a bowl of fruit on a wooden table",
    "a robot in a neon city, cyberpunk",
    "a ship in a storm, dramatic light",
    "a field of flowers under a blue sky",
)
TOWER = TowerSpec("timm", "test_vit", None)
PREPROCESSING = Preprocessing(32, 32, HALF, HALF)


def tiny_spec(tokenizer: Any, kind: str = "transformer") -> DecoderSpec:
    return DecoderSpec(kind, tokenizer.get_vocab_size(), 16, 1, 2, 24, 0.0)  # type: ignore[arg-type]


def save_tiny_writer(folder: Path) -> Path:
    tokenizer = learn_vocabulary(TEXTS, 120)
    torch.manual_seed(0)
    card = WriterCard(tiny_spec(tokenizer), rows=2)
    save_writer(Writer(card), tokenizer, card, folder)
    return folder


def save_tiny_captioner(folder: Path, features: int = 5, cells: int = 0) -> Path:
    tokenizer = learn_vocabulary(TEXTS, 120)
    torch.manual_seed(0)
    card = CaptionerCard(TOWER, PREPROCESSING, tiny_spec(tokenizer), features, cells, rows=2)
    save_captioner(Captioner(card), OwnPieces(tokenizer), card, folder)
    return folder


def rows(count: int, seed: int = 0) -> np.ndarray:
    """Random unit rows."""
    drawn = np.random.default_rng(seed).normal(size=(count, EMBEDDING_WIDTH))
    return unit_rows(drawn.astype(np.float32))
