"""``blend.json``: tuned weights, and everything that says how far to trust them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.gate import Gate
from prompt_ensemble.core.intervals import Difference, Score
from prompt_ensemble.core.records import read_object
from prompt_ensemble.core.typed_tables import from_table

FORMAT = 1


@dataclass(frozen=True)
class Validation:
    """What weights were tuned on."""

    digest: str
    """SHA-256 of image ids, truth and folds: the same digest, the same judgement."""
    images: int
    groups: int
    folds: int


@dataclass(frozen=True)
class TriedMethod:
    """One way to weights, judged on folds it was not fitted to."""

    held_out: Score
    over_equal: Difference
    weights: Mapping[str, float]
    """Fitted to all images; for a gate those that it varies."""


@dataclass(frozen=True)
class TunedMember:
    """A member alone, and what the tuned blend loses without it."""

    alone: Score
    loss_without: Difference


@dataclass(frozen=True)
class TunedBlend:
    """Weights and their credentials."""

    weights: Mapping[str, float]
    """Share of each member, 0 or more; with ``prior_weight`` they sum to one."""
    prior_weight: float
    validation: Validation
    chosen: str
    """The tried method the weights are from."""
    held_out: Score
    over_best_single: Difference
    reasons: tuple[str, ...]
    """What was decided and why, and every doubt, in sentences."""
    methods: Mapping[str, TriedMethod]
    members: Mapping[str, TunedMember]
    correlations: Mapping[str, Mapping[str, float]]
    """Of the members' cosines over images: how alike their successes are."""
    similarities: Mapping[str, Mapping[str, float]]
    """Mean cosine between the members' predictions."""
    gate: Gate | None = None
    format: int = field(default=FORMAT)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> TunedBlend:
        """Read what ``save`` wrote, every key checked."""
        table = read_object(path, "a tuned blend")
        if table.get("format") != FORMAT:
            raise BadConfig(
                f"{path} is not a tuned blend of format {FORMAT}; 'prompt-ensemble tune' writes it"
            )
        return from_table(cls, table, str(path))
