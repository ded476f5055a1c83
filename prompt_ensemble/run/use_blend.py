"""A tuned blend put to use: its weights in place of a configuration's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from prompt_ensemble.core.certainty import agreement, text_confidence
from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.gate import Gate, gate_weights
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.pair_products import pair_products
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.run.config import RunConfig
from prompt_ensemble.run.tuned_blend import TunedBlend


def use_blend(config: RunConfig, path: Path) -> RunConfig:
    """The configuration with the weights of ``blend.json``; members it leaves out get 0."""
    tuned = TunedBlend.load(path)
    names = [member.name for member in config.members]
    for name in tuned.weights:
        if name not in names:
            raise BadConfig(
                f"{path} has a weight for {name!r}, which is no member of {config.name!r}; "
                f"{nearest_name(name, names)}"
            )
    return replace(
        config,
        members=tuple(
            replace(member, weight=tuned.weights.get(member.name, 0.0)) for member in config.members
        ),
        prior_weight=tuned.prior_weight,
        gate=asdict(tuned.gate) if tuned.gate else {},
        otherwise="",  # these weights say nothing of another ensemble's members
        weights_from=f"{path}: {tuned.chosen}, held out {tuned.held_out}, validation "
        f"{tuned.validation.digest[:12]}",
    )


def gated_blend(
    parts: Mapping[str, Embeddings],
    outputs: Mapping[str, Outputs],
    table: Mapping[str, object],
    prior: Embeddings | None,
) -> Embeddings:
    """The blend with weights of each image's own, by the certainty of all tuned members."""
    gate = from_table(Gate, table, "gate")
    names = sorted(parts)
    image_ids = parts[names[0]].image_ids
    ordered = [parts[name].take(image_ids).vectors for name in names]
    spoken = {name: outputs[name].take(image_ids) for name in names}
    signals = {**agreement(names, pair_products(ordered)), **text_confidence(spoken)}
    missing = sorted(set(gate.signals) - set(signals))
    if missing:
        raise BadConfig(
            f"the gate weighs by {missing[0]!r}, which this run does not have; use the ensemble "
            "that the blend was tuned for"
        )
    vectors = dict(zip(names, ordered, strict=True))
    total = np.zeros((len(image_ids), parts[names[0]].vectors.shape[1]), np.float32)
    for name, weights in zip(gate.members, gate_weights(gate, signals).T, strict=True):
        rows = vectors[name] if name in vectors else prior.vectors[:1] if prior else None
        if rows is None:
            raise BadConfig(f"the gate weighs {name!r}, which this run does not have")
        total += weights[:, None].astype(np.float32) * rows
    return Embeddings.of(image_ids, total)
