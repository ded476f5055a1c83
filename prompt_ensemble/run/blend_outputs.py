"""What an ensemble answers, as the outputs of one member, for members that build on it."""

from __future__ import annotations

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.member_run import MemberOutputs
from prompt_ensemble.run.pipeline import Results

BLEND = "(blend)"
"""Under which name members find it; no member of a configuration can be called so."""
AGAINST_BLEND = {"captions_from": BLEND, "vectors_from": BLEND}
"""Options with which an interrogator starts from it and grows towards it."""


def blend_outputs(
    blend: Embeddings, words: Outputs | None, results: Results, weights: BlendWeights
) -> MemberOutputs:
    """The blend of each image as its vector, its prompt in words as a caption."""
    said = words.lines if words else ((),) * len(blend.image_ids)
    lines = tuple(
        tuple(Line("caption", line.text, line.score) for line in row if line.kind == "prompt")
        for row in said
    )
    identity = {name: dict(result.identity) for name, result in results.items()}
    outputs = Outputs(blend.image_ids, lines, blend.vectors)
    return MemberOutputs(outputs, {"members": identity, "weights": dict(weights.members)})
