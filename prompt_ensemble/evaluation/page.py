"""The page of an evaluation: one HTML file that opens from disk, on a phone too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.html import render
from prompt_ensemble.core.intervals import Score
from prompt_ensemble.evaluation.figures import figures
from prompt_ensemble.evaluation.text_measures import FAULTS, LABELS
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.thumbnails import data_address

if TYPE_CHECKING:
    from prompt_ensemble.core.intervals import Difference
    from prompt_ensemble.evaluation.evaluate import Evaluation

SHOWN = 60
"""Images at either end that the page shows; the table in images.csv has them all."""
_SCORE_COLUMNS = (
    "prediction", "score (95%)", "shuffled", "median rank",
    "recall@1", "recall@5", "recall@10", "weight", "loss without", "s / image", "MB",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A cell of a table; a number carries its value, so that the column sorts as numbers."""

    text: str
    value: str = ""
    interval: str = ""

    @classmethod
    def of(cls, content: str | float | Score) -> Cell:
        """Words as they are; numbers in as many digits as they deserve."""
        if isinstance(content, str):
            return cls(content)
        if not isinstance(content, Score):
            places = 0 if float(content).is_integer() else 4 if abs(content) < 10 else 1
            return cls(f"{content:.{places}f}", f"{content:.9g}")
        interval = ""
        if content.low is not None and content.high is not None:
            interval = f"{content.low:.4f} to {content.high:.4f}"
        return cls(f"{content.mean:.4f}", f"{content.mean:.9g}", interval)


Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Names of columns, and rows as long."""

    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class _ShownImage:
    """A row of the table of images; without a file there is no thumbnail."""

    alt: str
    thumbnail: str
    cells: Row


def page(
    evaluation: Evaluation,
    images: Mapping[str, Path],
    against: Mapping[str, Difference] | None = None,
) -> str:
    """The whole page; ``images`` are files for the thumbnails, by image id."""
    gains = [_row(name, str(gain)) for name, gain in (against or {}).items()]
    return render(
        "prompt_ensemble.evaluation",
        "page.html",
        title=f"Evaluation of {evaluation.name}",
        evaluation=evaluation,
        scores=Table(_SCORE_COLUMNS, list(_score_rows(evaluation))),
        texts=Table(("prediction", *LABELS.values(), *FAULTS), list(_text_rows(evaluation))),
        gains=Table(("prediction", "gain (95% interval), p-value"), gains),
        figures=figures(evaluation),
        parts=[
            ("source", _part_table("source", evaluation, evaluation.by_source)),
            ("length", _part_table("length", evaluation, evaluation.by_length)),
        ],
        image_columns=_image_columns(evaluation),
        images=list(_shown_images(evaluation, images)),
    )


def _row(*contents: str | float | Score) -> Row:
    return tuple(Cell.of(content) for content in contents)


def _score_rows(evaluation: Evaluation) -> Iterator[Row]:
    """One row a prediction, the best first."""
    for name, score in evaluation.scores.items():
        ranks = evaluation.retrieval[name]
        loss = evaluation.loss_without.get(name)
        yield _row(
            name, score, evaluation.shuffled[name],
            ranks.median_rank, ranks.recall_at_1, ranks.recall_at_5, ranks.recall_at_10,
            evaluation.weights.get(name, ""), loss.mean if loss else "",
            evaluation.seconds.get(name, ""), evaluation.memory.get(name, ""),
        )  # fmt: skip


def _text_rows(evaluation: Evaluation) -> Iterator[Row]:
    """One row a prediction that is a text: its measures, and how many texts have each fault."""
    for name, measures in evaluation.text_measures.items():
        faults = (float(sum(found)) for found in measures.faults.values())
        yield _row(name, *measures.scores.values(), *faults)


def _part_table(
    label: str, evaluation: Evaluation, parts: Mapping[str, Mapping[str, Score]]
) -> Table:
    """One row a source or bucket of lengths, one column a prediction."""
    names = list(evaluation.scores)
    rows = [
        _row(part, float(scores[names[0]].images), *(scores[name] for name in names))
        for part, scores in parts.items()
    ]
    return Table((label, "images", *names), rows)


def _image_columns(evaluation: Evaluation) -> list[str]:
    """Columns of the table of images, after the picture."""
    texts = [f"{name} says" for name in _texts(evaluation)]
    source = ["source"] if evaluation.sources else []
    return ["id", "true prompt", *_predictions(evaluation), *texts, *source]


def _shown_images(evaluation: Evaluation, images: Mapping[str, Path]) -> Iterator[_ShownImage]:
    """The best and the worst images with the texts that members gave them."""
    scores = evaluation.cosines[evaluation.leading]
    order = np.argsort(-scores, kind="stable")
    chosen = order if len(order) <= 2 * SHOWN else np.r_[order[:SHOWN], order[-SHOWN:]]
    for row in chosen:
        image_id = evaluation.image_ids[row]
        prompt = evaluation.prompts.get(image_id, "")
        cosines = [float(evaluation.cosines[name][row]) for name in _predictions(evaluation)]
        texts = [said.get(image_id, "") for said in _texts(evaluation).values()]
        source = [evaluation.sources.get(image_id, "")] if evaluation.sources else []
        picture = data_address(load_image(images[image_id])) if image_id in images else ""
        cells = _row(image_id, prompt, *cosines, *texts, *source)
        yield _ShownImage(prompt or image_id, picture, cells)


def _predictions(evaluation: Evaluation) -> list[str]:
    """The leading prediction and then all others, the best first."""
    others = [name for name in evaluation.scores if name != evaluation.leading]
    return [evaluation.leading, *others]


def _texts(evaluation: Evaluation) -> dict[str, Mapping[str, str]]:
    """What each prediction says, if anything: the texts that answer, then those of members."""
    members = {name: said for name, said in evaluation.texts.items() if name in evaluation.scores}
    return {**evaluation.answers, **members}
