"""``score``: the competition's metric, here."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from prompt_ensemble.cli import options


@click.command("score")
@click.argument("submission", type=click.Path(path_type=Path))
@click.option(
    "--truth", required=True, type=click.Path(path_type=Path),
    help="prompts.csv (imgId,prompt), a sample_submission.csv or an embeddings file.",
)  # fmt: skip
@options.as_json
def command(submission: Path, truth: Path, as_json: bool) -> None:
    """Mean cosine of SUBMISSION to the truth, with a 95% bootstrap interval over images."""
    from prompt_ensemble.core.score import score
    from prompt_ensemble.data.truth import load_truth, load_vectors
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    found = score(load_vectors(submission), load_truth(truth, SentenceEncoder().encode))
    click.echo(json.dumps(asdict(found)) if as_json else str(found))
