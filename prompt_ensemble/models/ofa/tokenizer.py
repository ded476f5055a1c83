"""Byte-level BPE as BART and GPT-2 have it, followed by OFA's image codes and position bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import cast

import tokenizers
from tokenizers.decoders import ByteLevel as ByteDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.core.records import reading
from prompt_ensemble.models.checkpoints import read_json

ADDED = [f"<code_{n}>" for n in range(8192)] + [f"<bin_{n}>" for n in range(1000)]
_BOS, _EOS, _UNKNOWN = "<s>", "</s>", "<unk>"
_SPECIALS = (_BOS, "<pad>", _EOS, _UNKNOWN, "<mask>")
_TIDIED = [(f" {mark}", mark) for mark in ".?!,"] + [(" ' ", "'")]
_TIDIED += [(f" {ending}", ending) for ending in ("n't", "'m", "'s", "'ve", "'re")]
_MOST_MERGES_BYTES = 64 * 2**20
"""More than a hundred times what BART's list of merges takes."""


class Tokenizer:
    """Text to ids and back."""

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        ids = dict(vocabulary)
        for token in ADDED:
            ids.setdefault(token, len(ids))
        self._tokens = {number: token for token, number in ids.items() if isinstance(number, int)}
        if self._tokens.keys() != set(range(len(ids))):
            raise ValueError(f"the {len(ids)} tokens are not numbered from 0 to {len(ids) - 1}")
        # Special tokens and image codes are words like any other here, so that a text in which
        # they are spelt out is encoded letter by letter.
        self._bpe = tokenizers.Tokenizer(BPE(ids, list(merges), unk_token=_UNKNOWN))
        self._bpe.pre_tokenizer = ByteLevel(add_prefix_space=False)
        self._decoder = ByteDecoder()
        self._bos, self._eos = ids[_BOS], ids[_EOS]
        self._specials = {ids[token] for token in _SPECIALS}
        self._added = {ids[token] for token in ADDED}

    def __len__(self) -> int:
        return len(self._tokens)

    def encode(self, text: str) -> list[int]:
        """Ids of the text between start and end."""
        encodable = text.encode(errors="replace").decode()  # half a surrogate pair becomes "?"
        return [self._bos, *self._bpe.encode(encodable).ids, self._eos]

    def decode(self, ids: Sequence[int], keep_specials: bool = False) -> str:
        """Text of the ids, without spaces before punctuation but with some around image codes."""
        kept = [number for number in ids if keep_specials or number not in self._specials]
        parts: list[str] = []
        for are_added, run in groupby(kept, self._added.__contains__):
            tokens = [self._tokens[number] for number in run]
            parts += tokens if are_added else [self._decoder.decode(tokens)]
        text = " ".join(parts)
        for untidy, tidy in _TIDIED:
            text = text.replace(untidy, tidy)
        return text


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in ``vocab.json`` and ``merges.txt`` of a folder."""
    words, merges = folder / "vocab.json", folder / "merges.txt"
    for path in (words, merges):
        if not path.is_file():
            raise MissingWeights(
                f"{path} is not there; an OFA tokenizer is vocab.json and merges.txt, "
                "copy both, or name the folder that has them"
            )
    vocabulary = cast(dict[str, int], read_json(words))  # Tokenizer checks the numbers
    missing = [token for token in _SPECIALS if token not in vocabulary]
    if missing:
        raise BadWeights(f"{words} has no {', '.join(missing)}; expected OFA's own vocabulary")
    pairs = _read_merges(merges)
    try:
        return Tokenizer(vocabulary, pairs)
    except Exception as error:  # tokenizers raises nothing more particular
        reason = " ".join(str(error).split())[:200]
        raise BadWeights(f"{words} or merges.txt is damaged ({reason}); copy both again") from error


def _read_merges(path: Path) -> list[tuple[str, str]]:
    """The pairs of tokens to join, below a line that names the version."""
    with reading(path, "the merges of byte-level BPE", BadWeights, _MOST_MERGES_BYTES):
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    pairs = (line.partition(" ") for line in lines)
    return [(left, right) for left, _, right in pairs if right]
