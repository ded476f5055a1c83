"""The page of a study: one HTML file that opens from disk, on a phone too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.html import render
from prompt_ensemble.evaluation.page import Cell, Row, Table
from prompt_ensemble.study.conclusion import comparisons_made, conclude, shown
from prompt_ensemble.study.examples import examples
from prompt_ensemble.study.figures import figures
from prompt_ensemble.study.look_pictures import gradient_rows, masked_rows
from prompt_ensemble.study.measures import ACCURACY, MEASURES
from prompt_ensemble.study.study import most_frequent

if TYPE_CHECKING:
    from prompt_ensemble.core.intervals import Difference, Score
    from prompt_ensemble.study.compared import Comparison
    from prompt_ensemble.study.seeds import Summary
    from prompt_ensemble.study.study import Study

_FREQUENT = 12
_MOST_COLUMNS_OF_DIFFERENCES = 3


def page(study: Study) -> str:
    """The whole page."""
    names = [contender.name for contender in study.contenders]
    why = [name for name in study.measures if name not in ACCURACY]
    return render(
        "prompt_ensemble.study",
        "study.html",
        borrow=("prompt_ensemble.evaluation",),
        title=f"Captioners compared: {', '.join(names)}",
        study=study,
        groups=len(np.unique(study.material.groups)),
        settings=", ".join(f"{name}={value}" for name, value in study.settings.items()),
        conclusion=conclude(study),
        comparisons=comparisons_made(study),
        accuracy=_measure_table(study, [name for name in ACCURACY if name in study.measures]),
        differences=_difference_table(study, ACCURACY),
        retrieval=Table(_RUN_COLUMNS, list(_run_rows(study))),
        parts=[(kind, _part_table(study, kind, found)) for kind, found in study.parts.items()],
        why=_measure_table(study, why),
        why_differences=_difference_table(study, why),
        frequent=_frequent_table(study),
        words=_word_tables(study),
        agreement=_agreement_table(study),
        movement=_movement_table(study),
        masked=list(masked_rows(study)),
        gradients=list(gradient_rows(study)),
        names=names,
        figures=list(figures(study)),
        examples=examples(study),
    )


def _row(*contents: str | float | Score) -> Row:
    return tuple(Cell.of(content) for content in contents)


def _summary(summary: Summary) -> Cell:
    """Mean, interval, and the spread between seeds if there are several."""
    cell = Cell.of(summary.score)
    if summary.between_seeds is None:
        return cell
    spread = f"seeds ± {summary.between_seeds:.4f}"
    return Cell(cell.text, cell.value, f"{cell.interval}, {spread}" if cell.interval else spread)


def _gain(gain: Difference | None) -> Cell:
    """A difference, marked where its interval leaves out 0."""
    if gain is None:
        return Cell("too few images")
    mark = " *" if shown(gain) else ""
    interval = f"{gain.low:+.4f} to {gain.high:+.4f}"
    return Cell(f"{gain.mean:+.4f}{mark}", f"{gain.mean:.9g}", interval)


def _measure_table(study: Study, measures: Sequence[str]) -> Table:
    """One row a measure, one column a captioner."""
    names = [contender.name for contender in study.contenders]
    rows = []
    for measure in measures:
        found = study.measures[measure].summaries
        images = float(next(iter(found.values())).score.images)
        cells = (_summary(found[name]) for name in names)
        rows.append((Cell(MEASURES[measure].label), Cell.of(images), *cells))
    return Table(("measure", "images", *names), rows)


def _difference_table(study: Study, measures: Sequence[str]) -> Table:
    """One row a measure, one column every two captioners."""
    columns = [f"{first} − {second}" for first, second in study.pairs]
    rows = [
        (
            Cell(MEASURES[measure].label),
            *(_gain(study.measures[measure].differences.get(pair)) for pair in study.pairs),
        )
        for measure in measures
        if measure in study.measures
    ]
    return Table(("measure", *columns), rows)


_RUN_COLUMNS = (
    "run", "captions from", "median rank", "recall@10", "BLEU-4, corpus", "distinct-1",
    "distinct-2", "different captions", "broken", "s / image", "million parameters",
)  # fmt: skip


def _run_rows(study: Study) -> Iterator[Row]:
    """One row a run: what has no value of a single image, and what it takes."""
    for name, captions in study.captions.items():
        measured = study.runs[name]
        scores = measured.texts.scores
        parameters = captions.parameters
        yield _row(
            name, captions.run.source, float(np.median(measured.ranks)),
            float(np.mean(measured.ranks <= 10)), scores["corpus_bleu4"].mean,
            scores["distinct_1"].mean, scores["distinct_2"].mean,
            float(len(set(captions.texts))), float(sum(measured.texts.faults["broken"])),
            "" if captions.seconds is None else captions.seconds,
            "" if parameters is None else parameters / 1e6,
        )  # fmt: skip


def _part_table(study: Study, kind: str, parts: Mapping[str, Comparison]) -> Table:
    """One row a part; differences too, where they are few."""
    names = [contender.name for contender in study.contenders]
    pairs = study.pairs if len(study.pairs) <= _MOST_COLUMNS_OF_DIFFERENCES else []
    rows = [
        (
            Cell(label),
            Cell.of(float(found.summaries[names[0]].score.images)),
            *(_summary(found.summaries[name]) for name in names),
            *(_gain(found.differences.get(pair)) for pair in pairs),
        )
        for label, found in parts.items()
    ]
    return Table((kind, "images", *names, *(f"{a} − {b}" for a, b in pairs)), rows)


def _frequent_table(study: Study) -> Table:
    """What each captioner most often makes up and misses."""
    rows = [
        _row(
            contender.name,
            ", ".join(most_frequent(study, contender, "most_hallucinated", _FREQUENT)),
            ", ".join(most_frequent(study, contender, "most_missed", _FREQUENT)),
        )
        for contender in study.contenders
    ]
    return Table(("captioner", "makes up most often", "misses most often"), rows)


def _word_tables(study: Study) -> list[tuple[str, Table]]:
    """For every two, the words that tell them apart; the strongest first on either side."""
    tables = []
    for (first, second), words in study.words.items():
        rows = [
            (
                Cell(one.word),
                Cell(first if one.odds > 0 else second),
                Cell(f"{one.odds:+.2f}", f"{one.odds:.9g}", f"{one.low:+.2f} to {one.high:+.2f}"),
                Cell(f"{one.first:.4g}", f"{one.first:.9g}"),
                Cell(f"{one.second:.4g}", f"{one.second:.9g}"),
            )
            for one in words
        ]
        columns = ("word", "said more by", "log-odds", f"images, {first}", f"images, {second}")
        tables.append((f"{first} and {second}", Table(columns, rows)))
    return tables


def _agreement_table(study: Study) -> Table:
    rows = [
        _row(
            f"{first} and {second}" if first != second else f"{first}, its seeds",
            found.cosine, found.elsewhere, found.same_text,
        )
        for (first, second), found in study.agreement.items()
    ]  # fmt: skip
    columns = ("captions of", "cosine of the same image", "of different images", "same text")
    return Table(columns, rows)


def _movement_table(study: Study) -> Table:
    """How far a grey cell moves a caption."""
    found = study.looks.movement
    if found is None:
        return Table((), ())
    rows = [(Cell(name), _summary(summary)) for name, summary in found.summaries.items()]
    rows += [
        (Cell(f"{first} − {second}"), _gain(gain))
        for (first, second), gain in found.differences.items()
    ]
    return Table(("captioner", "1 less the cosine to the caption of the whole image"), rows)
