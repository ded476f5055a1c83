"""Captions as they come, batch after batch, kept so that a stopped run goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.images.survey import Album
from prompt_ensemble.run.ensemble import Member
from prompt_ensemble.run.inference_loop import run_batches
from prompt_ensemble.run.member_run import Run, full_identity
from prompt_ensemble.run.store import Shard, shard_key


def stream(member: Member, album: Album, run: Run) -> Iterator[Outputs]:
    """Outputs of every batch, in order; the model is loaded only if one is not in the store.

    A shard is a single batch here: captions are slow, and nobody wants to wait for a hundred.
    """
    identity = full_identity(member, run.placement, {})
    size = member.config.batch_size
    cuts = [album.good[start : start + size] for start in range(0, len(album.good), size)]
    shards = [Shard(cut, shard_key(cut, identity)) for cut in cuts]
    stored = {shard.key: run.store.load(member.name, shard) for shard in shards}
    made = make(member, [shard for shard in shards if stored[shard.key] is None], run)
    for shard in shards:
        outputs = stored[shard.key]
        yield next(made) if outputs is None else outputs


def make(member: Member, missing: list[Shard], run: Run) -> Iterator[Outputs]:
    """Look at the batches that are missing; each is in the store before it is handed on."""
    if not missing:
        return
    opened = member.predictor.open(run.placement, {})
    images = [image for shard in missing for image in shard.images]
    started = time.monotonic()
    batches = run_batches(opened, images, run.placement, member.config.batch_size, run.workers)
    for shard, outputs in zip(missing, batches, strict=True):
        run.store.save(member.name, shard, outputs, time.monotonic() - started)
        yield outputs
        started = time.monotonic()
