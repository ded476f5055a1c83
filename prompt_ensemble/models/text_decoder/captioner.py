"""A captioner of our own: a frozen image tower's features, made memory rows, and a decoder.

Features are the tower's one row an image (``cells`` is 0), or its map of the image averaged into
``cells`` by ``cells`` squares.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import (
    read_description,
    refuse_larger,
)
from prompt_ensemble.models.image_towers.image_tower import TowerSpec
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.decoder_kinds import build_decoder
from prompt_ensemble.models.text_decoder.packed_weights import load_weights, save_weights
from prompt_ensemble.models.text_decoder.word_pieces import WordPieces, load_word_pieces

_FORMAT = 1
DESCRIPTION = "captioner.json"
WEIGHTS = "captioner.safetensors"


@dataclass(frozen=True)
class CaptionerCard:
    """What a saved captioner consists of, and how it was trained."""

    tower: TowerSpec
    preprocessing: Preprocessing
    decoder: DecoderSpec
    features: int
    """Numbers in a row of the tower's features."""
    cells: int = 0
    """Squares a side that the tower's map is averaged into; 0 for its one pooled row."""
    rows: int = 8
    """Memory rows that a pooled row becomes."""
    training: dict[str, Any] = field(default_factory=dict)
    format: int = _FORMAT


class Captioner(nn.Module):
    """From features to text; the tower stands beside it."""

    def __init__(self, card: CaptionerCard) -> None:
        super().__init__()
        self.card = card
        width = card.decoder.width
        self.norm = nn.LayerNorm(card.features)
        self.memory = nn.Linear(card.features, width if card.cells else card.rows * width)
        self.places = nn.Parameter(torch.zeros(max(1, card.cells**2), width))
        self.decoder = build_decoder(card.decoder)

    def read(self, features: torch.Tensor) -> torch.Tensor:
        """``(B, F)`` rows, or ``(B, cells² F)`` maps, to ``(B, M, W)`` memory."""
        if self.card.cells:
            squares = features.unflatten(-1, (self.card.cells**2, self.card.features))
            seen: torch.Tensor = self.memory(self.norm(squares)) + self.places
            return seen
        spread = self.memory(self.norm(features))
        memory: torch.Tensor = spread.unflatten(-1, (self.card.rows, -1))
        return memory


def save_captioner(
    captioner: Captioner, words: WordPieces, card: CaptionerCard, folder: Path
) -> None:
    """Description, word pieces and weights, large matrices in eight bits; not the tower's."""
    save_weights(captioner, folder / WEIGHTS)
    words.save(folder)
    write_atomically(folder / DESCRIPTION, json.dumps(asdict(card), indent=1) + "\n")


def load_captioner(folder: Path) -> tuple[Captioner, WordPieces]:
    """A saved captioner in float32 on the CPU, and its word pieces."""
    card = read_captioner_card(folder)
    with torch.device("meta"):
        refuse_larger(Captioner(card), [folder])
    captioner = Captioner(card)
    load_weights(captioner, folder / WEIGHTS)
    return captioner.eval(), load_word_pieces(folder, card.decoder)


def read_captioner_card(folder: Path) -> CaptionerCard:
    """The description of a saved captioner, with every key checked."""
    return read_description(CaptionerCard, folder / DESCRIPTION, _FORMAT)
