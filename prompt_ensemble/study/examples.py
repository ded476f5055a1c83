"""The images on which captioners differ most, with everything that is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.evaluation.text_measures import COSINE
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.thumbnails import data_address, size_for

if TYPE_CHECKING:
    from prompt_ensemble.study.contenders import Contender
    from prompt_ensemble.study.study import Study

SHOWN = 40


@dataclass(frozen=True)
class Said:
    """A caption of one run."""

    caption: str
    cosine: float


@dataclass(frozen=True)
class Example:
    """One image."""

    image_id: str
    thumbnail: str
    prompts: tuple[str, ...]
    source: str
    said: tuple[tuple[str, float, tuple[Said, ...]], ...]
    """Contender, its mean cosine, and what its runs say; the nearest contender first."""


def examples(study: Study) -> list[Example]:
    """Those where the contenders' mean cosines lie furthest apart, an equal number led by each."""
    means = {name: columns.mean(axis=1) for name, columns in study.values(COSINE).items()}
    table = np.stack(list(means.values()))
    apart, leader = table.max(axis=0) - table.min(axis=0), table.argmax(axis=0)
    order = np.argsort(-apart, kind="stable")
    most = max(1, SHOWN // len(means))
    chosen = {
        row
        for place in range(len(means))
        for row in order[(leader[order] == place) & (apart[order] > 0)][:most].tolist()
    }
    rows = [row for row in order.tolist() if row in chosen]
    return [_example(study, row, means, len(rows)) for row in rows]


def _example(study: Study, row: int, means: dict[str, np.ndarray], count: int) -> Example:
    image = study.material.images[row]
    nearest = sorted(study.contenders, key=lambda contender: -float(means[contender.name][row]))
    return Example(
        image.image_id,
        data_address(load_image(image.file), size_for(count)),
        image.prompts,
        image.source,
        tuple(
            (contender.name, float(means[contender.name][row]), _said(study, contender, row))
            for contender in nearest
        ),
    )


def _said(study: Study, contender: Contender, row: int) -> tuple[Said, ...]:
    return tuple(
        Said(
            study.captions[run.name].texts[row] or "(nothing)",
            float(study.runs[run.name].per_image[COSINE][row]),
        )
        for run in contender.runs
    )
