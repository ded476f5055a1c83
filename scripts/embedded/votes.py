"""The member ``vote``: judged on left-out sources, and put into ``weights/``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.votes.vote_predictor import VoteOptions, VotePredictor
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.error_model import ErrorModel
from prompt_ensemble.models.packed_bank import PackedBank
from prompt_ensemble.models.weights import WeightRoots
from scripts.embedded.known_prompts import KnownPrompts

VOTE = "embedded-vote"
OPTIONS = VoteOptions(vectors_from=("clip", "lites"), shares=(0.7731, 0.2269))
"""The blend that was tuned without a vote is what is voted on."""
_IMAGES_TOGETHER = 256


def left_out_votes(
    members: dict[str, Embeddings],
    true: np.ndarray,
    sources: np.ndarray,
    known: KnownPrompts,
    bank: PackedBank,
) -> Embeddings:
    """Votes for left-out images; how predictions of a source err is learnt from the others."""
    ids = members["clip"].image_ids
    blend = blended(members)
    votes = np.zeros_like(blend)
    with TemporaryDirectory() as folder:
        bank.save(Path(folder))
        for source in np.unique(sources):
            held = sources == source
            ErrorModel.fit(blend[~held], true[~held], known.vectors).save(Path(folder))
            votes[held] = _vote(Path(folder), members, [ids[row] for row in np.flatnonzero(held)])
    return Embeddings.of(ids, votes)


@torch.inference_mode()
def _vote(folder: Path, members: dict[str, Embeddings], ids: list[str]) -> np.ndarray:
    """What the member says of some images."""
    opened = VotePredictor(str(folder), OPTIONS, WeightRoots(())).open(choose_placement("cpu"))
    parts = []
    for start in range(0, len(ids), _IMAGES_TOGETHER):
        batch = tuple(ids[start : start + _IMAGES_TOGETHER])
        needed = {
            name: Outputs.of_vectors(batch, members[name].take(batch).vectors)
            for name in OPTIONS.vectors_from
        }
        parts.append(opened.run(Batch(batch, needed=needed)).vectors)
    return np.concatenate(parts)


def blended(members: dict[str, Embeddings]) -> np.ndarray:
    """Unit rows of the blend that is voted on, in the order of the first member's ids."""
    parts = {name: members[name] for name in OPTIONS.vectors_from}
    whole = blend(parts, dict(zip(OPTIONS.vectors_from, OPTIONS.shares, strict=True)))
    return whole.take(members["clip"].image_ids).vectors


def save_vote(
    members: dict[str, Embeddings],
    true: np.ndarray,
    known: KnownPrompts,
    bank: PackedBank,
    folder: Path,
) -> None:
    """The bank, and errors as all left-out sources show them."""
    bank.save(folder)
    ErrorModel.fit(blended(members), true, known.vectors).save(folder)
