"""The straight line: images → members, one after another on the device → store → blend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from prompt_ensemble.core.blend import PRIOR, blend
from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.images.survey import Album
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.deadline import Deadline, run_until
from prompt_ensemble.run.member_run import MemberResult, MemberRun, Run
from prompt_ensemble.run.members import Member
from prompt_ensemble.run.use_blend import gated_blend

log = logging.getLogger(__name__)
Results = Mapping[str, MemberResult]


def check_album(album: Album, prior: Embeddings | None) -> None:
    """Stop before anything expensive if images are bad and nothing may replace them."""
    if album.bad and prior is None:
        reasons = "\n".join(image.reason for image in album.bad)
        raise UnreadableImage(
            f"{reasons}\n{len(album.bad)} of {len(album.image_ids)} images cannot be read; mend or "
            "remove them, or fill their rows with --on-bad-image prior"
        )
    require_readable(album)


def leave_out_unreadable(album: Album) -> None:
    """A warning for each image without an answer; an error if that is all of them."""
    require_readable(album)
    for image in album.bad:
        log.warning("left out: %s", image.reason)


def require_readable(album: Album) -> None:
    """An error that says why, if no image can be read."""
    if not album.good:
        reasons = "".join(f"\n{image.reason}" for image in album.bad)
        raise UnreadableImage(
            f"none of the {len(album.bad)} images can be read; nothing to do{reasons}"
        )


def run_members(
    members: Sequence[Member], album: Album, run: Run, encode: Encode
) -> dict[str, MemberResult]:
    """Every member over the readable images, one on the device at a time."""
    results: dict[str, MemberResult] = {}
    for member in members:
        needed = {need: results[need] for need in member.predictor.needs()}
        member_run = MemberRun(member, album, run, needed)
        member_run.finish()
        results[member.name] = member_run.result(encode)
    return results


def run_members_until(
    ends: Deadline,
    members: Sequence[Member],
    album: Album,
    run: Run,
    encode: Encode,
    ready: Callable[[Results], object],
) -> tuple[Results, Mapping[str, str]]:
    """Members as far as time allows, and why others are left out.

    ``ready`` is given what there is: nothing at first, then the results after each member.
    """
    results: Results = {}
    skipped: Mapping[str, str] = {}
    ready(results)
    for timed in run_until(ends, members, album, run, encode):
        results, skipped = timed.results, timed.skipped
        ready(results)
    return results, skipped


def blend_members(results: Results, weights: BlendWeights, prior: Embeddings | None) -> Embeddings:
    """The members' embeddings as one, by fixed weights or by a gate."""
    if weights.gate:
        parts = {name: result.embeddings for name, result in results.items()}
        outputs = {name: result.outputs for name, result in results.items()}
        return gated_blend(parts, outputs, weights.gate, prior)
    shares = dict(weights.members)
    parts = {name: results[name].embeddings for name in shares}
    if prior and weights.prior:
        image_ids = next(iter(parts.values())).image_ids
        shares[PRIOR] = weights.prior
        parts[PRIOR] = repeated(prior, image_ids)
    return blend(parts, shares)


def assemble(
    results: Results, weights: BlendWeights, prior: Embeddings | None, album: Album
) -> Embeddings:
    """A row for every image: the blend of what there is, the prior where there is nothing."""
    if not results:
        return repeated(prior, album.image_ids)
    blended = blend_members(results, weights, prior)
    if not album.bad:
        return blended
    filler = repeated(prior, [image.image_id for image in album.bad])
    ids = (*blended.image_ids, *filler.image_ids)
    rows = np.concatenate([blended.vectors, filler.vectors])
    return Embeddings(ids, rows).take(album.image_ids)


def repeated(prior: Embeddings | None, image_ids: Sequence[str]) -> Embeddings:
    """The prior for each of these images."""
    assert prior is not None, "a run that may need the prior has loaded it"
    return Embeddings(tuple(image_ids), np.repeat(prior.vectors[:1], len(image_ids), axis=0))
