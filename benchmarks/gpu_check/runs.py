"""Runs of the package's own pipeline that need no installed sentence encoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_check.models import encode
from prompt_ensemble.core.embeddings import Embeddings, unit_rows
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.find import find_images
from prompt_ensemble.images.survey import survey
from prompt_ensemble.models.device import Placement, choose_placements
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run import store
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.config import RunConfig
from prompt_ensemble.run.deadline import Deadline, run_until
from prompt_ensemble.run.executors.worker_processes import WorkerProcesses
from prompt_ensemble.run.member_run import MemberResult, Run
from prompt_ensemble.run.members import open_ensemble, open_members
from prompt_ensemble.run.pipeline import assemble, run_members
from prompt_ensemble.run.prior import prior_of
from prompt_ensemble.run.store import Store


class Interrupted(Exception):
    """A run stopped on purpose."""


@dataclass(frozen=True)
class Ended:
    """What a run under a deadline left behind."""

    embeddings: Embeddings
    skipped: dict[str, str]
    seconds: float


def run_of(placements: tuple[Placement, ...], out: Path, progress: Progress) -> Run:
    """Where and how, as ``predict`` settles it."""
    executor = WorkerProcesses(placements) if len(placements) > 1 else None
    return Run(placements[0], Store(out), progress=progress, executor=executor)


def results_of(
    config: RunConfig,
    images: Path,
    out: Path,
    device: str,
    precision: str = "fp32",
    progress: Progress = silent,
) -> MemberResult:
    """What the member ``it`` makes of the images; ``out`` is the store."""
    run = run_of(choose_placements(device, precision), out, progress)
    _, members = open_ensemble(config, WeightRoots.usual())
    return run_members(members, survey(find_images([images])), run, encode)["it"]


def run_in_time(config: RunConfig, images: Path, out: Path, device: str, seconds: float) -> Ended:
    """The same under a deadline, to the blend."""
    started = time.monotonic()
    run = run_of(choose_placements(device, "fp32"), out, silent)
    roots = WeightRoots.usual()
    config, members = open_ensemble(config, roots)
    prior = prior_of(config, roots)
    album = survey(find_images([images]))
    timed = list(run_until(Deadline(started + seconds), members, album, run, encode))[-1]
    names = [member.name for member in members]
    weights = BlendWeights.of(config).of_finished(timed.results, names)
    blended = assemble(timed.results, weights, prior, album)
    return Ended(blended, timed.skipped, time.monotonic() - started)


def interrupt_after(images: int) -> Progress:
    """A progress that stops the run once so many images are done."""

    @contextmanager
    def open_stage(
        stage: str, total: int, unit: str = "image"
    ) -> Iterator[Callable[[int], object]]:
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            if stage == "it" and done >= images:
                raise Interrupted

        yield advance

    return open_stage


def texts(outputs: Outputs) -> list[list[str]]:
    """Texts of each image; none of members that only give vectors."""
    return [[line.text for line in row] for row in outputs.lines]


def equal_texts(ours: Outputs, theirs: Outputs) -> int:
    """Images with the same texts."""
    return sum(one == other for one, other in zip(texts(ours), texts(theirs), strict=True))


def smallest_cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of the rows of the same image."""
    return float((unit_rows(ours) * unit_rows(theirs)).sum(axis=1).min())


def first_logits(config: RunConfig, images: Path, placement: Placement) -> np.ndarray:
    """What a captioner thinks of the first word of each image."""
    (member,) = open_members(config, WeightRoots.usual())
    opened: Any = member.predictor.open(placement)
    captioner = opened.captioner
    views = [captioner.prepare(load_image(image.path)) for image in find_images([images])]
    pixels = torch.stack(views).to(placement.device)
    prompt = torch.tensor([list(captioner.prompt)], device=pixels.device)
    with torch.inference_mode(), placement.autocast():
        decoding = captioner.begin(captioner.preprocessing.normalise(pixels))
        logits: torch.Tensor = decoding.step(prompt.expand(len(pixels), -1))
    return logits.float().cpu().numpy()


@contextmanager
def shards_of(images: int) -> Iterator[None]:
    """Small shards for a while, so that a few pictures are several of them."""
    usual, store.SHARD_IMAGES = store.SHARD_IMAGES, images
    try:
        yield
    finally:
        store.SHARD_IMAGES = usual


def shards_in(out: Path) -> int:
    """Shards of the member ``it`` in a store."""
    return len(list((out / "it").glob("*.safetensors")))
