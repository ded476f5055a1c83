"""``check``: everything wrong with a submission, before Kaggle finds it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from prompt_ensemble.cli import options


@click.command("check")
@click.argument("submission", type=click.Path(path_type=Path))
@click.option(
    "--images", "folder", type=click.Path(path_type=Path), help="Folder of the images it is for."
)
@options.sample
@options.as_json
def command(submission: Path, folder: Path | None, sample: Path | None, as_json: bool) -> None:
    """Check SUBMISSION against the images it is for; exit code 1 if anything is wrong."""
    from prompt_ensemble.core.submission import check_submission

    faults = check_submission(submission, _expected_ids(folder, sample))
    if as_json:
        click.echo(json.dumps({"ok": not faults, "faults": [asdict(found) for found in faults]}))
    else:
        click.echo("\n".join(map(str, faults)) or f"{submission} is right")
    if faults:
        click.get_current_context().exit(1)


def _expected_ids(folder: Path | None, sample: Path | None) -> tuple[str, ...]:
    """Image ids in the order they must have; both sources given must agree."""
    from prompt_ensemble.core.errors import MismatchedIds
    from prompt_ensemble.core.submission import submission_ids
    from prompt_ensemble.images.find import find_images

    listed = submission_ids(sample) if sample else None
    found = tuple(file.image_id for file in find_images([folder])) if folder else None
    if listed and found and set(listed) != set(found):
        lone = sorted(set(listed) ^ set(found))
        raise MismatchedIds(
            f"{sample} and {folder} are about different images: {len(lone)} are in only one, "
            f"first {lone[0]!r}"
        )
    ids = listed or found
    if ids is None:
        raise click.UsageError("say what it is for: --images DIR, --sample FILE, or both")
    return ids
