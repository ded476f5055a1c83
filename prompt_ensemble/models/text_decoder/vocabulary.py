"""Word pieces of a text decoder: learnt from texts, kept in a ``tokenizer.json``.

Pieces carry their own blank, so whatever a decoder writes reads back as plain text: there is no
way to spell half a character or a piece marked as such.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from prompt_ensemble.core.errors import BadWeights

TOKENIZER_FILE = "tokenizer.json"
PAD, START, END, UNKNOWN = 0, 1, 2, 3
"""Tokens of every vocabulary, in this order."""
_ALPHABET = string.ascii_lowercase + string.digits + " ,.;:!?'&/+%$-"
"""Characters that every vocabulary can spell, whether its texts hold them or not."""
_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")


def learn_vocabulary(texts: Iterable[str], size: int) -> Any:
    """Byte-pair pieces of these texts, in lower case, as the sentence encoder reads them."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=_SPECIAL[UNKNOWN], fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(_SPECIAL),
        initial_alphabet=list(_ALPHABET),
        limit_alphabet=100,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load_vocabulary(folder: Path) -> Any:
    """The tokenizer of a decoder's folder."""
    from tokenizers import Tokenizer

    path = folder / TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception for whatever is wrong
        raise BadWeights(
            f"{path} is no tokenizer ({error}); copy the whole model folder again"
        ) from error
    if tuple(tokenizer.id_to_token(number) for number in range(len(_SPECIAL))) != _SPECIAL:
        raise BadWeights(f"{path} does not begin with {', '.join(_SPECIAL)}, as a decoder's must")
    return tokenizer


def encode_texts(tokenizer: Any, texts: Sequence[str], longest: int) -> torch.Tensor:
    """``(N, T)`` tokens from start to end, padded; what does not fit is cut off before the end."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return framed([one.ids for one in encodings], longest, (START, END, PAD))


def framed(
    pieces: Iterable[Sequence[int]], longest: int, marks: tuple[int, int, int]
) -> torch.Tensor:
    """``(N, T)`` tokens between a start and an end, then padding; ``marks`` are these three."""
    start, end, pad = marks
    rows = [[start, *row[: longest - 2], end] for row in pieces]
    width = max(map(len, rows), default=0)
    padded = [row + [pad] * (width - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.long).reshape(len(rows), width)


def read_tokens(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of these tokens, in one line."""
    text: str = tokenizer.decode(list(tokens), skip_special_tokens=True)
    return " ".join(text.split())
