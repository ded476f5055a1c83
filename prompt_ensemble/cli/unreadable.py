"""What commands that answer image by image do about images they could not read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prompt_ensemble.core.errors import UnreadableImage

if TYPE_CHECKING:
    from prompt_ensemble.images.survey import Album


def report_unreadable(album: Album) -> None:
    """Once all others are answered, an error that names the images nobody could read."""
    report_left_out([image.reason for image in album.bad], len(album.image_ids))


def report_left_out(reasons: Sequence[str], images: int) -> None:
    """The same from the reasons, one for each of them, and the number of all images."""
    if reasons:
        raise UnreadableImage(
            f"{len(reasons)} of {images} images cannot be read and are left out: "
            f"{'; '.join(reasons)}"
        )
