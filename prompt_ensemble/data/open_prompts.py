"""What prompts of all kinds tell a head about where embeddings vary.

Two hundred prompts of a training source vary in ways of their own; a file of many people's prompts
knows better which directions of the space carry meaning and which are mostly noise.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.records import read_lines

MOST_PROMPTS = 10_000
"""Enough for a covariance of 384 numbers."""
FEWEST_PROMPTS = 3
_LEAST_VARIANCE = 0.01
"""Of the first direction's; smaller ones count as this."""


def read_open_prompts(file: Path) -> list[str]:
    """Prompts, one a line, evenly spread over the file."""
    lines = read_lines(file, "open prompts, one a line")
    if len(lines) < FEWEST_PROMPTS:
        raise BadConfig(f"open prompts {file} has {len(lines)} lines; expected thousands, one each")
    places = np.linspace(0, len(lines) - 1, min(MOST_PROMPTS, len(lines))).astype(int)
    return [lines[place] for place in places]


def open_prompt_rows(file: Path, encode: Encode, cache: Path) -> np.ndarray:
    """``(N, 384)`` embeddings of a file's prompts, computed once."""
    prompts = read_open_prompts(file)
    digest = hashlib.sha256("\n".join(prompts).encode()).hexdigest()
    kept = cache / f"open-prompts-{digest[:16]}.npy"
    if kept.is_file():
        known: np.ndarray = np.load(kept)
        return known
    rows = encode(prompts)
    part = kept.with_suffix(".part.npy")
    cache.mkdir(parents=True, exist_ok=True)
    np.save(part, rows)
    part.replace(kept)
    return rows


def damping_of(prompts: np.ndarray, power: float) -> np.ndarray:
    """``(384, 384)``: shortens a direction by its share of the first one's variance to ``power``.

    The first direction is left as it is.
    """
    variances, directions = np.linalg.eigh(np.cov(prompts.T.astype(np.float64)))
    lengths = np.clip(variances / variances.max(), _LEAST_VARIANCE, None) ** power
    damping: np.ndarray = (directions * lengths) @ directions.T
    return damping
