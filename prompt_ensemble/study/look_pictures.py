"""Maps of where captioners look, as pictures for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.thumbnails import Size, data_address
from prompt_ensemble.study.heat import overlay

if TYPE_CHECKING:
    from prompt_ensemble.study.study import Study

_MOST_MASKED = 12
_SIZE = Size(160, 75)


@dataclass(frozen=True)
class Picture:
    """A picture, what is on it, and a line below it."""

    address: str
    alt: str
    line: str


@dataclass(frozen=True)
class PictureRow:
    """The image as it is, and a map of each captioner."""

    title: str
    pictures: tuple[Picture, ...]


def masked_rows(study: Study) -> Iterator[PictureRow]:
    """How far each grey cell moves the captions; all maps of an image on one scale."""
    images = {image.image_id: image for image in study.material.images}
    for place, image_id in enumerate(study.looks.image_ids[:_MOST_MASKED]):
        image = images[image_id]
        whole = load_image(image.file)
        maps = {name: moved[place] for name, moved in study.looks.moved.items()}
        most = max(float(moved.max()) for moved in maps.values())
        pictures = [Picture(data_address(whole, _SIZE), image.prompts[0], "the image")]
        pictures += [
            Picture(
                data_address(overlay(whole, moved, most), _SIZE),
                f"cells that move the caption of {name}",
                f"{name}, at most {float(moved.max()):.2f}",
            )
            for name, moved in maps.items()
        ]
        yield PictureRow(image.prompts[0], tuple(pictures))


def gradient_rows(study: Study) -> Iterator[PictureRow]:
    """Where the pixels lie on which a word hangs; each map on a scale of its own."""
    asked = dict.fromkeys(
        (one.image_id, one.word) for maps in study.looks.words.values() for one in maps
    )
    for image_id, word in asked:
        pictures = []
        for name, maps in study.looks.words.items():
            for one in (one for one in maps if (one.image_id, one.word) == (image_id, word)):
                seen = Image.fromarray(one.picture).resize((160, 160))
                line = f"{name}, log-likelihood {one.log_likelihood:.1f}"
                alt = f"pixels on which “{word}” hangs for {name}"
                pictures.append(Picture(data_address(overlay(seen, one.pull), _SIZE), alt, line))
        yield PictureRow(f"“{word}” in {image_id}", tuple(pictures))
