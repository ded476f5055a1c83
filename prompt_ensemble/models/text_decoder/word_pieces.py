"""How texts become a decoder's tokens and back: by pieces of our own, or a language model's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.language_model import NO_TOKEN
from prompt_ensemble.models.text_decoder.vocabulary import (
    END,
    PAD,
    START,
    TOKENIZER_FILE,
    UNKNOWN,
    encode_texts,
    framed,
    load_vocabulary,
    read_tokens,
)
from prompt_ensemble.models.transformers_folders import load_tokenizer, quiet, reader

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class WordPieces(ABC):
    """The tokens of one decoder."""

    start: int
    end: int
    never: tuple[int, ...]
    """Tokens that no text holds."""

    @abstractmethod
    def encode(self, texts: Sequence[str], longest: int) -> torch.Tensor:
        """``(N, T)`` tokens from start to end, padded; what does not fit is cut off."""

    @abstractmethod
    def read(self, tokens: Sequence[int]) -> str:
        """The text of these tokens, in one line."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what ``load_word_pieces`` reads."""


class OwnPieces(WordPieces):
    """Word pieces learnt from the texts of a training."""

    start, end = START, END
    never = (PAD, START, UNKNOWN)

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode(self, texts: Sequence[str], longest: int) -> torch.Tensor:
        return encode_texts(self.tokenizer, texts, longest)

    def read(self, tokens: Sequence[int]) -> str:
        return read_tokens(self.tokenizer, tokens)

    def save(self, folder: Path) -> None:
        write_atomically(folder / TOKENIZER_FILE, self.tokenizer.to_str())


class PublishedPieces(WordPieces):
    """A language model's, as its authors published them."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> None:
        """``vocabulary`` counts the model's rows, which may be more than its tokenizer's words."""
        self.tokenizer = tokenizer
        end = tokenizer.eos_token_id
        if not isinstance(end, int):
            raise BadWeights(
                f"the tokenizer in {tokenizer.name_or_path} names no eos_token, so captions could "
                "not end; name the folder of a language model that has one"
            )
        begin = tokenizer.bos_token_id
        self.end = end
        self.start = begin if isinstance(begin, int) else end
        special = [token for token in tokenizer.all_special_ids if token != end]
        self.never = (*special, *range(len(tokenizer), vocabulary))
        self._read = reader(tokenizer)

    def encode(self, texts: Sequence[str], longest: int) -> torch.Tensor:
        pieces = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return framed(pieces, longest, (self.start, self.end, NO_TOKEN))

    def read(self, tokens: Sequence[int]) -> str:
        return " ".join(self._read(list(tokens)).split())

    def save(self, folder: Path) -> None:
        with quiet():
            self.tokenizer.save_pretrained(folder)


def load_word_pieces(folder: Path, spec: DecoderSpec) -> WordPieces:
    """The words in the folder of a decoder."""
    if spec.kind == "language-model":
        return PublishedPieces(load_tokenizer(folder), spec.vocabulary)
    return OwnPieces(load_vocabulary(folder))
