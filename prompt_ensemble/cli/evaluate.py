"""``evaluate``: how good a run is, as numbers, a table and a page."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.core.embeddings import Encode
    from prompt_ensemble.core.progress import Progress
    from prompt_ensemble.data.truth import Truth
    from prompt_ensemble.evaluation.evaluate import Evaluation
    from prompt_ensemble.evaluation.finished_run import FinishedRun


@click.command("evaluate")
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--truth", "truth_file", required=True, type=click.Path(path_type=Path),
    help="prompts.csv (imgId,prompt and, if known, source) or embeddings of the true prompts.",
)  # fmt: skip
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="RUN",
    help="Another run over the same images: paired differences to it.",
)  # fmt: skip
@click.option(
    "--images", "folder", type=click.Path(path_type=Path),
    help="Folder of the images, for thumbnails in the page.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Write report.html, images.csv and evaluation.json into this folder.",
)  # fmt: skip
@click.option(
    "--no-text", is_flag=True,
    help="Judge texts by their embeddings alone, which needs no extra.",
)  # fmt: skip
@options.quiet
@options.as_json
def command(
    run: tuple[Path, ...],
    truth_file: Path,
    against: Path | None,
    folder: Path | None,
    out: Path | None,
    no_text: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Evaluate RUN, a folder that 'predict --out' filled, or files side by side.

    Files are embeddings, submissions, and tables of texts as 'score' reads them. A text is judged
    by its embedding like any prediction, and by its words.
    """
    from prompt_ensemble.core.files import require_writable, write_atomically
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.truth import read_truth
    from prompt_ensemble.evaluation.evaluate import compare
    from prompt_ensemble.evaluation.page import page
    from prompt_ensemble.evaluation.records import as_record, image_table
    from prompt_ensemble.images.find import find_images
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    shown = silent if quiet else bar
    if out:
        require_writable(out)
    encode = SentenceEncoder().encode
    truth = read_truth(truth_file, encode)
    read = partial(_read_run, truth=truth, encode=encode, no_text=no_text)
    found = _evaluate_run(run, read(run), truth, shown)
    gains = None
    if against:
        other = _evaluate_run((against,), read((against,)), truth, shown)
        gains = compare(found, other, truth.embeddings)
    record = as_record(found, gains)
    if out:
        files = {image.image_id: image.path for image in find_images([folder])} if folder else {}
        write_atomically(out / "images.csv", image_table(found))
        write_atomically(out / "evaluation.json", json.dumps(record, indent=1) + "\n")
        write_atomically(out / "report.html", page(found, files, gains))
    click.echo(json.dumps(record) if as_json else summary(found))
    if gains and not as_json:
        click.echo("\n".join(f"gain over {against}, {name}: {gains[name]}" for name in gains))
    if out and not as_json:
        click.echo(f"page {out / 'report.html'}, table {out / 'images.csv'}")


def _read_run(run: tuple[Path, ...], truth: Truth, encode: Encode, no_text: bool) -> FinishedRun:
    """The run with its texts embedded; with ``no_text`` they are embeddings and nothing more."""
    from dataclasses import replace

    from prompt_ensemble.evaluation.finished_run import read_run, with_embedded_answers
    from prompt_ensemble.evaluation.text_measures import require_libraries

    finished = read_run(run)
    if finished.answers and truth.prompts and not no_text:
        require_libraries()
    embedded = with_embedded_answers(finished, encode)
    return replace(embedded, answers={}) if no_text else embedded


def _evaluate_run(
    run: tuple[Path, ...], finished: FinishedRun, truth: Truth, progress: Progress
) -> Evaluation:
    """One run evaluated, with the signs of certainty it has left."""
    from prompt_ensemble.evaluation.evaluate import evaluate
    from prompt_ensemble.run.leakage import told_by_filters
    from prompt_ensemble.run.saved_predictions import judged_images, load_confidence

    judged = judged_images(finished.predictions, truth.embeddings)
    signals = load_confidence(run, judged.image_ids)
    doubts = told_by_filters(run, judged.image_ids, truth.prompts)
    return evaluate(finished, truth, signals=signals, doubts=doubts, progress=progress)


def summary(found: Evaluation) -> str:
    """Scores and controls for people."""
    width = max(map(len, found.scores)) + 2
    rows = [
        f"{name:<{width}}{score}  shuffled {found.shuffled[name]:.4f}, "
        f"recall@10 {found.retrieval[name].recall_at_10:.3f}"
        for name, score in found.scores.items()
    ]
    control = f"constant control: {found.constant}; {found.groups} groups"
    texts = [f"{name}, by its words:\n{part}" for name, part in found.text_measures.items()]
    return "\n".join([*found.leaks, *rows, control, *texts])
