"""Byte-level BPE as BART and GPT-2 have it, with OFA's image codes and position bins behind it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

from prompt_ensemble.core.errors import BadWeights, MissingWeights

ADDED = [f"<code_{n}>" for n in range(8192)] + [f"<bin_{n}>" for n in range(1000)]
BOS, PAD, EOS, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
CONTRACTION = re.compile("'(?:s|t|re|ve|m|ll|d)")
WORD = re.compile(r" ?L+| ?N+| ?O+|[S ]+(?![^S ])|[S ]+")
"""A word by the kinds of its characters (below); blanks leave their last one to the next word."""
TIDIED = [(f" {mark}", mark) for mark in ".?!,"] + [(" ' ", "'")]
TIDIED += [(f" {ending}", ending) for ending in ("n't", "'m", "'s", "'ve", "'re")]


@lru_cache(maxsize=1)
def byte_characters() -> dict[int, str]:
    """A printable character for each byte: itself if it is printable, else one beyond Latin-1."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable}
    return characters | {byte: chr(256 + place) for place, byte in enumerate(others)}


def kind(character: str) -> str:
    """Letter, number, blank, other space, or anything else."""
    if character == " ":
        return character
    if character.isspace():
        return "S"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "O"


def split_words(text: str) -> Iterator[str]:
    """Pieces that are encoded on their own; together they are the text."""
    kinds = "".join(map(kind, text))
    start = 0
    while start < len(text):
        match = CONTRACTION.match(text, start) or WORD.match(kinds, start)
        end = match.end() if match else start + 1
        yield text[start:end]
        start = end


class Tokenizer:
    """Text to ids and back."""

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self.ids = dict(vocabulary)
        for token in ADDED:
            self.ids.setdefault(token, len(self.ids))
        self.tokens = {number: token for token, number in self.ids.items()}
        self.added = {self.ids[token] for token in ADDED}
        self.specials = {self.ids[token] for token in (BOS, PAD, EOS, UNKNOWN, MASK)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.pieces_by_word: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def bytes_by_character(self) -> dict[str, int]:
        """Undoes ``byte_characters``."""
        return {character: byte for byte, character in byte_characters().items()}

    def encode(self, text: str) -> list[int]:
        """Ids of the text between start and end."""
        words = [number for word in split_words(text) for number in self.encode_word(word)]
        return [self.ids[BOS], *words, self.ids[EOS]]

    def encode_word(self, word: str) -> tuple[int, ...]:
        """Ids of one piece of text, remembered."""
        if word not in self.pieces_by_word:
            characters = byte_characters()
            letters = [characters[byte] for byte in word.encode(errors="replace")]
            pieces = self.merge(letters)
            unknown = self.ids[UNKNOWN]
            self.pieces_by_word[word] = tuple(self.ids.get(piece, unknown) for piece in pieces)
        return self.pieces_by_word[word]

    def merge(self, pieces: list[str]) -> list[str]:
        """Join neighbours, the earliest learnt pair first, until none is left."""
        while len(pieces) > 1:
            pairs = list(pairwise(pieces))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            pieces = joined(pieces, best)
        return pieces

    def decode(self, ids: Sequence[int], keep_specials: bool = False) -> str:
        """Text of the ids, spaces before punctuation removed."""
        parts: list[str] = []
        run: list[str] = []
        for number in ids:
            if number in self.added:
                parts += [self.text(run), self.tokens[number]]
                run = []
            elif keep_specials or number not in self.specials:
                run.append(self.tokens[number])
        text = " ".join(part for part in [*parts, self.text(run)] if part)
        for untidy, tidy in TIDIED:
            text = text.replace(untidy, tidy)
        return text

    def text(self, tokens: Sequence[str]) -> str:
        """What the tokens spell."""
        spelt = bytes(self.bytes_by_character[character] for character in "".join(tokens))
        return spelt.decode(errors="replace")


def joined(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """The pieces with every occurrence of the pair made one, from left to right."""
    out: list[str] = []
    place = 0
    while place < len(pieces):
        found = tuple(pieces[place : place + 2]) == pair
        out.append("".join(pair) if found else pieces[place])
        place += 2 if found else 1
    return out


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in ``vocab.json`` and ``merges.txt`` of a folder."""
    try:
        vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    except FileNotFoundError as error:
        raise MissingWeights(
            f"{error.filename} is not there; an OFA tokenizer is vocab.json and merges.txt, "
            "copy both, or name the folder that has them"
        ) from error
    except ValueError as error:
        raise BadWeights(f"{folder}/vocab.json or merges.txt is damaged ({error})") from error
    merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines) if right]
    missing = [token for token in (BOS, PAD, EOS, UNKNOWN, MASK) if token not in vocabulary]
    if missing:
        raise BadWeights(
            f"{folder}/vocab.json has no {', '.join(missing)}; expected OFA's own vocabulary"
        )
    return Tokenizer(vocabulary, merges)
