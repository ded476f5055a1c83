"""The competition's images in, a checked ``/kaggle/working/submission.csv`` out."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from prompt_ensemble.errors import BadSubmission, PromptEnsembleError
from prompt_ensemble.kaggle.machine import Machine

SAMPLE = "sample_submission.csv"
SUBMISSION = "submission.csv"

log = logging.getLogger(__name__)


def main(preset: str, deadline: str) -> int:
    """``submit`` for a kernel: 0 and the file's path, or 1 and what went wrong in one line."""
    try:
        print(submit(preset, deadline))  # noqa: T201
    except PromptEnsembleError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def submit(preset: str, deadline: str, machine: Machine | None = None) -> Path:
    """Run a preset (or a TOML file of that path) and write the submission, whatever happens.

    From the first minute on there is a file with a row for every image; each member that ends
    makes it better. Unreadable images get the preset's prior.
    """
    from prompt_ensemble.images import find_images
    from prompt_ensemble.outputs import write_outputs
    from prompt_ensemble.pipeline import predict
    from prompt_ensemble.progress import bar
    from prompt_ensemble.submission import check_submission, write_submission

    machine = machine or Machine.here()
    competition = machine.find(SAMPLE, "the competition's data")
    images = competition / "images"
    ids = order_of_rows(competition / SAMPLE, [file.image_id for file in find_images([images])])
    path = machine.working / SUBMISSION
    run = machine.continue_run()
    prediction = predict(
        images, run, config=preset, device="all", on_bad_image="prior",
        deadline=deadline, meanwhile=lambda rows: write_submission(path, rows, ids), progress=bar,
    )  # fmt: skip
    write_outputs(prediction, run)
    write_submission(path, prediction.embeddings, ids)
    faults = check_submission(path, ids)
    if faults:
        raise BadSubmission(f"{path} was written wrong: {'; '.join(map(str, faults))}")
    return path


def order_of_rows(sample: Path, image_ids: list[str]) -> tuple[str, ...]:
    """The sample's order where it has all the images, else the images' own.

    The scoring run brings its own images; should its sample still be the public one, the images
    are what counts.
    """
    from prompt_ensemble.submission import submission_ids

    listed = tuple(submission_ids(sample))
    if set(listed) == set(image_ids):
        return listed
    log.warning("%s lists other images than there are; rows are sorted by image", sample)
    return tuple(sorted(image_ids))
