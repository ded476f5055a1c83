"""Pairs that nothing in the package has met, and what the members of the preset make of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.progress import bar
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.exact_index import far_from
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.run.ensemble import predict
from scripts.embedded.known_prompts import KnownPrompts

_OF_A_SOURCE = 60
"""Images at most, so that no series decides."""


def fresh_rows(pairs: Pairs, known: KnownPrompts, encode: Encode, weights: Path) -> np.ndarray:
    """Rows of pairs to judge on: one of each group of near-duplicate prompts, a few a source.

    None whose prompt a model below ``weights`` was trained on, or that is near to a known prompt.
    """
    vectors = encode(pairs.prompts)
    files = sorted(weights.glob(f"*/{TRAINED_ON}"))
    is_fresh = ~np.any([SeenPrompts.load(file).contains(pairs.prompts) for file in files], axis=0)
    fresh = set(np.intersect1d(np.flatnonzero(is_fresh), far_from(vectors, known.vectors)).tolist())
    groups = connected_groups(vectors)
    taken: set[int] = set()
    of_source: Counter[str] = Counter()
    rows = []
    for row in np.random.default_rng(0).permutation(len(pairs)).tolist():
        source, group = pairs.rows[row].source, int(groups[row])
        if row in fresh and group not in taken and of_source[source] < _OF_A_SOURCE:
            taken.add(group)
            of_source[source] += 1
            rows.append(row)
    return np.sort(rows)


def fresh_members(pairs: Pairs, rows: Sequence[int], out: Path) -> dict[str, Embeddings]:
    """What each member of the preset ``embedded`` predicts, by ids as of left-out rows."""
    images = [pairs.rows[row].image for row in rows]
    prediction = predict(images, out, config="embedded", words=False, progress=bar)
    ids = {path.stem: f"row{row:06}" for row, path in zip(rows, images, strict=True)}
    return {
        name: Embeddings.of(
            [ids[image_id] for image_id in result.embeddings.image_ids], result.embeddings.vectors
        )
        for name, result in prediction.members.items()
    }
