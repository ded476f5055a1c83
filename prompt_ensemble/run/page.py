"""The page of a run: a card an image, its prompt large, and after it what led there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.html import render
from prompt_ensemble.core.outputs import Line
from prompt_ensemble.images.survey import SurveyedImage
from prompt_ensemble.images.thumbnails import MOST_ON_A_PAGE, data_address, size_for
from prompt_ensemble.run.prediction import Prediction, Prompt

LINES_SHOWN = 8
"""Texts of one kind that a card shows."""
_WHOLE = ("caption", "known", "neighbour", "prompt")
"""Kinds that are whole texts, in the order of a card; all others are phrases and come after."""
_LABELS = {"known": "known prompts", "neighbour": "near prompts"}


@dataclass(frozen=True)
class _Texts:
    """Texts of one kind, best first."""

    kind: str
    label: str
    lines: Sequence[Line]

    @property
    def whole(self) -> bool:
        """Whether each of them is a sentence or prompt and no phrase."""
        return self.kind in _WHOLE

    @property
    def cosines(self) -> bool:
        """Whether they are prompts with a nearness worth showing."""
        return self.kind in _LABELS


@dataclass(frozen=True)
class _Card:
    """All that is shown of one image."""

    image_id: str
    picture: str
    prompt: Prompt | None
    texts: Sequence[_Texts]
    others: Sequence[Line]
    """Prompts that were not chosen."""


def write_report(prediction: Prediction, path: Path) -> None:
    """One HTML file that needs no other and asks for nothing, readable from disk and on a phone."""
    images = prediction.album.good[:MOST_ON_A_PAGE]
    size = size_for(len(images))

    def picture(image: SurveyedImage) -> str:
        return data_address(image.load(), size)

    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(picture, images))
    page = render(
        "prompt_ensemble.run", "page.html", title="Prompts of a run", prediction=prediction,
        cards=_cards(prediction, pictures), shown=len(images), side=size.side,
    )  # fmt: skip
    write_atomically(path, page)


def _cards(prediction: Prediction, pictures: Sequence[str]) -> Iterator[_Card]:
    """A card for each of the first readable images."""
    speakers = Counter(
        kind
        for member in prediction.members.values()
        for kind in {line.kind for lines in member.outputs.lines for line in lines}
    )
    for row, picture in enumerate(pictures):
        image_id = prediction.album.good[row].image_id
        words = _by_kind(prediction.words.take([image_id]).lines[0] if prediction.words else ())
        known = [_Texts("known", _LABELS["known"], words["known"])] if "known" in words else []
        said = [*known, *_said(prediction, row, speakers)]
        yield _Card(
            image_id, picture, prediction.prompts.get(image_id),
            sorted(said, key=_place), words.get("prompt", [])[1:],
        )  # fmt: skip


def _said(prediction: Prediction, row: int, speakers: Counter[str]) -> Iterator[_Texts]:
    """What members say of one image, kind by kind; captions that others pass on are left out."""
    captions: set[str] = set()
    for name, member in prediction.members.items():
        for kind, lines in _by_kind(member.outputs.lines[row]).items():
            label = _LABELS.get(kind, kind)
            if speakers[kind] > 1 or kind in ("caption", "prompt"):
                label = f"{label}, {name}"
            if kind == "caption":
                lines = [line for line in lines if line.text not in captions]
                captions |= {line.text for line in lines}
            if lines:
                yield _Texts(kind, label, lines)


def _by_kind(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The first lines of each kind, in the order in which they come."""
    kinds: dict[str, list[Line]] = {}
    for line in lines:
        found = kinds.setdefault(line.kind, [])
        if len(found) < LINES_SHOWN:
            found.append(line)
    return kinds


def _place(texts: _Texts) -> int:
    """Where texts of this kind stand on a card."""
    return _WHOLE.index(texts.kind) if texts.whole else len(_WHOLE)
