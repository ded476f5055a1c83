"""Scores on the competition's seven public images: reported, never used to choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from prompt_ensemble.core.embeddings import Embeddings, Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.data.truth import load_prompts
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.find import find_images
from prompt_ensemble.models.image_towers.image_tower import frozen
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import load_regressor
from prompt_ensemble.models.weights import WeightRoots

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
    files = {file.image_id: file.path for file in find_images([folder])}
    missing = [image_id for image_id in ids if image_id not in files]
    if missing:
        raise BadConfig(f"{folder} lacks image {missing[0]!r}, which prompts.csv names")
    for name in models:
        model, card = load_regressor(roots.find(name).path, roots)
        pictures = [card.preprocessing.prepare(load_image(files[image_id])) for image_id in ids]
        model = Regressor(frozen(model.tower, torch.device("cpu")), model.head)
        with torch.inference_mode():
            rows = model(card.preprocessing.normalise(torch.stack(pictures))).numpy()
        yield name, rows


def _submitted_rows(folder: Path, ids: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Submissions that have all images, by their files' names."""
    for file in sorted(folder.glob("*_lb_*.csv")):
        submitted = read_submission(file)
        if set(submitted.image_ids) >= set(ids):
            yield file.stem, submitted.take(ids).vectors
