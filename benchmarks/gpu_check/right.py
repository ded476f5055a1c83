"""Does the package do on the card what it does on the processor? Tiny models of every kind."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from PIL import Image

from benchmarks.gpu_check.checks import STATED, Check, Found, Steps, verdict
from benchmarks.gpu_check.models import CAPTIONERS, KINDS, Settings, ensemble_of, paint
from benchmarks.gpu_check.runs import (
    Interrupted,
    equal_texts,
    first_logits,
    interrupt_after,
    results_of,
    run_in_time,
    shards_in,
    shards_of,
    smallest_cosine,
    texts,
)
from benchmarks.gpu_check.syncs import NETWORK, SEARCH, count_waits
from prompt_ensemble.core.outputs import Outputs, join
from prompt_ensemble.images.find import find_images
from prompt_ensemble.members.contract import Batch, OpenedModel
from prompt_ensemble.models.device import choose_placement, release
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import RunConfig
from prompt_ensemble.run.inference_loop import run_batches
from prompt_ensemble.run.members import open_members

SAME = 0.9999
"""Smallest cosine in float32 of the card to the processor."""
LATE_BY = 0.5
"""Of the time allowed: what a batch under way may take beyond it."""
READ_OUT = 4
"""Waits for a batch's finished captions."""


def checks(settings: Settings) -> list[Check]:
    """Those of the part *right*."""
    alone = {
        "out of memory": ("batches halve, nothing is lost", out_of_memory, 2.0),
        "two workers": ("share one device", two_workers, 4.0),
        "deadline": ("is kept, with a row for every image", deadline, 2.0),
    }
    return [
        *(
            Check(
                "right",
                f"precisions of {kind}",
                partial(precisions, settings, kind),
                6.0 if kind == KINDS[0] else 3.0,  # the first also waits until the device is awake
            )
            for kind in KINDS
        ),
        *(
            Check("right", f"waits of {kind}", partial(only, "inside loops", waits, settings, kind))
            for kind in CAPTIONERS
        ),
        Check("right", "resumed on another device", partial(resumed, settings), 2.0),
        *(
            Check("right", name, partial(only, what, look, settings), share)
            for name, (what, look, share) in alone.items()
        ),
    ]


def only(what: str, look: object, *given: object) -> Steps:
    """A check of one thing."""
    yield what, partial(look, *given)  # type: ignore[arg-type]


def pictures(settings: Settings) -> int:
    """Enough for several batches."""
    return 6 if settings.toy else 24


def precisions(settings: Settings, kind: str) -> Steps:
    """Each precision on the device against float32 on the processor."""
    images = paint(settings.folder / "few", 2 if settings.toy else 24)
    config = ensemble_of(kind, settings.folder)
    out = settings.folder / "precisions" / kind
    cpu = choose_placement("cpu", "fp32")
    reference = results_of(config, images, out / "reference", "cpu").outputs
    logits = first_logits(config, images, cpu) if kind in CAPTIONERS else None

    def look(precision: str) -> Found:
        device = settings.device
        found = results_of(config, images, out / precision, device, precision).outputs
        rows, expected = found.vectors, reference.vectors
        if logits is not None:
            rows = first_logits(config, images, choose_placement(device, precision))
            expected = logits
        return compare(precision, found, reference, rows, expected)

    for precision in ("fp32", "bf16", "fp16")[: 3 if settings.placement.on_gpu else 2]:
        yield precision, partial(look, precision)


def compare(
    precision: str, ours: Outputs, theirs: Outputs, rows: np.ndarray, expected: np.ndarray
) -> Found:
    """Equal texts and rows are promised for float32; for the others they are stated."""
    figures: dict[str, float | str] = {}
    same = equal_texts(ours, theirs)
    cosine = 1.0
    if any(texts(theirs)):
        figures["equal texts"] = f"{same} of {len(ours)}"
    if expected.size:
        cosine = figures["smallest cosine"] = smallest_cosine(rows, expected)
    if not np.isfinite(rows).all():
        return verdict(False, "not all numbers are finite", **figures)
    if precision != "fp32":
        return Found(STATED, figures=figures)
    return verdict(same == len(ours) and cosine >= SAME, **figures)


def resumed(settings: Settings) -> Steps:
    """Begun on the one, ended on the other: as if it had never been on the one."""
    card = (settings.device, "fp32")
    other = ("cpu", "fp32") if settings.placement.on_gpu else ("cpu", "bf16")
    yield "begun elsewhere", partial(resume, settings, other, card)
    yield "begun here", partial(resume, settings, card, other)


