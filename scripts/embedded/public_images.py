"""Scores on the competition's seven public images: reported, never used to choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.data.truth import load_prompts
from prompt_ensemble.images.find import find_images
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.ensemble import load_ensemble

PRIOR = "embedded-prior"


def public_scores(
    folder: Path, models: Sequence[str], encode: Encode, roots: WeightRoots
) -> dict[str, float]:
    """Mean cosine of saved regressors, the constant, and submissions that lie in the folder.

    The folder holds ``prompts.csv``, ``images/`` and perhaps submissions of others.
    """
    prompts = load_prompts(folder / "prompts.csv")
    ids = sorted(prompts)
    truth = unit_rows(encode([prompts[image_id] for image_id in ids]))
    answers = dict(_regressor_rows(folder / "images", ids, models, roots))
    prior = Embeddings.load(roots.find(PRIOR).path / "prior.safetensors").vectors
    answers["constant, open prompts"] = np.tile(prior, (len(ids), 1))
    answers |= dict(_submitted_rows(folder, ids))
    return {
        name: float(np.einsum("ij,ij->i", unit_rows(rows), truth).mean())
        for name, rows in answers.items()
    }


def _regressor_rows(
    folder: Path, ids: Sequence[str], models: Sequence[str], roots: WeightRoots
) -> Iterator[tuple[str, np.ndarray]]:
    """Each model's rows for the images of a folder."""
    files = [file for file in find_images([folder]) if file.image_id in ids]
    missing = sorted(set(ids) - {file.image_id for file in files})
    if missing:
        raise BadConfig(f"{folder} lacks image {missing[0]!r}, which prompts.csv names")
    for name in models:
        config = RunConfig(name, (MemberConfig(name, "regressor", name),))
        with load_ensemble(config, weights=roots.folders, device="cpu") as ensemble:
            yield name, ensemble.embed(files).take(ids).vectors


def _submitted_rows(folder: Path, ids: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Submissions that have all images, by their files' names."""
    for file in sorted(folder.glob("*_lb_*.csv")):
        submitted = read_submission(file)
        if set(submitted.image_ids) >= set(ids):
            yield file.stem, submitted.take(ids).vectors
