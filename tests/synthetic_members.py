"""Members whose best blend is known, because the truth is made from it."""

from __future__ import annotations

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows


def known_optimum(
    members: int, images: int = 400, noise: float = 0.5, seed: int = 0
) -> tuple[dict[str, Embeddings], Embeddings, np.ndarray, float]:
    """Members, truth, the best weights and the score they reach.

    The truth is the blend by those weights plus noise at right angles to every member, so the
    score of any blend is its cosine to the best blend times a factor: the best is really best.
    """
    random = np.random.default_rng(seed)
    shared = random.normal(size=(images, 1, EMBEDDING_WIDTH))
    own = random.normal(size=(images, members, EMBEDDING_WIDTH))
    rows = shared + own
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    weights = random.dirichlet(np.full(members, 0.7))
    best = np.einsum("nkd,k->nd", rows, weights)
    best /= np.linalg.norm(best, axis=1, keepdims=True)
    basis = np.linalg.qr(rows.transpose(0, 2, 1))[0]
    aside = random.normal(size=(images, EMBEDDING_WIDTH))
    aside -= np.einsum("ndk,nk->nd", basis, np.einsum("ndk,nd->nk", basis, aside))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    truth = unit_rows(best + noise * aside)
    ids = tuple(f"i{number:04}" for number in range(images))
    parts = {f"m{k:02}": Embeddings.of(ids, rows[:, k]) for k in range(members)}
    return parts, Embeddings(ids, truth), weights, 1 / (1 + noise**2) ** 0.5


def noisy_members(
    noises: list[float], images: int = 600, seed: int = 0
) -> tuple[dict[str, Embeddings], Embeddings]:
    """Members that each see the truth through noise of their own, of so many times its length."""
    random = np.random.default_rng(seed)
    truth = unit_rows(random.normal(size=(images, EMBEDDING_WIDTH)))
    ids = tuple(f"i{number:04}" for number in range(images))
    parts = {}
    for number, noise in enumerate(noises):
        blur = random.normal(size=truth.shape) * noise / EMBEDDING_WIDTH**0.5
        parts[f"m{number}"] = Embeddings.of(ids, truth + blur)
    return parts, Embeddings(ids, truth)