def resume(settings: Settings, first: tuple[str, str], then: tuple[str, str]) -> Found:
    """Stopped, continued on the other device, then on the first again."""
    images = paint(settings.folder / "pictures", pictures(settings))
    config = in_batches(ensemble_of("git", settings.folder), 2)
    out = settings.folder / f"resumed {'-'.join(first)}"
    with shards_of(2):
        with suppress(Interrupted):
            results_of(config, images, out / "both", *first, interrupt_after(4))
        kept = shards_in(out / "both")
        ended = results_of(config, images, out / "both", *then).outputs
        alone = results_of(config, images, out / "alone", *then).outputs
        again = results_of(config, images, out / "both", *first).outputs
        whole = results_of(config, images, out / "whole", *first).outputs
    good = ended.image_ids == alone.image_ids and again.image_ids == whole.image_ids
    good &= texts(ended) == texts(alone) and texts(again) == texts(whole)
    return verdict(good and kept > 0, f"{kept} shards were there")


def in_batches(config: RunConfig, size: int) -> RunConfig:
    """The ensemble with small batches."""
    return replace(config, members=tuple(replace(one, batch_size=size) for one in config.members))


class OpenedSized(OpenedModel):
    """A model that keeps the sizes of batches; on a processor with a limit in memory's place."""

    def __init__(self, opened: OpenedModel, largest: int | None) -> None:
        self.opened = opened
        self.largest = largest
        self.sizes: list[int] = []

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        return self.opened.prepare(image)

    def run(self, batch: Batch) -> Outputs:
        if self.largest and len(batch.image_ids) > self.largest:
            raise torch.OutOfMemoryError("no room")
        found = self.opened.run(batch)
        self.sizes.append(len(batch.image_ids))
        return found


def out_of_memory(settings: Settings) -> Found:
    """A batch that has room, and again with a fraction of the memory it took."""
    placement = replace(settings.placement, dtype=torch.float32)
    count = 16 if settings.toy else 256
    images = find_images([paint(settings.folder / f"pictures{count}", count)])
    (member,) = open_members(ensemble_of("git", settings.folder), WeightRoots.usual())
    model = member.predictor.open(placement)
    if placement.on_gpu:
        torch.cuda.reset_peak_memory_stats(placement.device)
    roomy = join(list(run_batches(model, images, placement, count)))
    opened = OpenedSized(model, None if placement.on_gpu else count // 3)
    try:
        if placement.on_gpu:
            squeeze(placement.device)
        tight = join(list(run_batches(opened, images, placement, count)))
    finally:
        if placement.on_gpu:
            torch.cuda.set_per_process_memory_fraction(1.0, placement.device)
        release(placement)
    same = equal_texts(tight, roomy) if tight.image_ids == roomy.image_ids else 0
    managed = max(opened.sizes)
    detail = f"{same} of {count} captions the same, batches of {managed} instead of {count}"
    return verdict(same == count and managed < count, detail)


def squeeze(device: torch.device) -> None:
    """Allow half of what was needed beyond the model itself."""
    held, most = torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device)
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((held + (most - held) / 2) / whole, device)


def two_workers(settings: Settings) -> Found:
    """Two processes share a member's shards, both on the one device."""
    images = paint(settings.folder / "pictures", pictures(settings))
    config = in_batches(ensemble_of("git", settings.folder), 2)
    out, device = settings.folder / "workers", settings.device
    with shards_of(2):
        alone = results_of(config, images, out / "one", device).outputs
        both = results_of(config, images, out / "two", f"{device},{device}").outputs
    shards = shards_in(out / "two")
    good = alone.image_ids == both.image_ids and texts(alone) == texts(both)
    return verdict(good and shards > 1, f"{shards} shards")


def deadline(settings: Settings) -> Found:
    """A run with too little time ends in it, with a row for every image.

    How long loading takes depends on the machine and on what else it does, so a run of one image
    is timed first, and what is allowed follows from it.
    """
    count, least = (64, 2.0) if settings.toy else (512, 4.0)
    images = paint(settings.folder / f"pictures{count}", count)
    slow = {"num_beams": 8, "max_length": 40, "min_length": 39}
    config = ensemble_of("git", settings.folder, **slow)
    config = in_batches(config, 1)
    started = time.monotonic()
    results_of(
        config, paint(settings.folder / "one", 1), settings.folder / "first", settings.device
    )
    allowed = least + 2 * (time.monotonic() - started)
    with shards_of(4):
        ended = run_in_time(config, images, settings.folder / "late", settings.device, allowed)
    whole = len(ended.embeddings) == count and bool(np.isfinite(ended.embeddings.vectors).all())
    left = "; ".join(ended.skipped.values()) or "nothing was left out"
    detail = f"{ended.seconds:.1f} of {allowed:.1f} s; {left}"
    return verdict(whole and ended.seconds <= allowed * (1 + LATE_BY), detail)


def waits(settings: Settings, kind: str) -> Found:
    """Decoding never waits for the device, and a search reads it once a word."""
    counted = count_waits(settings, kind)
    network, search = counted.of(NETWORK), counted.of(SEARCH)
    heard = search > 0  # a search must ask whether to go on; hearing nothing is deafness
    good = heard and network == 0 and search <= counted.words + READ_OUT
    by = ", ".join(sorted(counted.counted[NETWORK] + counted.counted[SEARCH]))
    detail = f"{counted.words} words, {network} waits in the network, {search} in the search: {by}"
    return verdict(good, detail)
