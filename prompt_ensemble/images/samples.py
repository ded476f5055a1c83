"""Sample photos that scikit-image carries; run as a module it prints their paths."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.core.extras import import_extra

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")


def sample_images() -> list[Path]:
    """Photos to try the ensemble on."""
    skimage = import_extra(
        "skimage", "samples", "the sample photos come with scikit-image", "name photos of your own"
    )
    folder = Path(str(skimage.__file__)).parent / "data"
    return [folder / photo for photo in PHOTOS]


if __name__ == "__main__":
    print(*sample_images())  # noqa: T201
