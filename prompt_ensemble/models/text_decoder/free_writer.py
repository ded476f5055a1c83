"""Texts that a causal language model writes of itself, or as it goes on from a given start.

Each text has random numbers of its own, so that it does not depend on what is written beside it.
Models that expand prompts are published with a list of the words that they may say, each once
(``positive.txt`` beside the weights); that list is kept to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.text_decoder.language_model import causal_class
from prompt_ensemble.models.text_generation.cached_decoding import PrefixedDecoding
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.sampling import sample
from prompt_ensemble.models.transformers_folders import load_model, load_tokenizer, reader
from prompt_ensemble.models.weights import model_type

_WORDS = "positive.txt"
_COMMA = ","
_WORD_START = "Ġ"
"""What byte-level vocabularies write in place of the blank before a word."""


@dataclass(frozen=True, eq=False)
class FreeWriter:
    """A language model with its words."""

    model: Any
    tokens_of: Callable[[str], list[int]]
    read: Callable[[list[int]], str]
    begin: int
    """The token that texts begin behind."""
    end: int
    longest: int
    allowed: torch.Tensor | None
    """``(V,)``: whether a token may be said; all may if there is no list."""
    comma: int
    placement: Placement

    @torch.inference_mode()
    def write(self, starts: Sequence[str], generation: Generation, batch_size: int) -> list[str]:
        """A text for each start, which it contains; texts differ where starts are the same."""
        rows = [[self.begin, *self.tokens_of(start)] for start in starts]
        room = self.longest - (generation.max_new_tokens or 0)
        if room < 1:
            raise BadConfig(
                f"this model has positions for {self.longest} tokens, so that none would be left "
                f"for {generation.max_new_tokens} new ones; ask for fewer (--longest)"
            )
        rows = [row[:room] for row in rows]
        streams = _streams(starts, generation.seed)
        texts = [""] * len(starts)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))  # same lengths meet
        for batch in _of_one_length(order, rows, batch_size):
            prompt = torch.tensor([rows[number] for number in batch], device=self.placement.device)
            nothing = self.model.get_input_embeddings()(prompt[:, :0])  # no image before the words
            decoding: Any = PrefixedDecoding(self.model, nothing)
            if self.allowed is not None:
                decoding = _ListedWords(decoding, self.allowed, self.comma)
            with self.placement.autocast():
                found = sample(
                    decoding, prompt, self.end, generation, [streams[number] for number in batch]
                )
            for number, (text,) in zip(batch, found, strict=True):
                texts[number] = self.read([*rows[number][1:], *text.tokens]).rstrip(" ,")
        return texts


def open_free_writer(folder: Path, placement: Placement) -> FreeWriter:
    """A folder of transformers: GPT-2 and the like, or one that expands prompts."""
    with opening(folder):
        kind = model_type(folder)
        model = load_model(causal_class(kind), folder, kind).to(placement.device)
        tokenizer = load_tokenizer(folder)
    ends = model.config.eos_token_id
    end = ends[0] if isinstance(ends, list) else ends
    if end is None:
        raise BadWeights(f"{folder}/config.json names no eos_token_id, so texts could not end")
    begin = model.config.bos_token_id
    vocabulary = model.get_output_embeddings().weight.shape[0]
    words = tokenizer.get_vocab()
    comma = words.get(_COMMA)
    return FreeWriter(
        model,
        lambda text: tokenizer(text, add_special_tokens=False).input_ids if text else [],
        reader(tokenizer),
        end if begin is None else begin,
        end,
        getattr(model.config, "max_position_embeddings", None) or 1024,
        _allowed(folder / _WORDS, words, vocabulary, placement.device),
        end if comma is None else comma,
        placement,
    )  # fmt: skip


def _allowed(
    file: Path, words: dict[str, int], vocabulary: int, device: torch.device
) -> torch.Tensor | None:
    """Tokens that are words of the list, and the comma."""
    if not file.is_file():
        return None
    listed = {line.strip().lower() for line in file.read_text(encoding="utf-8").splitlines()}
    named = [words.get(_WORD_START + word) for word in listed - {""}] + [words.get(_COMMA)]
    known = [number for number in named if number is not None]
    if len(known) < 2:
        raise BadWeights(f"{file} lists no word of the model's vocabulary; copy the folder again")
    allowed = torch.zeros(vocabulary, dtype=torch.bool, device=device)
    allowed[known] = True
    return allowed


def _streams(starts: Sequence[str], seed: int) -> list[torch.Generator]:
    """Random numbers by the start and how often it came before."""
    seen: dict[str, int] = {}
    opened = []
    for start in starts:
        number = seen[start] = seen.get(start, -1) + 1
        digest = hashlib.sha256(f"{seed} {number} {start}".encode()).digest()
        opened.append(torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1))
    return opened


def _of_one_length(
    order: Sequence[int], rows: Sequence[Sequence[int]], size: int
) -> list[list[int]]:
    """Batches of rows that need no padding."""
    batches: list[list[int]] = []
    for number in order:
        last = batches[-1] if batches else []
        if last and len(last) < size and len(rows[last[0]]) == len(rows[number]):
            last.append(number)
        else:
            batches.append([number])
    return batches


class _ListedWords:
    """A decoding that may say words of a list, each once, and commas."""

    def __init__(self, decoding: PrefixedDecoding, allowed: torch.Tensor, comma: int) -> None:
        self.decoding = decoding
        self.allowed = allowed
        self.comma = comma
        self.left: torch.Tensor | None = None
        """``(R, V)``: what each text may still say."""

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of what may be said; minus infinity for the rest."""
        logits = self.decoding.step(tokens)
        if self.left is None:
            self.left = self.allowed.repeat(len(tokens), 1)
        self.left.scatter_(1, tokens, False)
        self.left[:, self.comma] = True
        return logits.masked_fill(~self.left, -torch.inf)

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows."""
        self.keep(rows)

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone, in their order."""
        self.decoding.keep(rows)
        assert self.left is not None
        self.left = self.left[rows]
