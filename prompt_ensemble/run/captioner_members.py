"""Captioners as members, found by kind, by name or by path."""

from __future__ import annotations

from collections.abc import Mapping

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.members.captioners.layouts import find_captioner
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig
from prompt_ensemble.run.members import Member, make_member


def find_captioner_member(
    name: str, options: Mapping[str, object], roots: WeightRoots, batch_size: int = 16
) -> Member:
    """A captioner by its kind, its folder's name or its path, as a member."""
    kind, path = find_captioner(name, roots)
    return make_member(
        MemberConfig(kind, kind, str(path), batch_size=batch_size, options=options), roots
    )


def caption_predictor(member: Member) -> CaptionPredictor:
    """The member's predictor, which must be a captioner's."""
    if not isinstance(member.predictor, CaptionPredictor):
        raise BadConfig(f"member {member.name!r} is no captioner")
    return member.predictor
