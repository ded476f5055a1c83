"""The competition's images in, a checked ``/kaggle/working/submission.csv`` out."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig, BadSubmission, PromptEnsembleError
from prompt_ensemble.core.progress import bar
from prompt_ensemble.core.submission import check_submission, submission_ids, write_submission
from prompt_ensemble.images.find import find_images
from prompt_ensemble.kaggle.machine import Machine
from prompt_ensemble.run.config import RunConfig, resolve_config
from prompt_ensemble.run.ensemble import predict
from prompt_ensemble.run.use_blend import use_blend

SAMPLE = "sample_submission.csv"
SUBMISSION = "submission.csv"
BLEND = "blend.json"
"""Output of the kernel that tunes weights, or a file of a dataset."""

log = logging.getLogger(__name__)


def main(preset: str, deadline: str) -> int:
    """``submit`` for a kernel: 0 if there is a file to submit, or 1; errors are one line.

    Kaggle throws away what a kernel wrote that ends with an error, so a valid file that was
    written before something went wrong counts as one.
    """
    machine = Machine.here()
    try:
        print(submit(preset, deadline, machine))  # noqa: T201
    except PromptEnsembleError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        path = machine.working / SUBMISSION
        if not _is_complete(path, machine):
            return 1
        print(f"{path} holds what was ready before that, and can be submitted")  # noqa: T201
    return 0


def _is_complete(path: Path, machine: Machine) -> bool:
    """Whether a file is there that has a row for every image of the competition."""
    if not path.is_file():
        return False
    competition = machine.find(SAMPLE, "the competition's data")
    image_ids = [file.image_id for file in find_images([competition / "images"])]
    return not check_submission(path, _order_of_rows(competition / SAMPLE, image_ids))


def submit(preset: str, deadline: str, machine: Machine | None = None) -> Path:
    """Run a preset (or a TOML file of that path) and write the submission, whatever happens.

    From the first minute on there is a file with a row for every image; each member that ends
    makes it better. Unreadable images get the preset's prior.
    """
    machine = machine or Machine.here()
    competition = machine.find(SAMPLE, "the competition's data")
    images = competition / "images"
    ids = _order_of_rows(competition / SAMPLE, [file.image_id for file in find_images([images])])
    path = machine.working / SUBMISSION
    run = machine.continue_run()
    prediction = predict(
        images, run, config=ensemble(preset, machine), device="all", on_bad_image="prior",
        words=False,  # the competition asks for embeddings alone
        deadline=deadline, meanwhile=lambda rows: write_submission(path, rows, ids), progress=bar,
    )  # fmt: skip
    write_submission(path, prediction.embeddings, ids)
    faults = check_submission(path, ids)
    if faults:
        raise BadSubmission(f"{path} was written wrong: {'; '.join(map(str, faults))}")
    return path


def ensemble(preset: str, machine: Machine) -> RunConfig:
    """The preset, with the weights of a tuned blend where one is mounted.

    A blend of other members than the preset's is ignored with a warning: a kernel that has run for
    hours must not end without a file because of it.
    """
    config = resolve_config(preset)
    for folder in machine.all_with(BLEND):
        try:
            tuned = use_blend(config, folder / BLEND)
        except BadConfig as error:
            log.warning("the weights of %s are not used: %s", folder / BLEND, error)
            continue
        log.warning("weights of %s", tuned.weights_from)
        return tuned
    return config


def _order_of_rows(sample: Path, image_ids: list[str]) -> tuple[str, ...]:
    """The sample's order if it lists exactly these images, else the images sorted by id.

    The scoring run brings its own images; should its sample still be the public one, the images
    are what counts.
    """
    listed = submission_ids(sample)
    if set(listed) == set(image_ids):
        return listed
    log.warning("%s lists other images than there are; rows are sorted by image", sample)
    return tuple(sorted(image_ids))
