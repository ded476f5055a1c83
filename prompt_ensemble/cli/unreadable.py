"""What commands that answer image by image do about images they could not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_ensemble.core.errors import UnreadableImage

if TYPE_CHECKING:
    from prompt_ensemble.images.survey import Album


def report_unreadable(album: Album) -> None:
    """Once all others are answered, an error that names the images nobody could read."""
    if album.bad:
        reasons = "; ".join(image.reason for image in album.bad)
        raise UnreadableImage(
            f"{len(album.bad)} of {len(album.image_ids)} images cannot be read and are left out: "
            f"{reasons}"
        )
