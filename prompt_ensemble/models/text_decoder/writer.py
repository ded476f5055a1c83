"""The prompt writer: from a 384-number embedding to texts that might have it.

It reads the embedding as a direction from the mean prompt, ``(v - m) / |v - m|``: a blend is damped
towards the mean by as much as it is unsure, and that says nothing of what the prompt is about.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import normalize

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import MissingWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.models.checkpoints import (
    read_description,
    refuse_larger,
)
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.decoder_kinds import build_decoder
from prompt_ensemble.models.text_decoder.packed_weights import load_weights, save_weights
from prompt_ensemble.models.text_decoder.vocabulary import TOKENIZER_FILE, load_vocabulary

_FORMAT = 1
DESCRIPTION = "writer.json"
WEIGHTS = "writer.safetensors"
DIRECTION_SCALE = EMBEDDING_WIDTH**0.5
"""Unit rows have numbers near 1/20; the layers behind expect them near 1."""


@dataclass(frozen=True)
class WriterCard:
    """What a saved writer consists of, and how it was trained."""

    decoder: DecoderSpec
    rows: int = 8
    """Memory rows that the embedding becomes."""
    training: dict[str, Any] = field(default_factory=dict)
    format: int = _FORMAT


class Writer(nn.Module):
    """An embedding, spread over some memory rows, and the decoder that attends to them."""

    centre: torch.Tensor
    """``(384,)``: the mean prompt."""

    def __init__(self, card: WriterCard) -> None:
        super().__init__()
        self.rows = card.rows
        self.memory = nn.Linear(EMBEDDING_WIDTH, card.rows * card.decoder.width)
        self.decoder = build_decoder(card.decoder)
        self.register_buffer("centre", torch.zeros(EMBEDDING_WIDTH))

    def read(self, vectors: torch.Tensor) -> torch.Tensor:
        """``(B, 384)`` embeddings to ``(B, M, W)`` memory."""
        directions = normalize(vectors - self.centre, dim=-1)
        spread: torch.Tensor = self.memory(directions * DIRECTION_SCALE)
        memory: torch.Tensor = spread.unflatten(-1, (self.rows, -1))
        return memory


def save_writer(writer: Writer, tokenizer: Any, card: WriterCard, folder: Path) -> None:
    """Description, word pieces and weights, large matrices in eight bits."""
    save_weights(writer, folder / WEIGHTS)
    write_atomically(folder / TOKENIZER_FILE, tokenizer.to_str())
    write_atomically(folder / DESCRIPTION, json.dumps(asdict(card), indent=1) + "\n")


def load_writer(folder: Path) -> tuple[Writer, Any, WriterCard]:
    """A saved writer in float32 on the CPU, its word pieces, and its description."""
    with opening(folder):
        card = read_writer_card(folder)
        with torch.device("meta"):
            refuse_larger(Writer(card), [folder])
        writer = Writer(card)
        load_weights(writer, folder / WEIGHTS)
        return writer.eval(), load_vocabulary(folder), card


def read_writer_card(folder: Path) -> WriterCard:
    """The description of a saved writer, with every key checked."""
    return read_description(WriterCard, folder / DESCRIPTION, _FORMAT)


def check_writer(folder: Path) -> None:
    """Complain about a folder that is not whole, without building the network."""
    read_writer_card(folder)
    load_vocabulary(folder)
    if not (folder / WEIGHTS).is_file():
        raise MissingWeights(f"{folder / WEIGHTS} is not there; copy the whole model folder")
