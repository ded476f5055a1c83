"""Pairs of an image and the prompt that made it, as a listing of JSON lines names them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.errors import BadConfig
from prompt_ensemble.files import file_digest


@dataclass(frozen=True)
class Pair:
    """One image, its prompt, and where they are from."""

    image: Path
    prompt: str
    source: str
    tier: str


@dataclass(frozen=True)
class Pairs:
    """All pairs of a listing, in its order."""

    rows: tuple[Pair, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def prompts(self) -> list[str]:
        """The prompt of each pair."""
        return [pair.prompt for pair in self.rows]

    @property
    def sources(self) -> np.ndarray:
        """The source of each pair, ``(N,)``."""
        return np.array([pair.source for pair in self.rows])

    @property
    def tiers(self) -> np.ndarray:
        """The tier of each pair, ``(N,)``."""
        return np.array([pair.tier for pair in self.rows])


def read_pairs(listing: Path, folders: Sequence[Path]) -> Pairs:
    """Pairs of a listing; images are looked for in ``folders``, else beside the listing."""
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"pairs {listing} cannot be read ({error})") from error
    roots = tuple(folders) or (listing.parent,)
    rows = tuple(
        read_pair(line, roots, f"{listing}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    )
    if not rows:
        raise BadConfig(f"{listing} holds no pairs; expected a JSON object a line")
    return Pairs(rows, file_digest(listing))


def read_pair(line: str, roots: Sequence[Path], where: str) -> Pair:
    """One line of a listing; ``image`` and ``prompt`` must be there."""
    try:
        record = json.loads(line)
        image, prompt = Path(record["image"]), str(record["prompt"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadConfig(
            f'{where} is no pair ({error!r}); expected {{"image": "a.jpg", "prompt": "…"}}'
        ) from error
    found = [root / image for root in roots if (root / image).is_file()]
    if not found:
        searched = ", ".join(map(str, roots))
        raise BadConfig(f"{where}: image {image} is not in {searched}; name its folder (--images)")
    return Pair(found[0], prompt, str(record.get("source", "")), str(record.get("tier", "A")))
