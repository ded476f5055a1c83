"""Captions as they come, batch after batch, kept so that a stopped run goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prompt_ensemble.findings import Findings
from prompt_ensemble.inference import look_at
from prompt_ensemble.members import Member
from prompt_ensemble.observing import Run, full_identity
from prompt_ensemble.store import Shard, shard_key
from prompt_ensemble.survey import Album


def stream(member: Member, album: Album, run: Run) -> Iterator[Findings]:
    """Findings of every batch, in order; the model is loaded only if one is not in the store.

    A shard is a single batch here: captions are slow, and nobody wants to wait for a hundred.
    """
    identity = full_identity(member, run.placement, {})
    size = member.config.batch_size
    cuts = [album.good[start : start + size] for start in range(0, len(album.good), size)]
    shards = [Shard(cut, shard_key(cut, identity)) for cut in cuts]
    stored = {shard.key: run.store.load(member.name, shard) for shard in shards}
    made = make(member, [shard for shard in shards if stored[shard.key] is None], run)
    for shard in shards:
        findings = stored[shard.key]
        yield next(made) if findings is None else findings


def make(member: Member, missing: list[Shard], run: Run) -> Iterator[Findings]:
    """Look at the batches that are missing; each is in the store before it is handed on."""
    if not missing:
        return
    looker = member.predictor.open(run.placement, {})
    images = [image for shard in missing for image in shard.images]
    started = time.monotonic()
    batches = look_at(looker, images, run.placement, member.config.batch_size, run.workers)
    for shard, findings in zip(missing, batches, strict=True):
        run.store.save(member.name, shard, findings, time.monotonic() - started)
        yield findings
        started = time.monotonic()
