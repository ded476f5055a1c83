"""``predict``: images in, a checked submission.csv out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.run.prediction import Prediction

_PROMPTS_SHOWN = 5


@click.command("predict")
@options.images
@options.ensemble
@click.option(
    "--blend", type=click.Path(path_type=Path), metavar="blend.json",
    help="Weights of 'tune' instead of the ensemble's own.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the results; run the same command again to continue a stopped run.",
)  # fmt: skip
@click.option(
    "--deadline", metavar="8h30m",
    help="Be done by then: what is worth most per second comes first, what cannot end is left out.",
)  # fmt: skip
@click.option(
    "--words/--no-words", default=True,
    help="Say the prompt of each image in words, if the preset can; the embedding needs none.",
)  # fmt: skip
@click.option(
    "--sidecars", is_flag=True,
    help="Write each prompt into OUT/sidecars/IMAGE.txt too, in the subfolders of IMAGES.",
)  # fmt: skip
@options.sample
@options.bad_images
@options.weights
@options.devices
@options.precision
@options.workers
@options.quiet
@options.as_json
def command(
    images: tuple[Path, ...],
    preset: str,
    config: Path | None,
    blend: Path | None,
    out: Path,
    deadline: str | None,
    words: bool,
    sidecars: bool,
    sample: Path | None,
    on_bad_image: str,
    weights: tuple[Path, ...],
    device: str,
    precision: str,
    workers: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Look at IMAGES (folders or files) and write OUT/submission.csv."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.core.submission import submission_ids, write_submission
    from prompt_ensemble.run.config import resolve_config
    from prompt_ensemble.run.ensemble import predict

    ids = submission_ids(sample) if sample else None
    ensemble = resolve_config(config or preset)
    if blend:
        from prompt_ensemble.run.use_blend import use_blend

        ensemble = use_blend(ensemble, blend)
    prediction = predict(
        images,
        out,
        config=ensemble,
        weights=weights,
        device=device,
        precision=precision,
        on_bad_image=on_bad_image,
        workers=workers,
        deadline=deadline,
        sample=sample,
        sidecars=sidecars,
        words=words,
        meanwhile=lambda rows: write_submission(out / "submission.csv", rows, ids),
        progress=silent if quiet else bar,
    )
    _check_written(out / "submission.csv", prediction, sample)
    if as_json:
        click.echo(as_record(prediction, out))
        return
    click.echo(summary(prediction, out))
    if sidecars:
        click.echo(f"sidecars    {_where_sidecars_are(prediction, out)}")


def _check_written(path: Path, prediction: Prediction, sample: Path | None) -> None:
    """The file is read back and checked: what is reported as written is right."""
    from prompt_ensemble.core.errors import BadSubmission
    from prompt_ensemble.core.submission import check_submission, submission_ids

    ids = submission_ids(sample) if sample else prediction.embeddings.image_ids
    faults = check_submission(path, ids)
    if faults:
        raise BadSubmission(f"{path} was written wrong: {'; '.join(map(str, faults))}")


def summary(prediction: Prediction, out: Path) -> str:
    """The first prompts, then five lines: what was done and where things are."""
    album, config = prediction.album, prediction.config
    shares = prediction.weights.members
    members = ", ".join(f"{m.name} {shares.get(m.name, 0):g}" for m in prediction.finished)
    bad = f", {len(album.bad)} unreadable ones filled with the prior" if album.bad else ""
    return "\n".join(
        [
            *_first_prompts(prediction, out),
            f"{len(album.image_ids)} images{bad}, {prediction.seconds:.1f} s on "
            f"{prediction.placement}",
            f"preset {config.name}: {members or 'nothing but the prior'}{left_out(prediction)}",
            f"submission  {out / 'submission.csv'} (read back and checked)",
            f"table       {out / 'predictions.csv'}, page {out / 'report.html'}",
            f"record      {out / 'run.json'}, embeddings {out / 'embeddings'}",
        ]
    )


def _first_prompts(prediction: Prediction, out: Path) -> Iterator[str]:
    """A line for each of the first images: id, trust, prompt."""
    first = list(prediction.prompts.items())[:_PROMPTS_SHOWN]
    width = max((len(image_id) for image_id, _ in first), default=0)
    for image_id, prompt in first:
        yield f"{image_id:{width}}  {prompt.trust:.2f}  {_in_one_line(prompt.text)}"
    more = len(prediction.prompts) - len(first)
    if more:
        yield f"{'…':{width}}  {more} more in {out / 'predictions.csv'}"


def _in_one_line(text: str) -> str:
    """A text that a terminal shows as it is: known prompts may hold anything."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _where_sidecars_are(prediction: Prediction, out: Path) -> str:
    """How many texts there are, and the folder."""
    from prompt_ensemble.run.sidecars import FOLDER

    count = len(prediction.prompts)
    return f"{out / FOLDER} ({count})" if count else "none: this run has no prompt in words"


def left_out(prediction: Prediction) -> str:
    """What a deadline left out, for the same line."""
    return "".join(f"; left out {name}: {why}" for name, why in prediction.skipped.items())


def as_record(prediction: Prediction, out: Path) -> str:
    """The same for a program."""
    from prompt_ensemble.run.results import run_record

    prompts = {
        image_id: {"prompt": prompt.text, "trust": round(prompt.trust, 4)}
        for image_id, prompt in prediction.prompts.items()
    }
    submission = {"submission": str(out / "submission.csv")}
    return json.dumps({**submission, **run_record(prediction), "prompts": prompts})
