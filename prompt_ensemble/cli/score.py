"""``score``: the competition's metric, here, and measures of texts."""

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
    help="prompts.csv (imgId,prompt), a sample_submission.csv or an embeddings file; for texts "
    "prompts.csv, where an image may have several rows.",
)  # fmt: skip
@options.as_json
def command(submission: Path, truth: Path, as_json: bool) -> None:
    """Mean cosine of SUBMISSION to the truth, with a 95% bootstrap interval over images.

    SUBMISSION may be texts: a CSV table of imgId (or image_id, id) and prompt or caption, or what
    'caption --out' writes. They get BLEU-4, ROUGE-L, CIDEr-D and distinct-n too.
    """
    from prompt_ensemble.data.texts import holds_texts

    judged = _of_texts if holds_texts(submission) else _of_vectors
    record, lines = judged(submission, truth)
    click.echo(json.dumps(record) if as_json else lines)


def _of_vectors(submission: Path, truth: Path) -> tuple[dict[str, object], str]:
    """The competition's score as a record and as a line."""
    from prompt_ensemble.core.score import score
    from prompt_ensemble.data.truth import load_truth, load_vectors
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    found = score(load_vectors(submission), load_truth(truth, SentenceEncoder().encode))
    return asdict(found), str(found)


def _of_texts(submission: Path, truth: Path) -> tuple[dict[str, object], str]:
    """All measures of texts as a record and as lines."""
    from prompt_ensemble.data.texts import load_texts
    from prompt_ensemble.data.truth import load_references
    from prompt_ensemble.evaluation.records import text_record
    from prompt_ensemble.evaluation.text_measures import measure_texts
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    texts, references = load_texts(submission), load_references(truth)
    found = measure_texts(texts, references, SentenceEncoder().encode)
    return text_record(found), str(found)
