"""A run: every image that the prompts ask for and the folder lacks, then the listing of pairs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from prompt_ensemble.core.errors import PromptEnsembleError
from prompt_ensemble.core.files import require_writable
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.prompt_files import PROMPT, stream_prompts
from prompt_ensemble.generating.drawings import Drawing, Part, batches_of, drawings_of
from prompt_ensemble.generating.image_folder import ImageFolder, Labels
from prompt_ensemble.generating.image_generator import ImageGenerator, open_generator
from prompt_ensemble.generating.image_model import ImageModel
from prompt_ensemble.generating.png_parameters import Settings
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import Placement
from prompt_ensemble.run.executors.worker_messages import DONE, listen, start_worker

_WRITERS = 4
"""Threads that compress and write images while the next are drawn."""
_BATCHES_WAITING = 4
"""Drawn and not yet written; more would only fill the memory."""


@dataclass(frozen=True)
class PromptList:
    """Files of prompts, and the column of theirs that holds them in parquet."""

    files: tuple[Path, ...]
    column: str = PROMPT

    def drawings(self, recipe: GenerationRecipe) -> Iterator[Drawing]:
        """All images asked for; read again by each who needs them, since there may be millions."""
        prompts = stream_prompts(self.files, self.column)
        return drawings_of(prompts, recipe.seed, recipe.images_per_prompt)


@dataclass(frozen=True)
class GenerationJob:
    """What is to be drawn, by which model, how, and where to."""

    prompts: PromptList
    model: ImageModel
    recipe: GenerationRecipe
    folder: ImageFolder

    def batches(self, part: Part) -> Iterator[list[Drawing]]:
        """A share of the images."""
        return batches_of(self.prompts.drawings(self.recipe), self.recipe.batch_size, part)

    def missing(self, part: Part) -> Iterator[list[Drawing]]:
        """Those of a share that are not there yet."""
        for batch in self.batches(part):
            if left := [drawing for drawing in batch if not self.folder.is_done(drawing)]:
                yield left


@dataclass(frozen=True)
class Generated:
    """What a run did."""

    images: int
    """In the listing, those of earlier runs included."""
    flagged: int
    made: int
    seconds: float
    """For those made now, loading the model included."""

    @property
    def images_per_second(self) -> float:
        """Of those made now."""
        return self.made / self.seconds if self.seconds else 0.0


def generate(
    job: GenerationJob,
    placements: Sequence[Placement],
    part: Part | None = None,
    labels: Labels | None = None,
    progress: Progress = silent,
) -> Generated:
    """Draw what is missing of a share, on one device or by a process on each of several."""
    part = part or Part()
    require_writable(job.folder.folder)
    settings = job.model.settings(job.recipe)
    job.folder.require_same(job.recipe, settings, placements[0])
    missing = sum(len(batch) for batch in job.missing(part))
    began = time.monotonic()
    with (
        progress("generate", missing) as advance,
        closing(_steps(job, settings, placements, part)) as steps,
    ):
        for done in steps:
            advance(done)
    seconds = time.monotonic() - began
    share = (drawing for batch in job.batches(part) for drawing in batch)
    images, flagged = job.folder.write_listings(share, settings, labels or Labels(), part)
    return Generated(images, flagged, missing, seconds)


def _steps(
    job: GenerationJob, settings: Settings, placements: Sequence[Placement], part: Part
) -> Generator[int, None, None]:
    """How many images more are written, again and again."""
    if len(placements) == 1:
        yield from _draw_share(job, settings, placements[0], part)
        return
    workers = [
        start_worker(
            _work,
            (job, settings, placement, Part(number, len(placements)).within(part)),
            str(placement.device),
        )
        for number, placement in enumerate(placements)
    ]
    with closing(listen(workers)) as messages:
        for message in messages:
            yield int(message)


def _work(
    job: GenerationJob, settings: Settings, placement: Placement, part: Part, send: Connection
) -> None:
    """In a worker: draw its share, telling how many images are written."""
    try:
        for done in _draw_share(job, settings, placement, part):
            send.send(done)
        send.send(DONE)
    except PromptEnsembleError as error:
        send.send(error)


def _draw_share(
    job: GenerationJob, settings: Settings, placement: Placement, part: Part
) -> Generator[int, None, None]:
    """Draw on one device; the model is opened when the first image is missing."""
    generator: ImageGenerator | None = None
    waiting: deque[list[Future[None]]] = deque()
    with ThreadPoolExecutor(_WRITERS) as writers:
        for batch in job.missing(part):
            generator = generator or open_generator(job.model, job.recipe, placement)
            drawn = generator.draw(batch)
            waiting.append([writers.submit(job.folder.keep, one, settings) for one in drawn])
            if len(waiting) > _BATCHES_WAITING:
                yield _written(waiting.popleft())
        while waiting:
            yield _written(waiting.popleft())


def _written(images: Sequence[Future[None]]) -> int:
    """How many images of a batch, once all of them are on the disk."""
    for image in images:
        image.result()
    return len(images)
