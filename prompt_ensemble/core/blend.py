"""The blend: the weighted mean of the members' unit rows, joined by image id, as unit rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig, MismatchedIds

PRIOR = "(prior)"
"""The prior among the parts of a blend; no member can have this name."""


def blend(parts: Mapping[str, Embeddings], weights: Mapping[str, float]) -> Embeddings:
    """Weighted mean of the members' directions, in the id order of the first member by name.

    Every member must have a weight and every weight a member; all members must have seen the
    same images, in whatever order.
    """
    _check_weights(parts, weights)
    names = sorted(parts)
    image_ids = parts[names[0]].image_ids
    total = np.zeros(parts[names[0]].vectors.shape, np.float32)
    for name in names:
        _check_same_images(names[0], image_ids, name, parts[name].image_ids)
        total += np.float32(weights[name]) * parts[name].take(image_ids).vectors
    return Embeddings.of(image_ids, total)


def _check_weights(parts: Mapping[str, object], weights: Mapping[str, float]) -> None:
    """Each member has exactly one weight, finite and not negative, and not all weights are 0."""
    if parts.keys() != weights.keys():
        unweighted = sorted(parts.keys() - weights.keys())
        absent = sorted(weights.keys() - parts.keys())
        raise BadConfig(
            f"the blend's members and weights differ: without weight {unweighted or 'none'}, "
            f"without predictions {absent or 'none'}; give each member exactly one weight"
        )
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            raise BadConfig(f"weight of {name!r} is {weight}; expected a finite number, 0 or more")
    if not any(weights.values()):
        raise BadConfig("all weights of the blend are 0; give at least one member a weight")


def _check_same_images(
    name: str, image_ids: tuple[str, ...], other: str, other_ids: tuple[str, ...]
) -> None:
    """Two members that are blended must have looked at the same images."""
    if set(image_ids) != set(other_ids):
        lone = sorted(set(image_ids) ^ set(other_ids))
        raise MismatchedIds(
            f"{name!r} and {other!r} saw different images: {len(lone)} are in only one of them, "
            f"first {lone[0]!r}; predict both on the same folder"
        )
