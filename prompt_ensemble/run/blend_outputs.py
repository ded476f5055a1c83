"""What an ensemble answers, as the outputs of one member, for members that build on it."""

from __future__ import annotations

from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.run.member_run import MemberOutputs
from prompt_ensemble.run.prediction import Prediction

BLEND = "(blend)"
"""Under which name members find it; no member of a configuration can be called so."""


def blend_outputs(prediction: Prediction) -> MemberOutputs:
    """The blend of each readable image as its vector, its prompt in words as a caption."""
    ids = tuple(image.image_id for image in prediction.album.good)
    rows = prediction.embeddings.take(ids).vectors
    prompts = prediction.prompts
    lines = tuple(
        (Line("caption", prompts[image_id].text, prompts[image_id].trust),)
        if image_id in prompts
        else ()
        for image_id in ids
    )
    identity = {name: dict(result.identity) for name, result in prediction.members.items()}
    weights = dict(prediction.weights.members)
    return MemberOutputs(Outputs(ids, lines, rows), {"members": identity, "weights": weights})
